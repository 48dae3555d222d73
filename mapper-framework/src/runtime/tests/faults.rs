//! Drivers that fail, hang and panic.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    puppet::{Does, Puppet},
    rig::{BACKOFF_MAX, DEADLINE, Logged, Rig, SECOND, desired, device, property},
};
use crate::{DeviceState, Value};

/// A timer's grain.
const GRAIN: Duration = Duration::from_millis(2);

/// The longest time between two reads of a property.
fn longest_gap(puppet: &Puppet, operation: &str) -> Duration {
    let times = puppet.times(operation);
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// A rig with the device `a`, of which every operation is used, and its neighbour `b`.
async fn neighbours() -> Rig {
    let rig = Rig::new().await;
    rig.add(device("b", [property("x", 1000)])).await;
    rig.puppet.until("read b/x", 2).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_the_session_it_happened_in_and_nothing_else() {
    for operation in ["connect a", "read a/x", "write a/level", "state a", "changed a"] {
        let rig = neighbours().await;
        rig.puppet.on(operation, Does::Panic);
        rig.add(device("a", [property("x", 1000), desired("level", "5")])).await;
        sleep(10 * SECOND + SECOND / 2).await;
        assert!(rig.stats().sessions().driver_panics() > 0, "{operation}");
        if !operation.starts_with("write") {
            // Between two attempts to write, the device is served.
            let reason = rig.snapshot("a").await.reason.expect("there is something to say");
            assert!(reason.contains("panics"), "{operation}: {reason}");
        }

        rig.puppet.mend(operation);
        rig.puppet.again(if operation.starts_with("write") { operation } else { "connect a" }, 1).await;
        rig.puppet.again("read a/x", 2).await;
        assert_eq!(rig.state("a").await, DeviceState::Ok, "{operation}");
        let gap = longest_gap(&rig.puppet, "read b/x");
        assert!(gap < SECOND + GRAIN, "{operation}: the neighbour waited {gap:?}");
        assert_eq!(rig.stats().framework().task_deaths(), 0, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_closing_does_not_keep_the_device_from_coming_back() {
    let rig = neighbours().await;
    rig.puppet.on("close a", Does::Panic);
    for round in 1..=3 {
        rig.add(device("a", [property("x", 1000)])).await;
        rig.puppet.until("connect a", round).await;
        rig.remove("a").await.expect("it is there");
        rig.puppet.until("close a", round).await;
    }
    assert_eq!((rig.stats().sessions().driver_panics(), rig.stats().framework().task_deaths()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_panics_while_it_is_dropped_is_connected_to_with_backoff() {
    let rig = neighbours().await;
    rig.puppet.on("read a/x", Does::Disconnect);
    rig.puppet.on("drop a", Does::Panic);
    rig.add(device("a", [property("x", 1000)])).await;
    sleep(60 * SECOND).await;
    assert_eq!(rig.stats().framework().task_deaths(), 0);
    let attempts = rig.puppet.count("connect a");
    assert!((4..20).contains(&attempts), "{attempts} attempts in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_ends_at_its_deadline_and_no_other_device_notices() {
    for operation in ["connect a", "read a/x", "write a/level", "state a"] {
        let rig = neighbours().await;
        rig.puppet.on(operation, Does::Hang);
        let began = Instant::now();
        rig.add(device("a", [property("x", 1000), desired("level", "5")])).await;
        rig.puppet.until(operation, 2).await;
        let retried = rig.puppet.times(operation)[1] - began;
        assert!(retried >= DEADLINE && retried < DEADLINE + 2 * SECOND, "{operation}: {retried:?}");
        assert_eq!(rig.stats().sessions().deadlines_missed(), 1, "{operation}");

        rig.puppet.mend(operation);
        rig.puppet.again("read a/x", 2).await;
        let gap = longest_gap(&rig.puppet, "read b/x");
        assert!(gap < SECOND + GRAIN, "{operation}: the neighbour waited {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_away_for_an_hour_is_asked_for_rarely_and_comes_back() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    rig.puppet.on("connect a", Does::Fail);
    rig.add(device("a", [property("x", 1000)])).await;
    sleep(3600 * SECOND).await;
    let attempts = rig.puppet.count("connect a");
    assert!((360..720).contains(&attempts), "{attempts} attempts in an hour");
    assert_eq!(logged.count("device=default/a"), 1, "{:?}", logged.lines());

    rig.puppet.mend("connect a");
    let began = Instant::now();
    rig.puppet.until("read a/x", 1).await;
    assert!(began.elapsed() <= BACKOFF_MAX, "{:?}", began.elapsed());
    assert_eq!(rig.state("a").await, DeviceState::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_connects_and_never_answers_floods_neither_itself_nor_the_log() {
    for does in [Does::Fail, Does::Disconnect, Does::Panic, Does::Hang] {
        let rig = Rig::new().await;
        let logged = Logged::warnings();
        rig.puppet.on("read a/x", does);
        rig.add(device("a", [property("x", 1000)])).await;
        sleep(3600 * SECOND).await;
        let (sessions, warnings) = (rig.puppet.count("connect a"), logged.lines().len());
        assert!((180..720).contains(&sessions), "{does:?}: {sessions} sessions in an hour");
        assert!(warnings <= 20, "{does:?}: {warnings} warnings of {sessions} sessions");
        rig.puppet.mend("read a/x");
        rig.puppet.again("read a/x", 3).await;
        assert_eq!(rig.value("a", "x").await, Some(Value::Int(0)), "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_desired_value_that_breaks_the_session_is_written_with_backoff() {
    for does in [Does::Disconnect, Does::Panic, Does::Hang] {
        let rig = Rig::new().await;
        let logged = Logged::warnings();
        rig.puppet.on("write a/level", does);
        rig.add(device("a", [property("x", 1000), desired("level", "5")])).await;
        sleep(3600 * SECOND).await;
        let (writes, warnings) = (rig.puppet.count("write a/level"), logged.lines().len());
        assert_eq!(writes, 10, "{does:?}: as often as a wish is attempted");
        assert!(warnings < 200, "{does:?}: {warnings} warnings in an hour");
        let reads = rig.puppet.count("read a/x");
        assert!(reads > 2500, "{does:?}: {reads} reads in an hour");
        rig.puppet.mend("write a/level");
        rig.add(device("a", [property("x", 1000), desired("level", "6")])).await;
        rig.puppet.until("write a/level", 11).await;
        rig.puppet.again("read a/level", 2).await;
        assert_eq!(rig.value("a", "level").await, Some(Value::Int(6)), "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_property_that_fails_costs_itself_only() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    // The one that fails is asked for far more often than the one that works.
    rig.puppet.on("read a/x", Does::Fail);
    rig.add(device("a", [property("x", 100), property("y", 10_000)])).await;
    sleep(600 * SECOND).await;
    assert_eq!((rig.puppet.count("connect a"), rig.stats().sessions().lost()), (1, 0));
    assert!(rig.puppet.count("read a/y") >= 60);
    let told = logged.lines().iter().filter(|line| line.contains("reads fail")).count();
    assert_eq!(told, 1, "{:?}", logged.lines());
    assert!(rig.stats().reads().failed() > 5000, "each failure is counted");
}

#[tokio::test(start_paused = true)]
async fn a_property_that_cannot_be_read_for_good_does_not_cost_the_session() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/x", Does::Refuse);
    rig.add(device("a", [property("x", 1000)])).await;
    sleep(60 * SECOND).await;
    assert_eq!(rig.puppet.count("connect a"), 1);
}

#[tokio::test(start_paused = true)]
async fn three_rounds_that_fail_altogether_close_the_session_and_connect_anew() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/x", Does::Fail);
    rig.puppet.on("read a/y", Does::Fail);
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    rig.puppet.until("close a", 1).await;
    assert_eq!(rig.puppet.count("read a/x"), 3);
    rig.puppet.until("connect a", 2).await;
    let deeds: Vec<_> = rig.puppet.deeds().into_iter().filter(|deed| !deed.starts_with("state")).collect();
    assert_eq!(deeds, ["connect a", "close a", "connect a"]);
}

#[tokio::test(start_paused = true)]
async fn ticks_that_a_slow_read_runs_over_are_skipped_and_counted() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/x", Does::Take(Duration::from_millis(2500)));
    rig.add(device("a", [property("x", 1000)])).await;
    sleep(60 * SECOND).await;
    let (reads, skipped) = (rig.puppet.count("read a/x") as u64, rig.stats().reads().ticks_skipped());
    assert!((19..=21).contains(&reads), "one read every three seconds, and none queued: {reads}");
    assert!((58..=61).contains(&(reads + skipped)), "{reads} reads and {skipped} skipped ticks");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_delivers_nothing_over_and_over_starves_neither_the_clock_nor_an_operation() {
    let rig = Rig::new().await;
    rig.puppet.on("changed a", Does::Take(Duration::ZERO));
    rig.add(device("a", [property("x", 1)])).await;
    // Time does not advance by itself while a task has something to do.
    while rig.puppet.count("read a/x") < 5 {
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    rig.write("a", "x", "7").await.expect("there is time for it");
    rig.remove("a").await.expect("it is there");
    rig.puppet.until("close a", 1).await;
}

#[tokio::test(start_paused = true)]
async fn cycles_beyond_all_measure_are_served() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", u64::MAX), property("y", i64::MAX as u64), property("level", 1000)])).await;
    sleep(3600 * SECOND).await;
    assert_eq!((rig.puppet.count("read a/x"), rig.puppet.count("read a/y")), (1, 1));
    assert!(rig.puppet.count("read a/level") >= 3600);
    assert_eq!(rig.stats().framework().task_deaths(), 0);
}

/// In real time, for it is a thread that is blocked.
#[tokio::test]
async fn a_driver_that_blocks_its_thread_is_named_with_its_operation() {
    for operation in ["connect a", "read a/x"] {
        let logged = Logged::from(tracing::Level::INFO);
        let rig = Rig::new().await;
        rig.puppet.on(operation, Does::Block(Duration::from_millis(1800)));
        rig.add(device("a", [property("x", 3_600_000)])).await;
        rig.puppet.until("read a/x", 1).await;
        while logged.count("given back") == 0 {
            tokio::task::yield_now().await;
        }
        let called = operation.split(' ').next().expect("a word");
        let line = |text: &str| logged.lines().into_iter().find(|line| line.contains(text)).unwrap_or_default();
        for text in ["the driver blocks a worker thread", "given back"] {
            let line = line(text);
            assert!(line.contains(&format!("device=default/a operation=\"{called}\"")), "{line}");
        }
        assert_eq!(
            (logged.count("the driver blocks"), rig.stats().sessions().driver_blocks()),
            (1, 1),
            "{:?}",
            logged.lines()
        );
    }
}
