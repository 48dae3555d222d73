//! Redis, and a client of a few lines to look at what has been written there.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
};

use tempfile::TempDir;
use tokio::process::Command;

use super::Certificate;
use crate::{ChildGuard, DEADLINE, Tool, free_port};

/// How a server is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisOptions {
    /// The password of everybody, and of the user [`RedisServer::USER`].
    pub password: Option<&'static str>,
    /// Whether it has a second port with TLS, which asks its clients for a certificate.
    pub tls: bool,
    /// What it is.
    pub role: RedisRole,
}

/// What a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedisRole {
    /// A master that nobody watches.
    #[default]
    Alone,
    /// A replica of the server on this port.
    Replica(u16),
    /// A Sentinel that watches the server on this port, under the name [`RedisServer::MASTER`], and decides alone.
    Sentinel(u16),
    /// A node of a cluster, without slots.
    Node,
}

/// A redis that has written to its disk what it has confirmed.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    options: RedisOptions,
    process: ChildGuard,
    ports: Ports,
    certificate: Certificate,
    folder: TempDir,
}

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    tls: u16,
    /// For the other nodes of its cluster.
    bus: u16,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Text or a number.
    Text(String),
    /// A list of answers.
    List(Vec<Reply>),
    /// There is nothing.
    Nil,
    /// The command was refused.
    Error(String),
}

impl RedisServer {
    /// A user that exists where there is a password, and may do everything.
    pub const USER: &str = "mapper";

    /// What a Sentinel calls its master.
    pub const MASTER: &str = "plant";

    /// Starts a server without a password, and waits until it answers; none if it is left out.
    pub async fn start() -> Option<Self> {
        Self::start_with(RedisOptions::default()).await
    }

    /// Starts a server, and waits until it answers; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_with(options: RedisOptions) -> Option<Self> {
        let Tool::At(program) = crate::server("redis-server") else { return None };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = Certificate::make(folder.path());
        let ports = Ports { plain: free_port(), tls: free_port(), bus: free_port() };
        if let RedisRole::Sentinel(master) = options.role {
            let config = sentinel_config(master, options.password);
            std::fs::write(folder.path().join(SENTINEL_CONFIG), config).expect("a config can be written");
        }
        let process = ChildGuard::spawn(&mut command(&program, options, ports, &certificate, &folder));
        let mut server = Self { program, options, process, ports, certificate, folder };
        server.is_up().await;
        Some(server)
    }

    /// The port without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.plain
    }

    /// The port with TLS.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.ports.tls
    }

    /// The port for the other nodes of its cluster.
    #[must_use]
    pub fn bus_port(&self) -> u16 {
        self.ports.bus
    }

    /// The server's certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Ends it by SIGKILL.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again after [`kill`](Self::kill), with the same port and data.
    pub async fn restart(&mut self) {
        let Self { program, options, ports, certificate, folder, .. } = &*self;
        self.process = ChildGuard::spawn(&mut command(program, *options, *ports, certificate, folder));
        self.is_up().await;
    }

    /// Makes it another kind of server on the same port. Kills it before.
    pub async fn become_role(&mut self, role: RedisRole) {
        self.kill().await;
        self.options.role = role;
        self.restart().await;
    }

    /// Stops it in the middle of what it does: connections are accepted, and nobody answers.
    pub async fn freeze(&self) {
        self.process.freeze().await;
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub async fn thaw(&self) {
        self.process.thaw().await;
    }

    async fn is_up(&mut self) {
        let sign = match self.options.role {
            RedisRole::Sentinel(_) => "Sentinel ID is",
            _ => "Ready to accept connections",
        };
        self.process.wait_for_line(|line| line.contains(sign)).await;
    }

    /// Sends a command on a connection of its own.
    ///
    /// # Panics
    ///
    /// If the server cannot be reached, or refuses the command.
    pub fn command(&self, arguments: &[&str]) -> Reply {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.plain)).expect("redis can be reached");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
        let mut answers = BufReader::new(stream.try_clone().expect("a socket has a second handle"));
        let mut call = |arguments: &[&str]| {
            stream.write_all(&encoded(arguments)).expect("a command can be sent");
            match read_reply(&mut answers) {
                Reply::Error(error) => panic!("redis refuses {arguments:?}: {error}"),
                reply => reply,
            }
        };
        if let Some(password) = self.options.password
            && !matches!(self.options.role, RedisRole::Sentinel(_))
        {
            call(&["AUTH", password]);
        }
        call(arguments)
    }
}

impl Reply {
    /// The texts of a list.
    ///
    /// # Panics
    ///
    /// If it is no list of texts.
    #[must_use]
    pub fn texts(self) -> Vec<String> {
        self.list().into_iter().map(Self::text).collect()
    }

    /// The answers in a list.
    ///
    /// # Panics
    ///
    /// If it is no list.
    #[must_use]
    pub fn list(self) -> Vec<Self> {
        match self {
            Self::List(list) => list,
            other => panic!("{other:?} is no list"),
        }
    }

    /// The text, or the number as text.
    ///
    /// # Panics
    ///
    /// If it is neither.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }
}

fn command(
    program: &PathBuf,
    options: RedisOptions,
    ports: Ports,
    certificate: &Certificate,
    folder: &TempDir,
) -> Command {
    let mut command = Command::new(program);
    let is_sentinel = matches!(options.role, RedisRole::Sentinel(_));
    if is_sentinel {
        command.arg(folder.path().join(SENTINEL_CONFIG)).arg("--sentinel");
    }
    command.args(["--bind", "127.0.0.1", "--port", &ports.plain.to_string()]).arg("--dir").arg(folder.path());
    if !is_sentinel {
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
    }
    match options.role {
        RedisRole::Replica(master) => {
            command.args(["--replicaof", &format!("127.0.0.1 {master}"), "--repl-diskless-sync-delay", "0"]);
        }
        RedisRole::Node => {
            // By default the nodes talk on a port that is higher by 10,000, which is more than there are.
            command.args(["--cluster-enabled", "yes", "--cluster-port", &ports.bus.to_string()]);
            command.args(["--cluster-node-timeout", "2000"]);
        }
        RedisRole::Alone | RedisRole::Sentinel(_) => {}
    }
    if let Some(password) = options.password.filter(|_| !is_sentinel) {
        command.args(["--requirepass", password, "--masterauth", password]);
        command.args(["--user", RedisServer::USER, "on", &format!(">{password}"), "~*", "&*", "+@all"]);
    }
    if options.tls {
        command.args(["--tls-port", &ports.tls.to_string()]).arg("--tls-key-file").arg(&certificate.key_file);
        for option in ["--tls-cert-file", "--tls-ca-cert-file"] {
            command.arg(option).arg(&certificate.cert_file);
        }
    }
    command
}

/// The file that a Sentinel reads, and writes.
const SENTINEL_CONFIG: &str = "sentinel.conf";

fn sentinel_config(master: u16, password: Option<&str>) -> String {
    let name = RedisServer::MASTER;
    let password = password.map(|password| format!("sentinel auth-pass {name} {password}\n")).unwrap_or_default();
    format!(
        "sentinel monitor {name} 127.0.0.1 {master} 1\n\
         sentinel down-after-milliseconds {name} 1000\n\
         sentinel failover-timeout {name} 3000\n{password}"
    )
}

fn encoded(arguments: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).into_bytes());
    }
    bytes
}

fn read_reply(answers: &mut BufReader<TcpStream>) -> Reply {
    let mut line = String::new();
    answers.read_line(&mut line).expect("redis answers");
    let line = line.trim_end();
    assert!(!line.is_empty(), "redis has closed the connection");
    let (kind, rest) = line.split_at(1);
    let length = || usize::try_from(rest.parse::<i64>().expect("a length"));
    match kind {
        "+" | ":" => Reply::Text(rest.to_owned()),
        "-" => Reply::Error(rest.to_owned()),
        "$" => length().map_or(Reply::Nil, |length| Reply::Text(read_text(answers, length))),
        "*" => length().map_or(Reply::Nil, |length| Reply::List((0..length).map(|_| read_reply(answers)).collect())),
        other => panic!("an answer of the unknown kind {other:?}"),
    }
}

fn read_text(answers: &mut BufReader<TcpStream>, length: usize) -> String {
    let mut bytes = vec![0; length + 2];
    answers.read_exact(&mut bytes).expect("redis sends the text to its end");
    bytes.truncate(length);
    String::from_utf8(bytes).expect("what the sinks write is UTF-8")
}
