//! A proxy between the plant and the collector.

use std::fs;

use integration_tests::{
    flood::{Flood, PROTOCOL},
    servers::{Answer, Nginx, NginxDoor, NginxOptions, Receiver, Tinyproxy},
};
use mapper_framework::{
    sink::SinkState,
    testing::{TestBed, TestBedBuilder},
};
use tempfile::TempDir;

/// An address of this machine that nobody takes for it: what stands for another machine here.
const ELSEWHERE: &str = "0.0.0.0";

const PATH: &str = "/ingest";

/// A mapper behind the proxy, with a folder of credentials for it.
fn bed(proxy: &Tinyproxy, secrets: &TempDir, ca_file: Option<&std::path::Path>) -> TestBedBuilder<Flood> {
    let flood = Flood { first: 0, rate: 100, total: 10 };
    TestBed::builder(flood, PROTOCOL).config(|config| {
        config.sinks.proxy = format!("http://127.0.0.1:{}", proxy.port());
        secrets.path().clone_into(&mut config.sinks.proxy_credentials);
        config.sinks.tls.ca_file = ca_file.unwrap_or(std::path::Path::new("")).to_owned();
    })
}

fn log_in(secrets: &TempDir, password: &str) {
    fs::write(secrets.path().join("username"), Tinyproxy::USER).expect("written");
    fs::write(secrets.path().join("password"), password).expect("written");
}

fn push(scheme: &str, host: &str, port: u16) -> String {
    format!("{{http: {{hostName: '{scheme}://{host}', port: {port}, requestPath: {PATH}}}}}")
}

async fn until_delivered(bed: &TestBed) {
    bed.until_sinks("all is delivered", |sinks| sinks.iter().any(|sink| sink.ledger().delivered() == 10)).await;
}

#[tokio::test]
async fn what_goes_to_another_machine_goes_through_the_proxy_once_it_lets_the_mapper_in() {
    let Some(mut proxy) = Tinyproxy::start().await else { return };
    let collector = Receiver::start(|_| Answer::status(204)).await;
    let secrets = tempfile::tempdir().expect("a folder");
    log_in(&secrets, "wrong-horse-7");
    let bed = bed(&proxy, &secrets, None).start().await;
    bed.edge().apply(&Flood::manifests(&push("http", ELSEWHERE, collector.port()))).await.expect("applied");
    bed.until_sinks("the proxy refuses", |sinks| {
        sinks.iter().any(|sink| {
            let reason = sink.reason().unwrap_or_default();
            sink.state() == SinkState::Down && reason.contains("sinks.proxy_credentials") && !reason.contains("horse-7")
        })
    })
    .await;
    assert!(collector.received().is_empty());
    log_in(&secrets, Tinyproxy::PASSWORD);
    until_delivered(&bed).await;
    proxy.wait_for_line(|line| line.contains("Established connection to host") && line.contains(ELSEWHERE)).await;
    assert!(collector.received().iter().all(|request| !request.text().is_empty()));
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let Some(mut proxy) = Tinyproxy::start().await else { return };
    let collector = Receiver::start(|_| Answer::status(204)).await;
    let door = NginxOptions { door: NginxDoor::Tls, path: PATH };
    let Some(nginx) = Nginx::start(collector.port(), door).await else { return };
    let secrets = tempfile::tempdir().expect("a folder");
    log_in(&secrets, Tinyproxy::PASSWORD);
    let bed = bed(&proxy, &secrets, Some(&nginx.certificate().cert_file)).start().await;
    bed.edge().apply(&Flood::manifests(&push("https", ELSEWHERE, nginx.port()))).await.expect("applied");
    until_delivered(&bed).await;
    proxy.wait_for_line(|line| line.contains("CONNECT") && line.contains(ELSEWHERE)).await;
}

#[tokio::test]
async fn this_machine_is_asked_without_the_proxy() {
    let Some(proxy) = Tinyproxy::start().await else { return };
    let collector = Receiver::start(|_| Answer::status(204)).await;
    let secrets = tempfile::tempdir().expect("a folder");
    // With this the proxy would let nothing through.
    log_in(&secrets, "wrong-horse-7");
    let bed = bed(&proxy, &secrets, None).start().await;
    bed.edge().apply(&Flood::manifests(&push("http", "127.0.0.1", collector.port()))).await.expect("applied");
    until_delivered(&bed).await;
}
