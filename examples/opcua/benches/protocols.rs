//! What the driver costs beside the bare async-opcua client: 1,000 nodes of one server, read in rounds as the runtime reads them.
//!
//! Run it with `cargo xtask bench protocols`. It takes about ten seconds. The two take turns, each over a session of its own with asyncua in
//! another process, which is the slowest of the three by far: the CPU per point says more of the driver than the points a second.

#[path = "../../../mapper-framework/benches/common/rounds.rs"]
mod rounds;
#[path = "../tests/opcua/server.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod server;
#[path = "../../../mapper-framework/benches/common/table.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod table;

use std::{env, hint::black_box, sync::Arc};

use anyhow::{Result, ensure};
use mapper_framework::{DataType, Device, Driver, Property, Value, testing::read_many};
use opcua::{Config, OpcUa, Settings, Visitor};
use serde_json::json;
use server::{INDEX, Make, NAMESPACE, Server};
use ua::types::{AttributeId, NodeId, ReadValueId, TimestampsToReturn, Variant};

const POINTS: u16 = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // `cargo test --all-targets` runs it as well, and is not to wait for figures.
    if !env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let Some(server) = Server::start(Make::Asyncua, &[]).await? else { return Ok(()) };
    let client = server.probe().await?;
    client.obey(&format!("many {POINTS}")).await?;
    let nodes: Vec<_> = (0..POINTS).map(node).collect();
    let properties = (0..POINTS).map(property).collect::<Result<Vec<_>>>()?;
    let config: Config = serde_json::from_value(json!({"url": server.url(), "timeout": 10_000}))?;
    let session = OpcUa::new(Settings::default()).connect(&Device::builder("device").build(), config).await;
    let mut session = session.map_err(|error| anyhow::anyhow!("{error}"))?;
    rounds::compare(
        &format!("protocols: {POINTS} nodes over OPC UA, asyncua"),
        POINTS,
        async || round_of_client(&client.session, &nodes).await,
        async || round_of_driver(&mut session, &properties).await,
    )
    .await
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
