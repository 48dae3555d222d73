//! The server, `server.py`, which is pymodbus.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use integration_tests::{ChildGuard, Tool};
use tokio::process::Command;
use tokio_modbus::{
    Slave,
    client::{Context, Reader, Writer, tcp},
    slave::SlaveContext,
};

/// What the server speaks beside Modbus TCP.
#[derive(Clone, Default)]
pub(crate) struct Also {
    /// RTU over TCP, on this port, or on any for 0.
    pub(crate) rtu: Option<u16>,
    /// TLS on this port, with the server's certificate, its key, and what vouches for clients.
    pub(crate) tls: Option<(u16, [PathBuf; 3])>,
    /// RTU on a serial line, of which this is the other end.
    pub(crate) serial: Option<PathBuf>,
}

/// A running server.
pub(crate) struct Server {
    process: ChildGuard,
    pub(crate) port: u16,
    also: Also,
    /// A bare client, to look at what the server holds.
    pub(crate) probe: Context,
    /// How many lines of the output [`news`](Self::news) has returned.
    fetched: usize,
}

impl Server {
    /// Starts it on this port, or on any for 0. `None` when the user wants to do without Python.
    pub(crate) async fn start(port: u16) -> anyhow::Result<Option<Self>> {
        Self::start_with(port, Also::default()).await
    }

    pub(crate) async fn start_with(port: u16, mut also: Also) -> anyhow::Result<Option<Self>> {
        let Tool::At(python) = integration_tests::python() else { return Ok(None) };
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server.py")).arg(port.to_string());
        if let Some(port) = also.rtu {
            command.args(["--rtu", &port.to_string()]);
        }
        if let Some((port, files)) = &also.tls {
            command.args(["--tls", &port.to_string()]).args(files);
        }
        if let Some(link) = &also.serial {
            command.arg("--serial").arg(link);
        }
        let mut process = ChildGuard::spawn(&mut command);
        let mut port_of = async |kind: &str| {
            let line = process.wait_for_line(|line| line.starts_with(kind)).await;
            anyhow::Ok(line.trim_start_matches(kind).trim().parse()?)
        };
        if let Some(port) = &mut also.rtu {
            *port = port_of("rtu ").await?;
        }
        if let Some((port, _)) = &mut also.tls {
            *port = port_of("tls ").await?;
        }
        let port = port_of("listening ").await?;
        let probe = tcp::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let mut server = Self { process, port, also, probe, fetched: 0 };
        server.news().await?;
        Ok(Some(server))
    }

    pub(crate) fn rtu_port(&self) -> u16 {
        self.also.rtu.expect("it was started with RTU")
    }

    pub(crate) fn tls_port(&self) -> u16 {
        self.also.tls.as_ref().expect("it was started with TLS").0
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

    /// Stops the server in the middle of what it does.
    pub(crate) async fn freeze(&self) {
        self.process.freeze().await;
    }

    /// Lets it go on.
    pub(crate) async fn thaw(&self) {
        self.process.thaw().await;
    }

    /// Kills the server. Its line goes first, as a device that is unplugged takes its link along: one that stays would soon lead to
    /// another test's server, since the system gives the numbers of pseudoterminals again.
    pub(crate) async fn kill(&mut self) {
        if let Some(link) = &self.also.serial {
            // It was killed before, or is.
            _ = std::fs::remove_file(link);
        }
        self.process.kill().await;
    }

    /// Kills the server and starts another one in its place.
    pub(crate) async fn restart(mut self) -> anyhow::Result<Self> {
        self.kill().await;
        let server = Self::start_with(self.port, self.also.clone()).await?;
        server.context("Python was there a moment ago")
    }
}
