//! Mosquitto, an MQTT broker.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use super::{Certificate, Subscriber};
use crate::{ChildGuard, Tool, free_port};

/// How a broker is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct MosquittoOptions {
    /// Whether it asks for [`Mosquitto::USER`] and [`Mosquitto::PASSWORD`].
    pub password: bool,
    /// Whether the password is [`Mosquitto::OTHER_PASSWORD`].
    pub other_password: bool,
    /// Whether it has a second port with TLS.
    pub tls: bool,
    /// Whether its ports but that of the subscribers speak over WebSockets: the one with TLS, and [`Mosquitto::websocket_port`].
    pub websockets: bool,
    /// The topics that may be published to, by a filter; all of them without one.
    pub writable: Option<&'static str>,
    /// The topics of which messages are passed on, by a filter; all of them without one. Subscriptions to others are granted all the same.
    pub readable: Option<&'static str>,
    /// The state of its plugin for dynamic security at the first start, which refuses subscriptions, and which is changed by
    /// `$CONTROL/dynamic-security/v1`.
    pub security: Option<&'static str>,
    /// The highest QoS that it takes; 2 without it.
    pub max_qos: Option<u8>,
    /// More lines of its configuration.
    pub settings: &'static str,
}

/// A broker that keeps what is retained.
#[derive(Debug)]
pub struct Mosquitto {
    program: PathBuf,
    options: MosquittoOptions,
    process: ChildGuard,
    port: u16,
    tls_port: u16,
    websocket_port: u16,
    certificate: Certificate,
    folder: TempDir,
}

impl Mosquitto {
    /// The user of a broker with a password.
    pub const USER: &str = "mapper";
    /// The password of that user.
    pub const PASSWORD: &str = "hunter2";
    /// The same user's password at another broker.
    pub const OTHER_PASSWORD: &str = "correct-horse";
    /// The user and the password, as the broker reads them.
    const PASSWORD_FILE: &str = "mapper:$7$101$iMY1+bXpFJizhiOs$\
        fDwT2j2IokBx0YXYuIsgejGp189mxqlco2gl7PUgyzEB7Pi9bhnpSK+PTHhVLJrleP9MP6jeaH2aEvnecSAwhA==\n";
    const OTHER_PASSWORD_FILE: &str = "mapper:$7$101$iMY1+bXpFJizhiOs$\
        9SwHKzfn4TU1oIIpXjK036st0vvDfrG/vg5KxxwoNKpaLjJLkFdpSEVniUg2jAyVQGPZCRBW6GaVr2v2rJcX5Q==\n";

    /// Starts a broker that lets everybody in, and waits until it answers; none if it is left out.
    pub async fn start() -> Option<Self> {
        Self::start_with(MosquittoOptions::default()).await
    }

    /// Starts a broker, and waits until it answers; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_with(options: MosquittoOptions) -> Option<Self> {
        let Tool::At(program) = crate::server("mosquitto") else { return None };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = Certificate::make(folder.path());
        let (port, tls_port, websocket_port) = (free_port(), free_port(), free_port());
        configure(options, [port, tls_port, websocket_port], &certificate, &folder);
        let process = run(&program, &folder).await;
        Some(Self { program, options, process, port, tls_port, websocket_port, certificate, folder })
    }

    /// The port without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port with TLS.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The port of WebSockets without TLS.
    #[must_use]
    pub fn websocket_port(&self) -> u16 {
        self.websocket_port
    }

    /// The certificate of the port with TLS.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// User and password, if it asks for them.
    #[must_use]
    pub fn login(&self) -> Option<(&'static str, &'static str)> {
        let password = if self.options.other_password { Self::OTHER_PASSWORD } else { Self::PASSWORD };
        self.options.password.then_some((Self::USER, password))
    }

    /// Ends it by SIGKILL.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Ends it by SIGTERM, at which it writes down what it keeps.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub async fn stop(&mut self) {
        self.process.terminate().await;
        self.process.exit().await;
    }

    /// Starts it again after [`kill`](Self::kill) or [`stop`](Self::stop), with the same port and data.
    pub async fn restart(&mut self) {
        self.process = run(&self.program, &self.folder).await;
    }

    /// Starts it anew on the same port, set up in another way. Kills it before.
    pub async fn set_up(&mut self, options: MosquittoOptions) {
        self.process.kill().await;
        self.options = options;
        configure(options, [self.port, self.tls_port, self.websocket_port], &self.certificate, &self.folder);
        self.restart().await;
    }

    /// Has it read its rules anew while it runs, by SIGHUP.
    pub async fn reload(&mut self, options: MosquittoOptions) {
        self.options = options;
        configure(options, [self.port, self.tls_port, self.websocket_port], &self.certificate, &self.folder);
        self.process.signal("HUP").await;
    }

    /// Stops it in the middle of what it does: connections are accepted, and nobody answers.
    pub async fn freeze(&self) {
        self.process.freeze().await;
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub async fn thaw(&self) {
        self.process.thaw().await;
    }

    /// Waits for a line of its log.
    pub async fn wait_for_line(&mut self, matches: impl Fn(&str) -> bool) -> String {
        self.process.wait_for_line(matches).await
    }

    /// The lines of its log so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// A subscriber to all topics, with messages of this QoS at most.
    pub async fn subscribe(&self, qos: u8) -> Subscriber {
        Subscriber::connect(self.port, qos, self.login()).await
    }
}

/// Runs the program until it listens.
async fn run(program: &PathBuf, folder: &TempDir) -> ChildGuard {
    let mut process = ChildGuard::spawn(Command::new(program).arg("-c").arg(folder.path().join("mosquitto.conf")));
    process.wait_for_line(|line| line.ends_with(" running")).await;
    process
}

/// Writes the files that the broker reads.
fn configure(options: MosquittoOptions, ports: [u16; 3], certificate: &Certificate, folder: &TempDir) {
    let [port, tls_port, websocket_port] = ports;
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| fs::write(at(name), text).expect("the folder is ours");
    // As root it would become another user, who cannot write to the folder. What it writes to a pipe comes late, but not to this one.
    let mut lines = vec!["user root".to_owned(), "log_dest stderr".to_owned(), "log_type all".to_owned()];
    lines.extend(["persistence true".to_owned(), format!("persistence_location {}/", folder.path().display())]);
    // Whatever a subscriber has not read yet is kept.
    lines.extend(["max_queued_messages 1000000".to_owned(), options.settings.to_owned()]);
    if options.password {
        let file = if options.other_password { Mosquitto::OTHER_PASSWORD_FILE } else { Mosquitto::PASSWORD_FILE };
        write("passwords", file);
        lines.extend(["allow_anonymous false".to_owned(), format!("password_file {}", at("passwords").display())]);
    } else {
        lines.push("allow_anonymous true".to_owned());
    }
    if options.readable.is_some() || options.writable.is_some() {
        let (readable, writable) = (options.readable.unwrap_or("#"), options.writable.unwrap_or("#"));
        write("rules", &format!("topic read {readable}\ntopic write {writable}\n"));
        lines.push(format!("acl_file {}", at("rules").display()));
    }
    if let Some(state) = options.security {
        write("security.json", state);
        lines.push("plugin mosquitto_dynamic_security.so".to_owned());
        lines.push(format!("plugin_opt_config_file {}", at("security.json").display()));
    }
    lines.push(format!("listener {port} 127.0.0.1"));
    lines.extend(options.max_qos.map(|qos| format!("max_qos {qos}")));
    if options.tls {
        let Certificate { cert_file, key_file } = certificate;
        lines.push(format!("listener {tls_port} 127.0.0.1"));
        lines.extend([format!("certfile {}", cert_file.display()), format!("keyfile {}", key_file.display())]);
        lines.extend(options.websockets.then(|| "protocol websockets".to_owned()));
    }
    if options.websockets {
        lines.extend([format!("listener {websocket_port} 127.0.0.1"), "protocol websockets".to_owned()]);
    }
    write("mosquitto.conf", &(lines.join("\n") + "\n"));
}
