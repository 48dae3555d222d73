//! MariaDB, and its own client to look at what has been written there.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Command;

use super::Certificate;
use crate::{ChildGuard, Tool, free_port};

/// What makes a server small and quick. A kill costs nothing that it has confirmed; a power loss would.
const SMALL: [&str; 4] =
    ["--innodb-log-file-size=4M", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=16M", "--skip-log-bin"];

/// How a server is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct MariaDbOptions {
    /// Whether the user has to come over TLS and with a certificate.
    pub tls: bool,
    /// The limit for a packet in bytes, 0 for the server's default.
    pub max_packet: u32,
}

/// A MariaDB with an empty data folder. [`USER`](Self::USER) may do everything in the database [`DATABASE`](Self::DATABASE), which
/// is not there yet.
#[derive(Debug)]
pub struct MariaDbServer {
    programs: Programs,
    options: MariaDbOptions,
    process: ChildGuard,
    port: u16,
    certificate: Certificate,
    folder: TempDir,
}

#[derive(Debug)]
struct Programs {
    server: PathBuf,
    client: PathBuf,
}

impl MariaDbServer {
    /// The user that connects by TCP.
    pub const USER: &str = "mapper";
    /// Its password.
    pub const PASSWORD: &str = "hunter2";
    /// The database in which it may do everything.
    pub const DATABASE: &str = "plant";

    /// Starts a server, and waits until it answers; none if it is left out.
    pub async fn start() -> Option<Self> {
        Self::start_with(MariaDbOptions::default()).await
    }

    /// Starts a server, and waits until it answers; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_with(options: MariaDbOptions) -> Option<Self> {
        let Tool::At(server) = crate::server("mariadbd") else { return None };
        let Tool::At(client) = crate::server("mariadb") else { return None };
        let Tool::At(install) = crate::server("mariadb-install-db") else { return None };
        let programs = Programs { server, client };
        let folder = tempfile::tempdir().expect("a temporary folder");
        make_data(&install, folder.path()).await;
        write_accounts(options, folder.path());
        let certificate = Certificate::make(folder.path());
        let port = free_port();
        let process = ChildGuard::spawn(&mut command(&programs, options, port, &certificate, folder.path()));
        let mut server = Self { programs, options, process, port, certificate, folder };
        server.is_up().await;
        Some(server)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
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
        let Self { programs, options, port, certificate, folder, .. } = &*self;
        self.process = ChildGuard::spawn(&mut command(programs, *options, *port, certificate, folder.path()));
        self.is_up().await;
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
        self.process.wait_for_line(|line| line.contains("ready for connections")).await;
    }

    /// Runs statements as root, and gives the rows of all of them.
    ///
    /// # Panics
    ///
    /// If one fails.
    pub async fn sql(&self, statements: &str) -> Vec<Vec<String>> {
        let output = Command::new(&self.programs.client)
            .args(["--no-defaults", "--batch", "--skip-column-names", "--user=root"])
            .args(["--default-character-set=utf8mb4", "--init-command=SET time_zone = '+00:00'"])
            .arg(format!("--socket={}", socket(self.folder.path()).display()))
            .arg(format!("--execute={statements}"))
            .kill_on_drop(true)
            .output()
            .await
            .expect("the client can be started");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements}: {errors}");
        let rows = String::from_utf8(output.stdout).expect("rows in UTF-8");
        rows.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }
}

/// Where the server keeps its files. One that starts removes temporary tables of others, if they share a folder for these.
fn folders(folder: &Path) -> [String; 2] {
    [format!("--datadir={}", folder.join("data").display()), format!("--tmpdir={}", folder.display())]
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

/// What makes the server run as who runs the test; it refuses to run as root if it is not told to.
fn user() -> Option<&'static str> {
    let of_process = fs::metadata("/proc/self").expect("a process is shown in /proc").uid();
    (of_process == 0).then_some("--user=root")
}

async fn make_data(install: &Path, folder: &Path) {
    let mut command = Command::new(install);
    command.arg("--no-defaults").args(folders(folder));
    command.args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
    let mut install = ChildGuard::spawn(command.args(SMALL).args(user()));
    let status = install.exit().await;
    assert!(status.success(), "mariadb-install-db has failed: {status}\n{}", install.lines().join("\n"));
}

/// What the server runs whenever it starts.
fn write_accounts(options: MariaDbOptions, folder: &Path) {
    let (user, password, database) = (MariaDbServer::USER, MariaDbServer::PASSWORD, MariaDbServer::DATABASE);
    let over = if options.tls { "REQUIRE X509" } else { "" };
    let statements = format!(
        "CREATE USER IF NOT EXISTS '{user}'@'127.0.0.1' IDENTIFIED BY '{password}' {over};\n\
         GRANT ALL ON `{database}`.* TO '{user}'@'127.0.0.1';\n"
    );
    fs::write(folder.join("accounts.sql"), statements).expect("the accounts can be written");
}

fn command(
    programs: &Programs,
    options: MariaDbOptions,
    port: u16,
    certificate: &Certificate,
    folder: &Path,
) -> Command {
    let mut command = Command::new(&programs.server);
    command.arg("--no-defaults").args(folders(folder));
    command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", &format!("--port={port}")]);
    command.arg(format!("--socket={}", socket(folder).display())).args(SMALL).args(user());
    command.arg(format!("--init-file={}", folder.join("accounts.sql").display()));
    if options.max_packet > 0 {
        command.arg(format!("--max-allowed-packet={}", options.max_packet));
    }
    if options.tls {
        let cert = certificate.cert_file.display();
        command.args([format!("--ssl-cert={cert}"), format!("--ssl-ca={cert}")]);
        command.arg(format!("--ssl-key={}", certificate.key_file.display()));
    }
    command
}
