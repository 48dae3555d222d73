//! The server, `server.py`, which is pymodbus.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::Context as _;
use integration_tests::{ChildGuard, Tool};
use tokio::process::Command;
use tokio_modbus::{
    Slave,
    client::{Context, Reader, Writer, tcp},
    slave::SlaveContext,
};

/// A running server.
pub(crate) struct Server {
    process: ChildGuard,
    pub(crate) port: u16,
    /// A bare client, to look at what the server holds.
    pub(crate) probe: Context,
    /// How many lines of the output [`news`](Self::news) has returned.
    fetched: usize,
}

impl Server {
    /// Starts it on this port, or on any for 0. `None` when the user wants to do without Python.
    pub(crate) async fn start(port: u16) -> anyhow::Result<Option<Self>> {
        let Tool::At(python) = integration_tests::python() else { return Ok(None) };
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server.py");
        let mut process = ChildGuard::spawn(Command::new(python).arg(program).arg(port.to_string()));
        let line = process.wait_for_line(|line| line.starts_with("listening ")).await;
        let port = line.trim_start_matches("listening ").parse()?;
        let probe = tcp::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let mut server = Self { process, port, probe, fetched: 0 };
        server.news().await?;
        Ok(Some(server))
    }

    /// The holding registers of a unit as they are now.
    pub(crate) async fn holding(&mut self, unit: u8, start: u16, count: u16) -> anyhow::Result<Vec<u16>> {
        self.probe.set_slave(Slave(unit));
        self.probe.read_holding_registers(start, count).await?.context("the registers exist")
    }

    /// Puts values into the holding registers of a unit.
    pub(crate) async fn fill(&mut self, unit: u8, start: u16, words: &[u16]) -> anyhow::Result<()> {
        self.probe.set_slave(Slave(unit));
        self.probe.write_multiple_registers(start, words).await?.context("the registers exist")
    }

    /// What the server has printed since the last call.
    pub(crate) async fn news(&mut self) -> anyhow::Result<Vec<String>> {
        // The server prints before it answers, so with the line for this request all earlier ones are there.
        const LAST: &str = "request 6 2 15 1";
        self.probe.set_slave(Slave(6));
        self.probe.read_discrete_inputs(15, 1).await??;
        self.process.wait_for_line(|line| line == LAST).await;
        let mut news = self.process.lines().split_off(self.fetched);
        let end = news.iter().rposition(|line| line == LAST).context("the line has come")?;
        news.truncate(end + 1);
        self.fetched += news.len();
        news.pop();
        Ok(news)
    }

    /// How many connections the server has taken in all, without the bare client's.
    pub(crate) async fn connections(&mut self) -> anyhow::Result<usize> {
        self.news().await?;
        Ok(self.process.lines().iter().filter(|line| *line == "connected").count() - 1)
    }

    /// Waits for this line, printed already or not.
    pub(crate) async fn says(&mut self, expected: &str) {
        self.process.wait_for_line(|line| line == expected).await;
    }

    /// Kills the server.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Kills the server and starts another one in its place.
    pub(crate) async fn restart(mut self) -> anyhow::Result<Self> {
        self.kill().await;
        let server = Self::start(self.port).await?;
        server.context("Python was there a moment ago")
    }
}
