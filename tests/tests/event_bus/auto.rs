//! `auto`: over the bus while somebody answers there, else over DMI.

use integration_tests::servers::EventBus;
use mapper_framework::config::ReportVia;

use crate::rig::{self, Rig};

/// So many twins more show that a way is in use.
const PROGRESS: u64 = 50;

#[tokio::test]
async fn twins_take_the_way_on_which_they_are_answered() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    bus.kill().await;
    let rig = Rig::start(&broker, ReportVia::Auto, 10).await;
    goes_over_dmi(&rig).await;
    bus.restart().await;
    goes_over_the_bus(&mut bus).await;
    bus.kill().await;
    goes_over_dmi(&rig).await;
    bus.restart().await;
    goes_over_the_bus(&mut bus).await;
    bus.kill().await;
    rig.counters.stop();
    rig.bed.until("all last values are stored", |edge| rig.missing_on_both(bus.seen(), edge) == 0).await;
    rig.stop().await;
}

#[tokio::test]
async fn twins_go_over_dmi_while_the_broker_answers_nothing() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let rig = Rig::start(&broker, ReportVia::Auto, 10).await;
    goes_over_the_bus(&mut bus).await;
    broker.freeze().await;
    goes_over_dmi(&rig).await;
    broker.thaw().await;
    goes_over_the_bus(&mut bus).await;
    rig.stop().await;
}

async fn goes_over_dmi(rig: &Rig) {
    let before = rig.bed.edge().counts().stored_twins();
    rig.bed.until("twins go over DMI", |edge| edge.counts().stored_twins() >= before + PROGRESS).await;
}

async fn goes_over_the_bus(bus: &mut EventBus) {
    let before = bus.seen().stored();
    bus.until("twins go over the bus", |seen| seen.stored() >= before + PROGRESS).await;
}
