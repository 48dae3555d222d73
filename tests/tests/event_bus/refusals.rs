//! What edgecore refuses, and never answers.

use std::time::Duration;

use integration_tests::servers::{EventBusOptions, MosquittoOptions};
use mapper_framework::config::ReportVia;

use crate::{
    counters,
    rig::{self, Rig},
};

/// How long the tries of a refused property are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// The most tries in that time: the pauses double from a second on, and a first refused message may have held other properties.
const TRIES: usize = 8;

fn options(change: impl FnOnce(&mut EventBusOptions)) -> (MosquittoOptions, EventBusOptions) {
    let mut bus = EventBusOptions::default();
    change(&mut bus);
    (MosquittoOptions::default(), bus)
}

#[tokio::test]
async fn a_refused_property_costs_only_itself_and_is_tried_with_pauses() {
    let (broker, bus) = options(|bus| bus.refused = vec!["default/d0/c".to_owned()]);
    let Some((broker, mut bus)) = rig::node_with(broker, bus).await else { return };
    let rig = Rig::start(&broker, ReportVia::Eventbus, 3).await;
    bus.until("the property is refused", |seen| !seen.refusals().is_empty()).await;
    rig.log.wait_for(&["ERROR", "device=default/d0", "property=\"c\""]).await;

    // The others of its device go on meanwhile, with new values.
    let began = bus.seen().refusals()[0].at;
    bus.until("the time is over", |_| began.elapsed() > WINDOW).await;
    let tries = bus.seen().refusals().len();
    assert!(tries <= TRIES, "{tries} tries in {WINDOW:?}: {:#?}", bus.seen().refusals());
    for property in ["a", "b", "d"] {
        let times = bus.seen().twin("default/d0", property).map_or(0, |twin| twin.times);
        assert!(times > 10, "{property} was stored {times} times in {WINDOW:?}");
    }

    rig.counters.stop();
    bus.until("all others are stored", |seen| rig.missing(seen) == 1).await;
    assert_eq!(bus.seen().twin("default/d0", "c"), None);
    rig.stop().await;
}

#[tokio::test]
async fn an_unknown_device_is_reported_and_harms_nobody() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let rig = Rig::start(&broker, ReportVia::Eventbus, 3).await;
    rig.bed.edge().apply(&counters::manifests("plant", &["lost".to_owned()], 0)).await.unwrap();
    bus.until("the device is not found", |seen| {
        seen.refusals().iter().any(|refusal| (&*refusal.device, refusal.code) == ("plant/lost", 404))
    })
    .await;
    rig.log.wait_for(&["WARN", "device=plant/lost"]).await;
    rig.counters.stop();
    let properties = counters::COUNTERS.len() + 1;
    bus.until("all others are stored", |seen| rig.missing(seen) == properties).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_device_that_is_never_answered_harms_nobody() {
    let (broker, bus) = options(|bus| bus.mute = vec!["default/d1".to_owned()]);
    let Some((broker, mut bus)) = rig::node_with(broker, bus).await else { return };
    let rig = Rig::start(&broker, ReportVia::Eventbus, 3).await;
    bus.until("the others are stored", |seen| seen.stored() >= 100).await;
    rig.counters.stop();
    let properties = counters::COUNTERS.len() + 1;
    bus.until("all others are stored", |seen| rig.missing(seen) == properties).await;
    rig.stop().await;
}
