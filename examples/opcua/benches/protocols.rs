//! What the driver costs beside the bare async-opcua client: 1,000 nodes of one server, read in rounds as the runtime reads them.
//!
//! Run it with `cargo xtask bench protocols`. It takes about ten seconds. The two take turns, each over a session of its own with asyncua in
//! another process, which is the slowest of the three by far: the CPU per point says more of the driver than the points a second.

#[path = "../tests/opcua/server.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod server;
#[path = "../../../mapper-framework/benches/common/table.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod table;

use std::{
    env, fs,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mapper_framework::{DataType, Device, Driver, Property, Value, testing::read_many};
use opcua::{Config, OpcUa, Settings, Visitor};
use serde_json::json;
use server::{INDEX, NAMESPACE, Server};
use table::Table;
use ua::types::{AttributeId, NodeId, ReadValueId, TimestampsToReturn, Variant};

const POINTS: u16 = 1000;
const TURNS: u32 = 5;
const TURN: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // `cargo test --all-targets` runs it as well, and is not to wait for figures.
    if !env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let Some(server) = Server::start(&[]).await? else { return Ok(()) };
    let client = server.probe().await?;
    client.obey(&format!("many {POINTS}")).await?;
    let nodes: Vec<_> = (0..POINTS).map(node).collect();
    let properties = (0..POINTS).map(property).collect::<Result<Vec<_>>>()?;
    let config: Config = serde_json::from_value(json!({"url": server.url(), "timeout": 10_000}))?;
    let session = OpcUa::new(Settings::default()).connect(&Device::builder("device").build(), config).await;
    let mut session = session.map_err(|error| anyhow::anyhow!("{error}"))?;
    let (mut bare, mut driver) = (Cost::default(), Cost::default());
    for _ in 0..TURNS {
        bare.add(async || round_of_client(&client.session, &nodes).await).await?;
        driver.add(async || round_of_driver(&mut session, &properties).await).await?;
    }
    let table = Table::new(&format!("protocols: {POINTS} nodes over OPC UA, asyncua"));
    table.tell("points a second, bare client", format!("{:.0}", bare.points_a_second()));
    table.tell("points a second, driver", format!("{:.0}", driver.points_a_second()));
    let ratio = driver.points_a_second() / bare.points_a_second();
    table.judge("driver, of the bare client", format!("{:.0} %", ratio * 100.0), "≥ 80 %", ratio >= 0.8);
    table.tell("CPU per point, bare client", format!("{:.0} ns", bare.cpu_per_point()));
    table.tell("CPU per point, driver", format!("{:.0} ns", driver.cpu_per_point()));
    Ok(())
}

/// What rounds have cost.
#[derive(Default)]
struct Cost {
    points: f64,
    took: Duration,
    cpu: Duration,
}

impl Cost {
    /// Makes rounds for a while.
    async fn add(&mut self, mut round: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        let (begun, used) = (Instant::now(), cpu_time()?);
        while begun.elapsed() < TURN {
            round().await?;
            self.points += f64::from(POINTS);
        }
        self.took += begun.elapsed();
        self.cpu += cpu_time()? - used;
        Ok(())
    }

    fn points_a_second(&self) -> f64 {
        self.points / self.took.as_secs_f64()
    }

    /// In nanoseconds.
    fn cpu_per_point(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / self.points
    }
}

/// What this thread has taken, which is the only one that works.
fn cpu_time() -> Result<Duration> {
    let figures = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = figures.split(' ').next().context("schedstat begins with the time on a CPU")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

async fn round_of_client(session: &ua::client::Session, nodes: &[ReadValueId]) -> Result<()> {
    let values = session.read(nodes, TimestampsToReturn::Both, 0.0).await?;
    ensure!(values[7].value == Some(Variant::Int32(7)), "another node answers");
    black_box(values);
    Ok(())
}

async fn round_of_driver(session: &mut opcua::Server, properties: &[Arc<Property<Visitor>>]) -> Result<()> {
    let values = read_many(session, properties).await;
    for (number, value) in (0..).zip(values) {
        let value = value.map_err(|error| anyhow::anyhow!("{error}"))?;
        ensure!(*value.get_value() == Value::Int(number), "another node answers");
    }
    Ok(())
}

fn node(number: u16) -> ReadValueId {
    ReadValueId::new(NodeId::new(INDEX, format!("Many.{number}")), AttributeId::Value)
}

fn property(number: u16) -> Result<Arc<Property<Visitor>>> {
    let visitor = json!({"nodeID": format!("nsu={NAMESPACE};s=Many.{number}")});
    let visitor: Visitor = serde_json::from_value(visitor)?;
    Ok(Arc::new(Property::builder(&format!("p{number}"), DataType::Int).visitor(visitor)))
}
