//! What the driver costs beside the bare client library: 1,000 points, published over and over, by one broker and one publisher.
//!
//! Run it with `cargo xtask bench protocols`. It takes less than a minute.

#[allow(dead_code, reason = "each benchmark uses a part of it")]
#[path = "../../../mapper-framework/benches/common/table.rs"]
mod table;

use std::{
    env, fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use integration_tests::servers::Mosquitto;
use mapper_framework::{DataType, Device, Driver, DriverError, Property, Session};
use mqtt_device::{Config, MqttDevices, Visitor};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, SubscribeFilter};
use serde_json::json;
use table::Table;
use tokio::runtime;

/// The points, each with a topic of its own.
const POINTS: usize = 1000;

/// How often each of them is published in a run.
const ROUNDS: usize = 50;

/// How often both run, in turns. The fastest run of each counts, as it was disturbed least.
const TURNS: usize = 3;

/// The least share of the bare library's points a second.
const GOAL: f64 = 0.8;

/// What receiving all messages took.
#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    /// Of the thread that receives.
    cpu: Duration,
}

type Outcome<T> = Result<T, DriverError>;

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs it as well, and is not to wait for figures.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let Some(broker) = runtime.block_on(Mosquitto::start()) else { return Ok(()) };
    let (mut bare, mut driver) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bare.push(measure(broker.port(), with_library)?);
        driver.push(measure(broker.port(), with_driver)?);
    }
    let (bare, driver) = (fastest(&bare), fastest(&driver));
    let table = Table::new(&format!("protocols: MQTT, {POINTS} points, each published {ROUNDS} times with QoS 1"));
    for (name, cost) in [("rumqttc by itself", bare), ("the driver", driver)] {
        table.tell(&format!("{name}, points/s"), format!("{:.0}", rate(cost)));
        table.tell(&format!("{name}, CPU per point"), format!("{:.2} µs", per_point(cost.cpu)));
    }
    let ratio = rate(driver) / rate(bare);
    table.judge("the driver, of the library's points/s", format!("{:.0} %", ratio * 100.0), "≥ 80 %", ratio >= GOAL);
    Ok(())
}

fn rate(cost: Cost) -> f64 {
    (POINTS * ROUNDS) as f64 / cost.time.as_secs_f64()
}

fn per_point(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / (POINTS * ROUNDS) as f64
}

fn fastest(costs: &[Cost]) -> Cost {
    costs.iter().copied().min_by_key(|cost| cost.time).unwrap_or(Cost { time: Duration::MAX, cpu: Duration::MAX })
}

/// Receives on a thread of its own, so that its CPU time is its alone.
fn measure<F: Future<Output = Outcome<Cost>> + 'static>(port: u16, receive: fn(u16) -> F) -> Outcome<Cost> {
    let thread = thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(receive(port))
    });
    thread.join().unwrap_or_else(|_| Err(DriverError::failed("the thread that receives has panicked")))
}

/// The driver, called as the framework does.
async fn with_driver(port: u16) -> Outcome<Cost> {
    let config: Config = serde_json::from_value(json!({"broker": format!("mqtt://127.0.0.1:{port}")}))?;
    let driver = MqttDevices::default();
    let mut session = driver.connect(&Device::builder("device").build(), config).await?;
    let property = |number: usize| {
        let visitor: Visitor = serde_json::from_value(json!({"topic": topic(number), "pointer": "/value"}))?;
        Ok(Arc::new(Property::builder(&format!("point-{number}"), DataType::Double).visitor(visitor)))
    };
    session.subscribe(&(0..POINTS).map(property).collect::<Outcome<Vec<_>>>()?).await?;
    let (begun, cpu, publisher) = (Instant::now(), cpu()?, publish(port));
    let mut received = 0;
    while received < POINTS * ROUNDS {
        for change in session.changed().await? {
            change.result().map_err(Clone::clone)?;
            received += 1;
        }
    }
    finish(begun, cpu, publisher)
}

/// The library by itself, which looks at no message.
async fn with_library(port: u16) -> Outcome<Cost> {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("bare", "127.0.0.1", port), POINTS);
    for first in (0..POINTS).step_by(100) {
        let filters = (first..first + 100).map(|number| SubscribeFilter::new(topic(number), QoS::AtLeastOnce));
        client.try_subscribe_many(filters)?;
    }
    let mut granted = 0;
    while granted < POINTS {
        if let Event::Incoming(Packet::SubAck(ack)) = events.poll().await? {
            granted += ack.return_codes.len();
        }
    }
    let (begun, cpu, publisher) = (Instant::now(), cpu()?, publish(port));
    let mut received = 0;
    while received < POINTS * ROUNDS {
        received += usize::from(matches!(events.poll().await?, Event::Incoming(Packet::Publish(_))));
    }
    finish(begun, cpu, publisher)
}

fn finish(begun: Instant, cpu_before: Duration, publisher: thread::JoinHandle<Outcome<()>>) -> Outcome<Cost> {
    let cost = Cost { time: begun.elapsed(), cpu: cpu()?.saturating_sub(cpu_before) };
    publisher.join().unwrap_or_else(|_| Err(DriverError::failed("the publisher has panicked")))?;
    Ok(cost)
}

fn topic(number: usize) -> String {
    format!("plant/point/{number}")
}

/// Publishes all messages from a thread of its own.
fn publish(port: u16) -> thread::JoinHandle<Outcome<()>> {
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (client, mut events) = AsyncClient::new(MqttOptions::new("publisher", "127.0.0.1", port), POINTS);
            let publish = async {
                for message in 0..POINTS * ROUNDS {
                    let payload = json!({"value": message as f64 / 8.0, "unit": "kPa"}).to_string();
                    client.publish(topic(message % POINTS), QoS::AtLeastOnce, false, payload).await?;
                }
                Ok::<_, DriverError>(())
            };
            let acknowledge = async {
                let mut acknowledged = 0;
                while acknowledged < POINTS * ROUNDS {
                    acknowledged += usize::from(matches!(events.poll().await?, Event::Incoming(Packet::PubAck(_))));
                }
                Ok::<_, DriverError>(())
            };
            tokio::try_join!(publish, acknowledge).map(drop)
        })
    })
}

/// The CPU time of this thread.
fn cpu() -> Outcome<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanos))
}
