//! `auto`: over the bus while somebody answers there, else over DMI.

use std::collections::BTreeMap;

use integration_tests::servers::{EventBus, Seen};
use mapper_framework::config::ReportVia;

use crate::{
    asking::Asking,
    rig::{self, Rig},
};

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

/// What a frozen broker holds is stored when it goes on, and must not stay in the place of what went over DMI meanwhile.
#[tokio::test]
async fn a_value_that_arrives_late_on_the_bus_does_not_stay() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let rig = Rig::start(&broker, ReportVia::Auto, 10).await;
    goes_over_the_bus(&mut bus).await;
    broker.freeze().await;
    goes_over_dmi(&rig).await;
    rig.counters.stop();
    rig.bed.until("all last values are stored", |edge| rig.missing_on_both(bus.seen(), edge) == 0).await;
    let before = (times(bus.seen()), over_dmi(&rig));
    broker.thaw().await;

    // What the broker held is stored before this is refused.
    Asking::start(&broker).await.refused("nowhere/d").await;
    bus.until("all has been taken", |seen| seen.refusals().iter().any(|refusal| refusal.device == "nowhere/d")).await;
    let after = times(bus.seen());
    let late: Vec<_> = after.iter().filter(|(of, times)| before.0.get(*of) != Some(times)).map(|(of, _)| of).collect();
    assert!(!late.is_empty(), "nothing came late: {:#?}", bus.seen());
    // It has overwritten what was stored, so that the last value has to come again, on whichever way.
    let values = rig.counters.values();
    let is_last = |seen: &Seen, (device, property): &(String, String)| {
        let mut last = values.iter().filter(|(of, name, _)| (of, name) == (device, property));
        last.all(|(.., value)| seen.value(device, property) == Some(value))
    };
    loop {
        let (seen, over_dmi) = (bus.seen(), over_dmi(&rig));
        if late.iter().all(|of| is_last(seen, of) || over_dmi.get(*of) > before.1.get(*of)) {
            break;
        }
        let (on_bus, on_dmi) = (seen.stored(), rig.bed.edge().counts().stored_twins());
        tokio::select! {
            () = bus.until("what came late is put right", |seen| seen.stored() > on_bus) => {}
            () = rig.bed.until("what came late is put right", |edge| edge.counts().stored_twins() > on_dmi) => {}
        }
    }
    rig.stop().await;
}

/// How often each twin has been stored, by device and property.
type Times = BTreeMap<(String, String), u64>;

fn times(seen: &Seen) -> Times {
    seen.twins().map(|(of, twin)| (of.clone(), twin.times)).collect()
}

/// The same of those over DMI.
fn over_dmi(rig: &Rig) -> Times {
    let twins = rig.bed.edge().twins().into_iter();
    twins.map(|(device, property, twin)| ((device.to_string(), property), twin.times_stored())).collect()
}

async fn goes_over_dmi(rig: &Rig) {
    let before = rig.bed.edge().counts().stored_twins();
    rig.bed.until("twins go over DMI", |edge| edge.counts().stored_twins() >= before + PROGRESS).await;
}

async fn goes_over_the_bus(bus: &mut EventBus) {
    let before = bus.seen().stored();
    bus.until("twins go over the bus", |seen| seen.stored() >= before + PROGRESS).await;
}
