//! Brokers and responders that are killed: nothing but superseded values is lost.

use integration_tests::servers::{EventBusOptions, MosquittoOptions};
use mapper_framework::config::ReportVia;

use crate::rig::{self, Rig};

const DEVICES: usize = 20;

const KILLS: u64 = 5;

/// So many twins more show that reports arrive again.
const PROGRESS: u64 = 50;

#[tokio::test]
async fn the_last_value_of_every_twin_survives_a_broker_that_is_killed_five_times() {
    let Some((mut broker, mut bus)) = rig::node().await else { return };
    let rig = Rig::start(&broker, ReportVia::Eventbus, DEVICES).await;
    for kill in 1..=KILLS {
        let stored = bus.seen().stored();
        bus.until("reports arrive", |seen| seen.stored() >= stored + PROGRESS).await;
        broker.kill().await;
        let away = bus.seen().away();
        bus.until("the responder has lost the broker", |seen| seen.away() > away).await;
        if kill == KILLS {
            rig.counters.stop();
        }
        broker.restart().await;
        bus.until_ready().await;
    }
    bus.until("all last values are stored", |seen| rig.missing(seen) == 0).await;
    rig.stop().await;
}

#[tokio::test]
async fn the_last_value_of_every_twin_survives_a_responder_that_is_killed_five_times() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let rig = Rig::start(&broker, ReportVia::Eventbus, DEVICES).await;
    for kill in 1..=KILLS {
        let stored = bus.seen().stored();
        bus.until("reports arrive", |seen| seen.stored() >= stored + PROGRESS).await;
        bus.kill().await;
        if kill == KILLS {
            rig.counters.stop();
        }
        bus.restart().await;
    }
    bus.until("all last values are stored", |seen| rig.missing(seen) == 0).await;
    rig.stop().await;
}

/// It stores 50 twins a second, of the 400 that change. What it has not answered must not pile up before it.
#[tokio::test]
async fn a_slow_edgecore_is_not_flooded() {
    let slow = EventBusOptions { delay_ms: 100, ..EventBusOptions::default() };
    let Some((broker, mut bus)) = rig::node_with(MosquittoOptions::default(), slow).await else { return };
    let rig = Rig::start(&broker, ReportVia::Eventbus, DEVICES).await;
    bus.until("it has worked for ten seconds", |seen| seen.stored() >= 500).await;
    rig.counters.stop();
    let stored = bus.seen().stored();
    bus.until("all last values are stored", |seen| rig.missing(seen) == 0).await;
    let more = bus.seen().stored() - stored;
    assert!(more <= 500, "{more} twins were stored after the last values had been read");
    rig.stop().await;
}
