//! What a driver can say: partial rounds, rounds that fail as a whole, subscriptions, the device's time and quality, method calls.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::sleep;

use super::{
    puppet::{Does, Puppet, Strung, Visitor},
    rig::{DEADLINE, Logged, Rig, SECOND, desired, device, enforced, id, property},
};
use crate::{
    Change, Device, DeviceState, Driver, DriverError, OperationError, Property, Reading, Reads, Session, Value,
    driver::erase,
    model::{Method, Quality, Sample},
    twin::Phase,
};

/// The puppet with a `read_many` of its own: it reads the first property, is then asked for `round a`, and reads the others, of which
/// it forgets the last where `forget a` is pulled.
struct Batching(Puppet);

struct Batch(Puppet, Strung);

impl Driver for Batching {
    type Config = <Puppet as Driver>::Config;
    type Session = Batch;

    async fn connect(&self, device: &Device, config: Self::Config) -> Result<Batch, DriverError> {
        Ok(Batch(self.0.clone(), self.0.connect(device, config).await?))
    }
}

impl Session for Batch {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        self.1.read(property).await
    }

    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        for (index, property) in reads.properties().iter().enumerate() {
            if index == 1 {
                self.0.perform("round a".to_owned()).await?;
                if self.0.perform("forget a".to_owned()).await.is_err() {
                    return Ok(());
                }
            }
            reads.set(property, self.read(property).await);
        }
        Ok(())
    }
}

fn batching() -> Rig {
    Rig::with_driver(|puppet| erase(Batching(puppet)))
}

async fn batched() -> Rig {
    let rig = batching();
    rig.upsert_model(super::rig::model()).await.expect("nothing is wrong with the model");
    rig
}

async fn sample(rig: &Rig, name: &str) -> Option<Sample> {
    let samples = rig.snapshot("a").await.samples;
    samples.into_iter().find(|sample| sample.property.name() == name)
}

#[tokio::test(start_paused = true)]
async fn each_property_has_the_whole_deadline_where_they_are_read_one_after_another() {
    let rig = Rig::new().await;
    let names = ["x", "y", "level", "fixed"];
    for name in names {
        rig.puppet.on(&format!("read a/{name}"), Does::Take(4 * SECOND));
    }
    rig.add(device("a", names.map(|name| property(name, 60_000)))).await;
    sleep(20 * SECOND).await;
    assert_eq!(rig.snapshot("a").await.samples.len(), 4);
    assert_eq!((rig.stats().sessions().lost(), rig.stats().sessions().deadlines_missed()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_missed_deadline_or_a_panic_is_published() {
    for does in [Does::Hang, Does::Panic, Does::Disconnect, Does::Fail] {
        for rig in [Rig::new().await, batched().await] {
            rig.puppet.set("a/x", 7);
            rig.puppet.on("read a/y", does);
            rig.add(device("a", [property("x", 3_600_000), property("y", 3_600_000), property("level", 3_600_000)]))
                .await;
            sleep(DEADLINE + SECOND / 2).await;
            assert_eq!(rig.value("a", "x").await, Some(Value::Int(7)), "{does:?}");
            assert_eq!(rig.reported("a", "x").map(|twin| twin.0), Some(Value::Int(7)), "{does:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_of_its_own_has_one_deadline() {
    let rig = batched().await;
    for name in ["x", "y", "level"] {
        rig.puppet.on(&format!("read a/{name}"), Does::Take(4 * SECOND));
    }
    rig.add(device("a", [property("x", 3_600_000), property("y", 3_600_000), property("level", 3_600_000)])).await;
    sleep(DEADLINE + SECOND / 4).await;
    assert_eq!((rig.stats().sessions().deadlines_missed(), rig.stats().sessions().lost()), (1, 1));
    assert!(rig.value("a", "y").await.is_some() && rig.value("a", "level").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_round_that_fails_as_a_whole_is_logged_once_for_the_device() {
    let rig = batched().await;
    let logged = Logged::from(tracing::Level::INFO);
    rig.puppet.on("round a", Does::Fail);
    rig.add(device("a", [property("x", 1000), property("y", 1000), property("level", 1000)])).await;
    sleep(SECOND * 61 / 2).await;
    let lines = |text: &str| logged.lines().iter().filter(|line| line.contains(text)).count();
    assert_eq!((lines("a round of reads fails as a whole"), lines("reads fail ")), (1, 0), "{:?}", logged.lines());
    assert_eq!(rig.stats().reads().rounds_failed(), 1, "it is counted where it is logged");
    assert_eq!(rig.stats().reads().failed(), 2 * rig.puppet.count("round a") as u64, "each is counted each time");
    assert_eq!(rig.puppet.count("connect a"), 1, "one property works");
    assert!(rig.value("a", "x").await.is_some() && rig.value("a", "y").await.is_none());

    rig.puppet.mend("round a");
    sleep(2 * SECOND).await;
    assert_eq!((lines("rounds of reads succeed again"), lines("reads succeed again property")), (1, 0));
    assert!(!logged.lines().iter().any(|line| line.contains("property=")), "{:?}", logged.lines());
    assert!(rig.value("a", "level").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_result_that_the_driver_forgot_is_an_error_that_names_the_property() {
    let rig = batched().await;
    let logged = Logged::warnings();
    rig.puppet.on("forget a", Does::Fail);
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    sleep(5 * SECOND).await;
    let told = logged.lines().into_iter().filter(|line| line.contains(r#"no result for property "y""#)).count();
    assert_eq!(told, 1, "{:?}", logged.lines());
}

#[tokio::test(start_paused = true)]
async fn the_devices_time_and_quality_reach_the_sample() {
    let rig = Rig::new().await;
    let taken = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    rig.puppet.set("a/x", Reading::new(7).at(taken).quality(Quality::Uncertain));
    let before = SystemTime::now();
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 2).await;
    let x = sample(&rig, "x").await.expect("it was read");
    assert_eq!((x.timestamp, x.quality, x.value), (taken, Quality::Uncertain, Value::Int(7)));
    let y = sample(&rig, "y").await.expect("it was read");
    assert!(y.timestamp >= before && y.quality == Quality::Good);
}

#[tokio::test(start_paused = true)]
async fn a_bad_reading_is_published_and_confirms_no_desired_value() {
    let rig = Rig::new().await;
    rig.puppet.on("heed a/level", Does::Refuse);
    rig.puppet.set("a/level", Reading::new(5).quality(Quality::Bad));
    rig.add(device("a", [desired("level", "5")])).await;
    sleep(60 * SECOND).await;
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(5), Some(Phase::Written), String::new())));
    assert_eq!(rig.puppet.count("write a/level"), 1);
    rig.puppet.set("a/level", 5);
    sleep(2 * SECOND).await;
    assert_eq!(rig.reported("a", "level").and_then(|twin| twin.1), Some(Phase::Converged));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_given_its_properties_at_the_beginning_and_at_each_change() {
    let rig = Rig::new().await;
    rig.puppet.subscribe("a/x");
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 1).await;
    let calls =
        |rig: &Rig| rig.puppet.calls().into_iter().filter(|call| call.starts_with("subscribe a:")).collect::<Vec<_>>();
    assert_eq!(rig.puppet.calls()[..3], ["connect a", "subscribe a", "subscribe a: x y"], "before the first read");
    // Unchanged.
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    sleep(SECOND).await;
    assert_eq!(calls(&rig).len(), 1);
    for changed in [vec![property("x", 1000), property("level", 1000)], vec![property("x", 2000)]] {
        let mut with = device("a", [property("x", 1000)]);
        with.properties = changed;
        rig.add(with).await;
        sleep(SECOND).await;
    }
    assert_eq!(calls(&rig), ["subscribe a: x y", "subscribe a: x level", "subscribe a: x"]);
    assert_eq!(rig.puppet.count("connect a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_subscribed_property_is_not_polled_unless_its_manifest_asks_for_it() {
    let rig = Rig::new().await;
    for place in ["a/x", "a/level"] {
        rig.puppet.subscribe(place);
    }
    let mut polled = property("level", 1000);
    polled.visitor = Arc::new([("poll".to_owned(), true.into())].into_iter().collect());
    rig.add(device("a", [property("x", 1000), property("y", 1000), polled])).await;
    rig.puppet.deliver("a", vec![Change::new("x", 7)]);
    rig.puppet.until("read a/y", 10).await;
    assert_eq!(rig.puppet.count("read a/x"), 0);
    assert!(rig.puppet.count("read a/level") >= 9);
    assert_eq!(rig.value("a", "x").await, Some(Value::Int(7)));
    // A write is read back all the same.
    rig.write("a", "x", "8").await.expect("all is well");
    sleep(SECOND).await;
    assert_eq!((rig.puppet.count("read a/x"), rig.value("a", "x").await), (1, Some(Value::Int(8))));
}

#[tokio::test(start_paused = true)]
async fn a_device_whose_only_property_is_pushed_is_sound_while_it_delivers() {
    let rig = Rig::new().await;
    rig.puppet.subscribe("a/x");
    rig.puppet.on("read a/x", Does::Refuse);
    rig.add(device("a", [property("x", 1000)])).await;
    for number in 0..100 {
        rig.puppet.deliver("a", vec![Change::new("x", number)]);
        sleep(SECOND).await;
        assert_eq!(rig.state("a").await, DeviceState::Ok, "after {number} deliveries");
    }
    assert_eq!((rig.puppet.count("connect a"), rig.puppet.count("read a/x")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_subscribed_property_is_read_for_the_sake_of_a_value_that_is_enforced() {
    let rig = Rig::new().await;
    rig.puppet.subscribe("a/level");
    rig.add(device("a", [property("x", 1000), enforced("level", "5")])).await;
    rig.puppet.until("read a/x", 2).await;
    rig.puppet.on("read a/x", Does::Disconnect);
    rig.puppet.until("connect a", 2).await;
    rig.puppet.mend("read a/x");
    rig.puppet.again("read a/x", 2).await;
    assert_eq!(rig.puppet.count("write a/level"), 1);
    assert!(rig.puppet.count("read a/level") >= 2, "once after the write, and once for each session after it");
    assert_eq!(rig.reported("a", "level").and_then(|twin| twin.1), Some(Phase::Converged));
}

#[tokio::test(start_paused = true)]
async fn a_subscribe_that_fails_or_hangs_costs_the_session() {
    for does in [Does::Fail, Does::Refuse, Does::Disconnect, Does::Hang, Does::Panic] {
        let rig = Rig::new().await;
        rig.puppet.subscribe("a/x");
        rig.puppet.on("subscribe a", does);
        rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
        rig.puppet.until("connect a", 2).await;
        assert_eq!(rig.puppet.count("read a/y"), 0, "{does:?}");
        rig.puppet.mend("subscribe a");
        rig.puppet.until("read a/y", 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_may_say_that_one_property_has_failed() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    for place in ["a/x", "a/y"] {
        rig.puppet.subscribe(place);
    }
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    for _ in 0..10 {
        let failed = Change::failed("x", DriverError::failed("BadSensorFailure"));
        rig.puppet.deliver("a", vec![failed, Change::new("y", 9)]);
        sleep(SECOND).await;
    }
    let told = logged.lines().iter().filter(|line| line.contains("BadSensorFailure")).count();
    assert_eq!((told, rig.stats().reads().failed()), (1, 10), "{:?}", logged.lines());
    assert_eq!((rig.value("a", "x").await, rig.value("a", "y").await), (None, Some(Value::Int(9))));
    assert_eq!((rig.state("a").await, rig.puppet.count("connect a")), (DeviceState::Ok, 1));

    rig.puppet.deliver("a", vec![Change::failed("x", DriverError::disconnected("the line is cut"))]);
    rig.puppet.until("connect a", 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_property_that_is_delivered_although_it_was_removed_is_noted_once() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 1).await;
    let logged = Logged::warnings();
    rig.add(device("a", [property("x", 1000)])).await;
    for number in 0..1000 {
        rig.puppet.deliver("a", vec![Change::new("y", number)]);
    }
    sleep(SECOND).await;
    let told = logged.lines().iter().filter(|line| line.contains("does not have")).count();
    assert_eq!((told, rig.stats().reads().failed()), (1, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_method_takes_several_arguments_also_read_only_ones_and_returns_results() {
    let rig = Rig::new().await;
    let mut pump = device("a", [property("y", 3_600_000), property("fixed", 3_600_000)]);
    let property_names = vec!["fixed".to_owned(), "y".to_owned()];
    pump.methods = vec![Method { name: "dose".into(), description: String::new(), property_names }];
    rig.add(pump).await;
    rig.puppet.until("read a/fixed", 1).await;
    let call = |arguments: &'static [(&str, &str)]| {
        let handle = rig.handle.clone();
        async move { handle.call(&id("a"), "dose", arguments).await }
    };
    assert_eq!(call(&[("fixed", "5"), ("y", "6")]).await, Ok(vec![Value::Int(5), Value::Int(6)]));
    let deeds = rig.puppet.deeds().into_iter().filter(|deed| !deed.starts_with("state")).collect::<Vec<_>>();
    assert_eq!(deeds, ["connect a", "call dose of a", "argument fixed=5", "argument y=6"]);
    assert_eq!(rig.puppet.count("read a/fixed"), 2, "it is read back");
    assert_eq!(call(&[]).await, Ok(Vec::new()), "what is missing is for the driver to say");

    let wrong: [(&'static [(&str, &str)], &str); 4] = [
        (&[("fixed", "101")], r#"property "fixed": 101 lies outside 0 to 100"#),
        (&[("y", "1"), ("fixed", "much")], r#"property "fixed": "much" is not a value of type INT"#),
        (&[("y", "1"), ("y", "2")], r#"property "y": is an argument twice"#),
        (&[("x", "1")], r#"cannot be called on property "x""#),
    ];
    for (arguments, expected) in wrong {
        let error = call(arguments).await.expect_err("it is wrong");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(rig.puppet.count("call dose of a"), 2, "what is wrong never reaches the driver");

    rig.puppet.on("call dose of a", Does::Fail);
    let error = call(&[("fixed", "5")]).await.expect_err("the driver fails");
    assert!(matches!(error, OperationError::Failed { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_driver_without_call_writes_what_may_be_written_and_refuses_the_rest() {
    let rig = batched().await;
    let mut pump = device("a", [property("x", 3_600_000), property("fixed", 3_600_000)]);
    pump.methods[0].property_names.push("fixed".into());
    rig.add(pump).await;
    rig.puppet.until("read a/fixed", 1).await;
    for (arguments, expected) in [
        (&[("fixed", "5")][..], r#"cannot call "set" (its argument "fixed" is ReadOnly): implement Session::call"#),
        (&[][..], r#"cannot call "set" (without an argument)"#),
        (&[("x", "5")][..], "cannot write"),
    ] {
        let error = rig.handle.call(&id("a"), "set", arguments).await.expect_err("it cannot");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_behind_a_pointer_is_a_driver() {
    for driver in [|puppet| erase(Arc::new(puppet)), |puppet: Puppet| erase(Box::new(puppet))] {
        let rig = Rig::with_driver(driver);
        rig.upsert_model(super::rig::model()).await.expect("nothing is wrong with the model");
        rig.add(device("a", [property("x", 1000)])).await;
        rig.puppet.until("read a/x", 1).await;
    }
}
