//! An edgecore that restarts, forgets, refuses and repeats.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use mapper_framework::{
    local_edge::{EdgeEvent, LocalEdgeBuilder, RegisteredMapper},
    testing::TestBed,
};
use tokio::{io::AsyncReadExt, net::UnixListener, runtime::Handle};

use crate::{
    meter::{Meter, PROTOCOL, device, gauges, id, model, property},
    patience::{tasks_are_back_to, with_endless_grace, within_deadline},
};

const DEVICES: usize = 20;

fn names() -> impl Iterator<Item = String> {
    (0..DEVICES).map(|n| format!("d{n}"))
}

/// How often each device's count was stored.
fn stored(bed: &TestBed) -> HashMap<String, u64> {
    names()
        .map(|name| (name.clone(), bed.edge().twin(&id(&name), "count").map_or(0, |twin| twin.times_stored())))
        .collect()
}

async fn all_report_again(bed: &TestBed) {
    let before = stored(bed);
    bed.until("every device reports again", |edge| {
        before
            .iter()
            .all(|(name, times)| edge.twin(&id(name), "count").is_some_and(|twin| twin.times_stored() > *times))
    })
    .await;
}

async fn restarts(bed: TestBed, times: usize) {
    bed.edge().apply(&gauges(names(), 20)).await.unwrap();
    all_report_again(&bed).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let mut rounds = Vec::new();
    for _ in 0..times {
        bed.edge().stop().await;
        bed.edge().restart().await.unwrap();
        let began = Instant::now();
        all_report_again(&bed).await;
        rounds.push(began.elapsed());
    }
    rounds.sort_unstable();
    println!("after {times} restarts every device was back within {:?}", rounds.last());
    // It takes less than a second. A pause that grows with each restart would take a minute in the end.
    assert!(rounds[times / 2] < Duration::from_secs(10), "{rounds:?}, {}", bed.handle().stats());
    bed.until("the mapper is called", |edge| edge.mappers().all(RegisteredMapper::is_called)).await;
    bed.edge().set_desired(&id("d7"), "level", "7").await.unwrap();
    bed.until("it is called still", |edge| edge.twin(&id("d7"), "level").is_some_and(|twin| twin.value() == "7")).await;
    tasks_are_back_to(tasks).await;
    let stats = bed.handle().stats();
    assert_eq!((stats.sessions().opened(), stats.sessions().lost()), (DEVICES as u64, 0), "no session was touched");
    assert_eq!(stats.edge().registrations(), times as u64 + 1);
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_devices_are_back_after_each_of_fifty_restarts() {
    // The edge's limit is as tight as on a node: 100 calls at once, and then one per second.
    let bed = TestBed::builder(Meter::new(), PROTOCOL)
        .edge(|edge| edge.limiter(100, 1.0))
        .config(|config| config.report = Default::default());
    restarts(bed.start().await, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edgecore_that_forgets_its_mappers_is_registered_with_anew() {
    let bed = TestBed::builder(Meter::new(), PROTOCOL).edge(|edge| edge.forgets_mappers_on_restart(true));
    restarts(bed.start().await, 10).await;
}

#[tokio::test]
async fn a_mapper_that_is_there_first_waits_for_edgecore() {
    let bed = TestBed::builder(Meter::new(), PROTOCOL).late_edge().start().await;
    bed.edge().apply(&gauges(names(), 20)).await.unwrap();
    assert!(bed.handle().devices().await.is_empty());
    bed.edge().restart().await.unwrap();
    all_report_again(&bed).await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn devices_are_collected_from_while_edgecore_is_away() {
    let meter = Meter::new();
    let bed = TestBed::start(meter.clone(), PROTOCOL).await;
    bed.edge().apply(&gauges(names(), 20)).await.unwrap();
    all_report_again(&bed).await;
    bed.edge().stop().await;
    let before = bed.handle().stats().reads().samples();
    while bed.handle().stats().reads().samples() < before + 1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(meter.uses().connects, DEVICES as u64);
    bed.edge().restart().await.unwrap();
    all_report_again(&bed).await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn an_update_after_every_report_touches_no_session() {
    let meter = Meter::new();
    let bed =
        TestBed::builder(meter.clone(), PROTOCOL).edge(LocalEdgeBuilder::updates_after_every_report).start().await;
    bed.edge().apply(&gauges(["d".to_owned()], 10)).await.unwrap();
    bed.edge().set_desired(&id("d"), "level", "7").await.unwrap();
    let mut events = bed.edge().events();
    for _ in 0..50 {
        let sent = events.wait_for(|event| matches!(event, EdgeEvent::DeviceSent { .. })).await;
        assert!(matches!(sent, Some(EdgeEvent::DeviceSent { result: Ok(()), .. })), "{sent:?}");
    }
    assert_eq!((meter.uses().connects, meter.uses().closes), (1, 0));
    assert_eq!(bed.handle().stats().writes().succeeded(), 1);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn an_edgecore_without_device_states_is_asked_once() {
    let bed = TestBed::builder(Meter::new(), PROTOCOL).edge(LocalEdgeBuilder::without_device_states).start().await;
    bed.edge().apply(&gauges(names(), 10)).await.unwrap();
    for _ in 0..5 {
        all_report_again(&bed).await;
    }
    assert_eq!(bed.edge().counts().failed(), 1);
    let (ended, edge) = bed.stop_mapper().await;
    ended.unwrap();
    assert_eq!(edge.counts().failed(), 1, "and not at the shutdown either");
}

#[tokio::test]
async fn a_limit_that_others_use_up_is_adapted_to_and_the_last_values_are_stored() {
    // The mapper's config has ten times the calls that the edge takes.
    let bed = TestBed::builder(Meter::new(), PROTOCOL)
        .edge(|edge| edge.limiter(30, 60.0))
        .config(|config| (config.report.burst, config.report.calls_per_second) = (300, 600.0))
        .start()
        .await;
    let properties = [property("count", 20, "count"), property("level", 20, "setting")];
    let declared = ["count, type: INT, accessMode: ReadOnly", "level, type: INT, accessMode: ReadWrite"];
    let devices: String = names().map(|name| device(&name, "gauge", &properties)).collect();
    bed.edge().apply(&(model("gauge", &declared) + &devices)).await.unwrap();
    bed.until("calls are refused", |edge| edge.counts().limited() > 5).await;
    for (n, name) in names().enumerate() {
        bed.edge().set_desired(&id(&name), "level", &n.to_string()).await.unwrap();
    }
    bed.until("the last value of every device is stored", |edge| {
        names()
            .enumerate()
            .all(|(n, name)| edge.twin(&id(&name), "level").is_some_and(|twin| twin.value() == n.to_string()))
    })
    .await;
    let limited = bed.edge().counts().limited();
    let accepted = bed.edge().counts().accepted();
    bed.until("many more calls are made", |edge| edge.counts().accepted() > accepted + 60).await;
    let more = bed.edge().counts().limited() - limited;
    assert!(more <= 20, "of the later calls {more} were refused, beside 60 accepted");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn an_edgecore_that_goes_without_an_answer_is_left_for_one_that_answers() {
    let bed = TestBed::builder(Meter::new(), PROTOCOL).late_edge().start().await;
    let frozen = UnixListener::bind(bed.edge().socket()).unwrap();
    let (mut connection, _) = frozen.accept().await.unwrap();
    // The registration has begun when something comes.
    connection.read_u8().await.unwrap();
    drop((connection, frozen));
    std::fs::remove_file(bed.edge().socket()).unwrap();
    bed.edge().apply(&gauges(names(), 20)).await.unwrap();
    bed.edge().restart().await.unwrap();
    let began = Instant::now();
    all_report_again(&bed).await;
    // An answer is waited for that long.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn an_edgecore_that_says_nothing_does_not_hold_up_the_shutdown() {
    let bed = TestBed::builder(Meter::new(), PROTOCOL).config(with_endless_grace).late_edge().start().await;
    let frozen = UnixListener::bind(bed.edge().socket()).unwrap();
    let (mut connection, _) = frozen.accept().await.unwrap();
    connection.read_u8().await.unwrap();
    within_deadline("the end", bed.stop()).await.unwrap();
}

//= KubeEdge v1.23, devicetwin: the list of a registration is complete
#[tokio::test]
async fn a_device_that_is_deleted_while_edgecore_is_away_is_removed_when_it_has_been_missing_twice() {
    let bed = TestBed::start(Meter::new(), PROTOCOL).await;
    bed.edge().apply(&gauges(["kept".to_owned(), "gone".to_owned()], 1000)).await.unwrap();
    bed.edge().stop().await;
    bed.edge().delete_device(&id("gone")).await.unwrap();
    let mut events = bed.edge().events();
    bed.edge().restart().await.unwrap();
    let mut registers = async || {
        let registered = |event: &EdgeEvent| matches!(event, EdgeEvent::MapperRegistered { devices: Some(1), .. });
        events.wait_for(registered).await.expect("the edge runs");
    };
    registers().await;
    assert_eq!(bed.handle().devices().await, [id("gone"), id("kept")]);
    tokio::time::pause();
    registers().await;
    tokio::time::resume();
    while bed.handle().devices().await != [id("kept")] {
        tokio::task::yield_now().await;
    }
    assert_eq!(bed.handle().stats().devices().vanished(), 1);
    bed.stop().await.unwrap();
}
