//! VictoriaMetrics, a database of time series that takes InfluxDB's line protocol.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::{sleep, timeout},
};

use crate::{ChildGuard, DEADLINE, Tool, free_port};

/// A database with a folder of its own.
#[derive(Debug)]
pub struct VictoriaMetrics {
    program: PathBuf,
    process: ChildGuard,
    port: u16,
    folder: TempDir,
}

/// One series, as it lies there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StoredSeries {
    /// The labels; the one named `__name__` is the measurement and the field key, with `_` between them.
    pub metric: BTreeMap<String, String>,
    /// The values, all of which are numbers here.
    pub values: Vec<f64>,
    /// Their times in milliseconds, in order.
    pub timestamps: Vec<i64>,
}

impl VictoriaMetrics {
    /// Starts it, and waits until it answers; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start() -> Option<Self> {
        let Tool::At(program) = crate::server("victoria-metrics") else { return None };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let process = run(&program, port, &folder).await;
        Some(Self { program, process, port, folder })
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it by SIGKILL.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again after [`kill`](Self::kill), with the same port and data.
    pub async fn restart(&mut self) {
        self.process = run(&self.program, self.port, &self.folder).await;
    }

    /// The series with these labels, as far as they can be read already.
    ///
    /// # Panics
    ///
    /// If it does not answer as it should.
    pub async fn export(&self, labels: &[(&str, &str)]) -> Vec<StoredSeries> {
        // A label's value is quoted as in JSON, but for what no test's name holds.
        let terms: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={}", serde_json::json!(value))).collect();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("match[]", &format!("{{{}}}", terms.join(",")))
            .finish();
        self.get("/internal/force_flush").await;
        let lines = self.get(&format!("/api/v1/export?{query}")).await;
        lines.lines().map(|line| serde_json::from_str(line).expect("a series in JSON")).collect()
    }

    /// The body that a path has. HTTP/1.0 knows neither chunks nor connections that go on, so that the body ends with the stream.
    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("it can be asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer in HTTP");
        assert!(head.contains(" 200 OK"), "{path}: {answer}");
        body.to_owned()
    }
}

/// Runs the program until it listens.
async fn run(program: &PathBuf, port: u16, folder: &TempDir) -> ChildGuard {
    let mut process = ChildGuard::spawn(
        Command::new(program)
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .arg(format!("-storageDataPath={}", folder.path().display())),
    );
    process.wait_for_line(|line| line.contains("started VictoriaMetrics in")).await;
    // It says so a moment before it listens.
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, listens).await.unwrap_or_else(|_| panic!("it does not listen: {:?}", process.lines()));
    process
}
