//! Writes and method calls through a handle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    puppet::Does,
    rig::{DEADLINE, Rig, SECOND, device, id, property},
};
use crate::{OperationError, Value};

async fn running() -> Rig {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000), property("fixed", 3_600_000)])).await;
    rig.puppet.until("read a/x", 1).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn a_write_shows_at_once() {
    let rig = running().await;
    rig.write("a", "x", "7").await.expect("all is well");
    sleep(Duration::from_millis(5)).await;
    assert_eq!(rig.value("a", "x").await, Some(Value::Int(7)));
    assert_eq!(rig.reported("a", "x").map(|twin| twin.0), Some(Value::Int(7)));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_wrongly_never_reaches_the_driver() {
    let rig = running().await;
    let texts = [
        ("b", "x", "1", "there is no device default/b"),
        ("a", "z", "1", r#"device default/a has no property "z""#),
        ("a", "x", "warm", r#"device default/a, property "x": "warm" is not a value of type INT"#),
        ("a", "x", "101", r#"property "x": 101 lies outside 0 to 100"#),
        ("a", "fixed", "1", r#"property "fixed": the property is ReadOnly in its device model"#),
    ];
    for (device, property, text, expected) in texts {
        let error = rig.write(device, property, text).await.expect_err("it is wrong");
        assert!(error.contains(expected), "{error}");
    }
    for (method, property, expected) in
        [("get", "x", r#"has no method "get""#), ("set", "fixed", r#"cannot be called on property "fixed""#)]
    {
        let error = rig.handle.call(&id("a"), method, &[(property, "1")]).await.expect_err("it is wrong");
        assert!(matches!(error, OperationError::NotFound(_)) && !error.is_retryable(), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(!rig.puppet.deeds().iter().any(|deed| deed.starts_with("write") || deed.starts_with("call")));
}

#[tokio::test(start_paused = true)]
async fn a_method_is_called_on_its_property() {
    let rig = running().await;
    rig.handle.call(&id("a"), "set", &[("x", "7")]).await.expect("all is well");
    assert_eq!((rig.puppet.count("call set of a"), rig.puppet.value("a/x")), (1, Some(Value::Int(7))));
}

#[tokio::test(start_paused = true)]
async fn the_drivers_error_is_handed_on_and_costs_what_it_says() {
    let rig = running().await;
    for (does, connects) in [(Does::Fail, 1), (Does::Refuse, 1), (Does::Disconnect, 3)] {
        rig.puppet.on("write a/x", does);
        let error = rig.handle.write(&id("a"), "x", "7").await.expect_err("the driver fails");
        let refused = matches!(error, OperationError::Refused { .. });
        assert!(refused || matches!(error, OperationError::Failed { .. }), "{does:?}: {error}");
        assert_eq!((refused, error.is_retryable()), (does == Does::Refuse, does != Does::Refuse), "{does:?}: {error}");
        sleep(5 * SECOND).await;
        assert_eq!(rig.puppet.count("connect a"), connects, "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_away_refuses_at_once_and_says_why() {
    let rig = Rig::new().await;
    rig.puppet.on("connect a", Does::Disconnect);
    rig.add(device("a", [property("x", 1000)])).await;
    sleep(SECOND).await;
    let began = Instant::now();
    let error = rig.write("a", "x", "1").await.expect_err("it is away");
    assert_eq!(
        (error.as_str(), began.elapsed()),
        ("device default/a is not available now: the line is cut", Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn a_device_that_hangs_does_not_collect_operations() {
    let rig = running().await;
    rig.puppet.on("write a/x", Does::Hang);
    let handle = &rig.handle;
    let (a, began) = (id("a"), Instant::now());
    let writes = (0..50).map(|_| handle.write(&a, "x", "1"));
    let answers = futures_util::future::join_all(writes).await;
    assert!(answers.iter().all(Result::is_err));
    let busy = answers.iter().flatten_err().filter(|error| error.contains("too much to do")).count();
    assert!(busy >= 40, "{busy}");
    assert!(began.elapsed() < 2 * DEADLINE, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn operations_that_wait_for_a_device_that_is_removed_are_told_so() {
    let rig = running().await;
    rig.puppet.on("write a/x", Does::Hang);
    let a = id("a");
    let writes = futures_util::future::join_all((0..4).map(|_| rig.handle.write(&a, "x", "1")));
    let (answers, ()) = tokio::join!(writes, async {
        rig.puppet.until("write a/x", 1).await;
        rig.remove("a").await.expect("it is there");
    });
    for answer in answers {
        let error = answer.expect_err("the device is gone");
        assert!(matches!(error, OperationError::Unavailable { .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_operations_does_not_starve_the_clock() {
    let rig = Rig::new().await;
    rig.puppet.on("write a/x", Does::Take(Duration::from_millis(10)));
    rig.add(device("a", [property("x", 3_600_000), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 1).await;
    let over = Arc::new(AtomicBool::new(false));
    for _ in 0..8 {
        let (handle, over) = (rig.handle.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            while !over.load(Relaxed) {
                // One that is refused for being too many is not the point here.
                drop(handle.write(&id("a"), "x", "1").await);
            }
        });
    }
    sleep(10 * SECOND).await;
    over.store(true, Relaxed);
    let (reads, writes) = (rig.puppet.count("read a/y"), rig.puppet.count("write a/x"));
    assert!(reads >= 10, "{reads} reads in ten seconds, beside {writes} writes");
    assert!(writes > 500, "{writes} writes");
}

#[tokio::test(start_paused = true)]
async fn reads_that_are_always_due_do_not_starve_an_operation() {
    let rig = Rig::new().await;
    for place in ["read a/x", "read a/y", "read a/level"] {
        rig.puppet.on(place, Does::Take(Duration::from_millis(150)));
    }
    // Whenever the one read ends, the other is due.
    rig.add(device("a", [property("x", 100), property("y", 101), property("level", 103)])).await;
    sleep(5 * SECOND).await;
    let began = Instant::now();
    rig.write("a", "x", "7").await.expect("there is time for it");
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

/// The texts of the errors.
trait FlattenErr<'a> {
    fn flatten_err(self) -> impl Iterator<Item = String> + 'a;
}

impl<'a, I: Iterator<Item = &'a Result<(), OperationError>> + 'a> FlattenErr<'a> for I {
    fn flatten_err(self) -> impl Iterator<Item = String> + 'a {
        self.filter_map(|answer| answer.as_ref().err().map(ToString::to_string))
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_finds_an_idle_connection_closed_is_done_on_the_next_one_and_a_call_is_not_repeated() {
    let rig = running().await;
    rig.puppet.on("idle a", Does::Disconnect);
    for value in 1..=5 {
        sleep(SECOND).await;
        rig.write("a", "x", &value.to_string()).await.expect("the device takes it on a connection that is open");
        assert_eq!(rig.puppet.value("a/x"), Some(Value::Int(value)));
    }
    assert_eq!((rig.puppet.count("write a/x"), rig.stats().sessions().lost()), (5, 0));
    sleep(SECOND).await;
    let error = rig.handle.call(&id("a"), "set", &[("x", "7")]).await.expect_err("it may have been done");
    assert!(error.is_retryable(), "{error}");
    assert_eq!(rig.puppet.count("call set of a"), 1);

    // By then the session is open again.
    sleep(15 * SECOND).await;
    rig.puppet.on("connect a", Does::Disconnect);
    let error = rig.write("a", "x", "7").await.expect_err("the device has gone");
    assert!(error.contains("is not available now: the line is cut"), "{error}");
}
