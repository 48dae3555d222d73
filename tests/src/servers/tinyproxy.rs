//! tinyproxy, through which HTTP leaves a plant.

use std::{fs, path::Path};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{ChildGuard, Tool, free_port};

/// A proxy that wants a login. It takes HTTP, and tunnels for HTTPS.
#[derive(Debug)]
pub struct Tinyproxy {
    process: ChildGuard,
    port: u16,
    _folder: TempDir,
}

impl Tinyproxy {
    /// The user whom it lets through.
    pub const USER: &str = "plant";
    /// The password of that user.
    pub const PASSWORD: &str = "hunter2";

    /// Starts it, and waits until it listens; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start() -> Option<Self> {
        let Tool::At(program) = crate::server("tinyproxy") else { return None };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, file) = (free_port(), folder.path().join("tinyproxy.conf"));
        fs::write(&file, config(port, folder.path())).expect("the configuration can be written");
        // Its log is a file, of which it makes standard output when it is given none.
        let mut process = ChildGuard::spawn(Command::new(program).arg("-d").arg("-c").arg(file));
        process.wait_for_line(|line| line.contains("Accepting connections")).await;
        Some(Self { process, port, _folder: folder })
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for a line of its log.
    pub async fn wait_for_line(&mut self, matches: impl Fn(&str) -> bool) -> String {
        self.process.wait_for_line(matches).await
    }
}

fn config(port: u16, folder: &Path) -> String {
    let (user, password) = (Tinyproxy::USER, Tinyproxy::PASSWORD);
    let pid = folder.join("tinyproxy.pid");
    format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Info\nPidFile \"{}\"\nBasicAuth {user} {password}\n",
        pid.display()
    )
}
