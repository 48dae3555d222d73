//! nginx in front of a receiver, as it stands before many collectors.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use tokio::{net::TcpStream, process::Command, time::sleep};

use super::Certificate;
use crate::{ChildGuard, DEADLINE, Tool, free_port};

/// How nginx takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NginxDoor {
    /// Without TLS.
    Plain,
    /// With TLS.
    Tls,
    /// With TLS, and a certificate that it asks its clients for.
    ClientCertificate,
}

/// How nginx is set up.
#[derive(Clone, Copy, Debug)]
pub struct NginxOptions {
    /// How it takes requests.
    pub door: NginxDoor,
    /// The path that it passes on.
    pub path: &'static str,
}

/// An nginx that passes one path on, and knows no other.
#[derive(Debug)]
pub struct Nginx {
    program: PathBuf,
    process: ChildGuard,
    port: u16,
    upstream: u16,
    certificate: Certificate,
    folder: TempDir,
}

impl Nginx {
    /// Starts it in front of what listens at the port `upstream`, and waits until it listens itself; none if it is left out.
    pub async fn start(upstream: u16, options: NginxOptions) -> Option<Self> {
        let Tool::At(program) = crate::server("nginx") else { return None };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = Certificate::make(folder.path());
        let port = free_port();
        configure(&folder, &certificate, port, upstream, options);
        let process = run(&program, &folder, port).await;
        Some(Self { program, process, port, upstream, certificate, folder })
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

    /// Starts it anew on the same port, set up in another way.
    pub async fn set_up(&mut self, options: NginxOptions) {
        self.process.kill().await;
        configure(&self.folder, &self.certificate, self.port, self.upstream, options);
        self.process = run(&self.program, &self.folder, self.port).await;
    }
}

fn configure(folder: &TempDir, certificate: &Certificate, port: u16, upstream: u16, options: NginxOptions) {
    let (cert, key) = (certificate.cert_file.display(), certificate.key_file.display());
    let at = folder.path().display();
    let tls = format!("ssl_certificate {cert}; ssl_certificate_key {key};");
    let (listen, door) = match options.door {
        NginxDoor::Plain => ("", String::new()),
        NginxDoor::Tls => (" ssl", tls),
        NginxDoor::ClientCertificate => (" ssl", format!("{tls} ssl_client_certificate {cert}; ssl_verify_client on;")),
    };
    let path = options.path;
    // One process, so that its end is the end of all of it.
    let config = format!(
        "daemon off; master_process off; pid {at}/nginx.pid; error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
    server {{
        listen 127.0.0.1:{port}{listen};
        {door}
        location / {{ return 404; }}
        location = {path} {{ proxy_pass http://127.0.0.1:{upstream}; }}
    }}
}}
"
    );
    fs::write(folder.path().join("nginx.conf"), config).expect("the configuration can be written");
}

async fn run(program: &PathBuf, folder: &TempDir, port: u16) -> ChildGuard {
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-e").arg("stderr").arg("-c").arg(folder.path().join("nginx.conf"));
    let process = ChildGuard::spawn(&mut command);
    // It has no line for it.
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, listens).await.expect("nginx listens in time");
    process
}
