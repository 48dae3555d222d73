//! Mochi, an MQTT broker in Go that announces a highest QoS, and refuses topics by a reason.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use super::Subscriber;
use crate::{ChildGuard, Tool, free_port};

/// What a broker takes.
#[derive(Clone, Copy, Debug)]
pub struct MochiOptions {
    /// The highest QoS.
    pub max_qos: u8,
    /// What the topics begin with that nobody may publish to; none when it is empty.
    pub denied: &'static str,
}

/// A broker whose settings can be changed while it runs. It keeps nothing.
#[derive(Debug)]
pub struct Mochi {
    port: u16,
    settings: PathBuf,
    _process: ChildGuard,
    _folder: TempDir,
}

impl Mochi {
    /// Starts a broker that lets everybody in, and waits until it listens; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(options: MochiOptions) -> Option<Self> {
        let Tool::At(program) = crate::go_client("mqtt-broker") else { return None };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, settings) = (free_port(), folder.path().join("settings"));
        write(&settings, options);
        let mut command = Command::new(program);
        command.args(["-port", &port.to_string(), "-settings"]).arg(&settings);
        let mut process = ChildGuard::spawn(&mut command);
        process.wait_for_line(|line| line.starts_with("listening on")).await;
        Some(Self { port, settings, _process: process, _folder: folder })
    }

    /// The port, without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the settings: the QoS from the next connection on, the topics from the next message on.
    pub fn set_up(&self, options: MochiOptions) {
        write(&self.settings, options);
    }

    /// A subscriber to all topics, with messages of QoS 1 at most.
    pub async fn subscribe(&self) -> Subscriber {
        Subscriber::connect(self.port, 1, None).await
    }
}

/// In one step: the broker may read at any time.
fn write(settings: &PathBuf, MochiOptions { max_qos, denied }: MochiOptions) {
    let next = settings.with_extension("next");
    fs::write(&next, format!("{max_qos} {denied}\n")).expect("the folder is ours");
    fs::rename(&next, settings).expect("the folder is ours");
}
