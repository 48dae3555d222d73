//! Brokers that do not let everybody in.

use integration_tests::servers::{EventBusOptions, Mosquitto, MosquittoOptions};
use mapper_framework::config::ReportVia;

use crate::rig::{self, Rig};

#[tokio::test]
async fn a_broker_with_tls_and_a_password_takes_twins() {
    let broker = MosquittoOptions { password: true, tls: true, ..MosquittoOptions::default() };
    let bus = EventBusOptions { tls: true, ..EventBusOptions::default() };
    let Some((broker, mut bus)) = rig::node_with(broker, bus).await else { return };
    let rig = Rig::start_with(&broker, ReportVia::Eventbus, 3, Mosquitto::PASSWORD, |config| {
        config.report.eventbus.address = format!("mqtts://127.0.0.1:{}", broker.tls_port());
        broker.certificate().cert_file.clone_into(&mut config.report.eventbus.tls.ca_file);
    })
    .await;
    bus.until("twins are stored", |seen| seen.stored() >= 50).await;
    rig.counters.stop();
    bus.until("all last values are stored", |seen| rig.missing(seen) == 0).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_logged_with_its_cure_and_twins_go_over_dmi() {
    const WRONG: &str = "wrong-horse-7";
    let broker = MosquittoOptions { password: true, ..MosquittoOptions::default() };
    let Some((broker, bus)) = rig::node_with(broker, EventBusOptions::default()).await else { return };
    let rig = Rig::start_with(&broker, ReportVia::Auto, 3, WRONG, |_| {}).await;
    rig.bed.until("twins go over DMI", |edge| edge.counts().stored_twins() >= 50).await;
    let line = rig.log.wait_for(&["WARN", "password", "report.eventbus.credentials"]).await;
    assert!(rig.log.with(&["horse-7"]).is_empty(), "no line shows a password");
    assert_eq!(bus.seen().stored(), 0, "{line}");
    rig.stop().await;
}
