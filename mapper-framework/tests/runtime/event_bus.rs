//! Reports over the event bus of an edge, and over DMI where it does not answer.

use mapper_framework::{
    config::{ReportStrategy, ReportVia},
    local_edge::LocalEdgeBuilder,
    model::DeviceId,
    testing::TestBed,
};

use crate::meter::{Meter, PROTOCOL, gauges, id};

const DEVICES: usize = 20;

fn names() -> impl Iterator<Item = String> {
    (0..DEVICES).map(|n| format!("d{n}"))
}

/// An edge with the limit of a node, and an event bus.
fn node(edge: LocalEdgeBuilder) -> LocalEdgeBuilder {
    edge.limiter(100, 1.0).event_bus()
}

async fn bed(via: ReportVia, edge: impl FnOnce(LocalEdgeBuilder) -> LocalEdgeBuilder) -> TestBed {
    let bed = TestBed::builder(Meter::new(), PROTOCOL).edge(edge).config(|config| {
        config.report.via = via;
        config.report.strategy = ReportStrategy::Always;
        (config.report.burst, config.report.calls_per_second) = (90, 1.0);
    });
    bed.start().await
}

/// Waits until the count of each device was stored so many times more.
async fn all_are_stored_again(bed: &TestBed, more: u64) {
    let stored = |name: &str| bed.edge().twin(&id(name), "count").map_or(0, |twin| twin.times_stored());
    let before: Vec<_> = names().map(|name| (id(&name), stored(&name) + more)).collect();
    bed.until("every device reports again", |edge| {
        before.iter().all(|(id, times)| edge.twin(id, "count").is_some_and(|twin| twin.times_stored() >= *times))
    })
    .await;
}

/// Waits until the edge has got so many more messages over the bus.
async fn more_over_the_bus(bed: &TestBed, more: u64) {
    let before = bed.edge().counts().bus_messages();
    bed.until("messages come over the bus", |edge| edge.counts().bus_messages() >= before + more).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_call_costs_no_budget() {
    let bed = bed(ReportVia::Eventbus, node).await;
    bed.edge().apply(&gauges(names(), 20)).await.unwrap();
    all_are_stored_again(&bed, 20).await;
    bed.until("all devices are online", |edge| names().all(|name| edge.state(&id(&name)) == Some("online"))).await;
    bed.edge().set_desired(&id("d7"), "level", "7").await.unwrap();
    bed.until("the desired value is echoed", |edge| {
        edge.twin(&id("d7"), "level").is_some_and(|twin| (twin.value(), twin.observed_desired()) == ("7", "7"))
    })
    .await;
    let counts = bed.edge().counts();
    assert_eq!((counts.accepted(), counts.limited()), (1, 0), "the registration is the only call");
    assert!(counts.stored_twins() > 400, "{counts:?}");
    assert_eq!(bed.edge().twin(&id("d7"), "count").unwrap().observed_desired(), "");
    let stats = bed.handle().stats();
    assert!(stats.eventbus().stored() > 400 && stats.reports().accepted() >= stats.eventbus().stored(), "{stats}");
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapper_that_stops_reports_over_the_bus_what_is_left() {
    let bed = bed(ReportVia::Eventbus, node).await;
    bed.edge().apply(&gauges(names(), 20)).await.unwrap();
    all_are_stored_again(&bed, 1).await;
    let (ended, edge) = bed.stop_mapper().await;
    ended.unwrap();
    for name in names() {
        assert_eq!(edge.state(&id(&name)).as_deref(), Some("offline"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_go_over_dmi_for_as_long_as_the_bus_does_not_answer() {
    let bed = bed(ReportVia::Auto, node).await;
    bed.edge().apply(&gauges(names().take(3), 50)).await.unwrap();
    more_over_the_bus(&bed, 20).await;
    for _ in 0..3 {
        bed.edge().stop_broker().await;
        let before = bed.edge().counts().accepted();
        bed.until("reports go over DMI", |edge| edge.counts().accepted() > before + 3).await;
        bed.edge().start_broker().await.unwrap();
        more_over_the_bus(&bed, 20).await;
    }
    let stats = bed.handle().stats();
    assert_eq!(stats.eventbus().connections_lost(), 3, "{stats}");
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_restarts_gets_everything_over_the_bus_again() {
    let bed = bed(ReportVia::Eventbus, node).await;
    bed.edge().apply(&gauges(names(), 50)).await.unwrap();
    all_are_stored_again(&bed, 2).await;
    for _ in 0..3 {
        bed.edge().stop().await;
        bed.edge().restart().await.unwrap();
        all_are_stored_again(&bed, 2).await;
    }
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_without_namespaces_on_its_bus_gets_calls() {
    let bed = bed(ReportVia::Auto, |edge| node(edge).without_namespaces_on_the_event_bus()).await;
    bed.edge().apply(&gauges(names().take(3), 50)).await.unwrap();
    bed.until("reports go over DMI", |edge| edge.counts().stored_twins() > 20).await;
    assert_eq!(bed.handle().stats().eventbus().stored(), 0);
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_whose_namespace_is_lost_holds_up_nobody() {
    let bed = bed(ReportVia::Eventbus, node).await;
    bed.edge().apply(&lost()).await.unwrap();
    bed.edge().apply(&gauges(names(), 50)).await.unwrap();
    all_are_stored_again(&bed, 5).await;
    assert_eq!(bed.edge().twin(&DeviceId::new("dev", "lost"), "count"), None);
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_dmi_a_mapper_hears_on_the_bus_what_is_not_stored() {
    let bed = bed(ReportVia::Dmi, node).await;
    bed.edge().apply(&gauges(names().take(3), 50)).await.unwrap();
    bed.until("reports are stored", |edge| edge.counts().stored_twins() > 20).await;
    let handle = bed.handle();
    let unconfirmed = || handle.stats().eventbus().unconfirmed();
    assert_eq!(unconfirmed(), 0);
    bed.edge().apply(&lost()).await.unwrap();
    bed.until("a report is missed", |_| unconfirmed() > 0).await;
    assert_eq!(bed.edge().counts().bus_messages(), 0, "all of it went over DMI");
    assert_eq!(bed.handle().stats().eventbus().silences(), 0);
    bed.stop().await.unwrap();
}

/// A device of which edgecore stores nothing, whatever way it comes, for the sake of its namespace.
fn lost() -> String {
    gauges(["lost".to_owned()], 50).replace("metadata: {", "metadata: {namespace: dev, ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapper_that_stops_leaves_nothing_on_a_bus_that_does_not_answer() {
    let bed = bed(ReportVia::Auto, |edge| node(edge).without_namespaces_on_the_event_bus()).await;
    bed.edge().apply(&gauges(names().take(3), 50)).await.unwrap();
    bed.until("reports go over DMI", |edge| edge.counts().stored_twins() > 20).await;
    let (ended, edge) = bed.stop_mapper().await;
    ended.unwrap();
    for name in names().take(3) {
        assert_eq!(edge.state(&id(&name)).as_deref(), Some("offline"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapper_that_stops_with_its_broker_signs_off_over_dmi() {
    // With a budget for all of them: what is shown is that they take this way.
    let edge = TestBed::builder(Meter::new(), PROTOCOL).edge(|edge| edge.without_limiter().event_bus());
    let bed = edge.config(|config| config.report.via = ReportVia::Auto).start().await;
    bed.edge().apply(&gauges(names(), 50)).await.unwrap();
    more_over_the_bus(&bed, 100).await;
    bed.edge().stop_broker().await;
    let (ended, edge) = bed.stop_mapper().await;
    ended.unwrap();
    for name in names() {
        assert_eq!(edge.state(&id(&name)).as_deref(), Some("offline"), "{name}");
    }
}
