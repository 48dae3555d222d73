//! What the driver costs beside the bare tokio-modbus client: 1,000 registers of one device, read in rounds as the runtime reads them.
//!
//! Run it with `cargo xtask bench protocols`. It takes about twenty seconds. The two take turns, each over a connection of its own to a
//! server in another process. pymodbus is the slowest of the three by far, so that it hides what the driver costs; beside it the same is
//! measured with tokio-modbus' own server.

#[path = "../../../mapper-framework/benches/common/rounds.rs"]
mod rounds;
#[path = "../../../mapper-framework/benches/common/table.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod table;

use std::{
    env,
    hint::black_box,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Result, ensure};
use integration_tests::{ChildGuard, Tool};
use mapper_framework::{DataType, Device, Driver, Property, Value, testing::read_many};
use modbus::{Config, Modbus, Unit, Visitor};
use serde_json::json;
use tokio::{net::TcpListener, process::Command};
use tokio_modbus::{
    ExceptionCode, Request, Response, Slave,
    client::{Context, Reader, tcp},
    server::tcp::{Server, accept_tcp_connection},
};

const POINTS: u16 = 1000;

/// As many registers as a request may ask for.
const BLOCK: u16 = 125;

/// The unit of `tests/server.py` that has so many registers. Each holds its address.
const UNIT: u8 = 14;

/// Set in the process that is tokio-modbus' server.
const IS_SERVER: &str = "MODBUS_BENCH_SERVER";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    if env::var_os(IS_SERVER).is_some() {
        return serve().await;
    }
    // `cargo test --all-targets` runs it as well, and is not to wait for figures.
    if !env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let mut own = Command::new(env::current_exe()?);
    compare("tokio-modbus' server", own.env(IS_SERVER, "1")).await?;
    if let Tool::At(python) = integration_tests::python() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server.py");
        compare("pymodbus", Command::new(python).arg(script)).await?;
    }
    Ok(())
}

async fn compare(name: &str, server: &mut Command) -> Result<()> {
    let mut server = ChildGuard::spawn(server);
    let line = server.wait_for_line(|line| line.starts_with("listening ")).await;
    let port: u16 = line.trim_start_matches("listening ").parse()?;
    let mut client = tcp::connect_slave(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Slave(UNIT)).await?;
    let config = json!({"host": "127.0.0.1", "port": port, "unitId": UNIT, "timeout": 10_000});
    let config: Config = serde_json::from_value(config)?;
    let session = Modbus::default().connect(&Device::builder("device").build(), config).await;
    let mut session = session.map_err(|error| anyhow::anyhow!("{error}"))?;
    let properties = (0..POINTS).map(property).collect::<Result<Vec<_>>>()?;
    rounds::compare(
        &format!("protocols: {POINTS} registers over Modbus TCP, {name}"),
        POINTS,
        async || round_of_client(&mut client).await,
        async || round_of_driver(&mut session, &properties).await,
    )
    .await
}

async fn round_of_client(client: &mut Context) -> Result<()> {
    for start in (0..POINTS).step_by(BLOCK.into()) {
        let words = client.read_holding_registers(start, BLOCK).await??;
        ensure!(words.first() == Some(&start), "another register answers");
        black_box(words);
    }
    Ok(())
}

async fn round_of_driver(session: &mut Unit, properties: &[Arc<Property<Visitor>>]) -> Result<()> {
    let values = read_many(session, properties).await;
    for (address, value) in (0..).zip(&values) {
        let value = value.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        ensure!(*value.get_value() == Value::Int(address), "another register answers");
    }
    Ok(())
}

fn property(address: u16) -> Result<Arc<Property<Visitor>>> {
    let visitor = json!({"register": "HoldingRegister", "address": address, "type": "uint16"});
    let visitor: Visitor = serde_json::from_value(visitor)?;
    Ok(Arc::new(Property::builder(&format!("p{address}"), DataType::Int).visitor(visitor)))
}

/// tokio-modbus' server, with registers that hold their addresses.
async fn serve() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening {}", listener.local_addr()?.port());
    let server = Server::new(listener);
    let connected = |stream, peer| async move { accept_tcp_connection(stream, peer, |_| Ok(Some(Registers))) };
    server.serve(&connected, |error| eprintln!("{error}")).await?;
    Ok(())
}

struct Registers;

impl tokio_modbus::server::Service for Registers {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = std::future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        std::future::ready(match request {
            Request::ReadHoldingRegisters(start, count) => {
                Ok(Response::ReadHoldingRegisters((start..start + count).collect()))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}
