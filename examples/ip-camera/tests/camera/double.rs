//! `onvif_double.py`, which stands in for a camera's ONVIF services.

use std::{net::SocketAddr, path::Path};

use integration_tests::{ChildGuard, Tool};
use tokio::process::Command;

/// A running double. Its user and password are those of the RTSP server.
pub(crate) struct OnvifDouble {
    pub(crate) process: ChildGuard,
    pub(crate) port: u16,
    /// Where it answers to probes.
    pub(crate) probes: SocketAddr,
}

impl OnvifDouble {
    /// Starts one with these arguments; none when the user wants to do without Python.
    pub(crate) async fn start(arguments: &[&str]) -> Option<Self> {
        let Tool::At(python) = integration_tests::python() else { return None };
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onvif_double.py");
        let mut process = ChildGuard::spawn(Command::new(python).arg(program).args(arguments));
        let line = process.wait_for_line(|line| line.starts_with("listening ")).await;
        let mut ports = line.split(' ').skip(1).map(|port| port.parse().unwrap());
        let (port, probes) = (ports.next().unwrap(), ports.next().unwrap());
        Some(Self { process, port, probes: SocketAddr::from(([127, 0, 0, 1], probes)) })
    }

    /// The key that names it in a manifest.
    pub(crate) fn key(&self) -> String {
        format!("onvif: 'http://127.0.0.1:{}/onvif/device_service'", self.port)
    }

    /// Waits for a line that has not been waited for.
    pub(crate) async fn says(&mut self, line: &str) {
        self.process.wait_for_line(|it| it == line).await;
    }

    /// How often it has printed a line.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.process.lines().iter().filter(|it| *it == line).count()
    }
}
