//! Brokers behind a WebSocket.

use integration_tests::servers::{Answer, Mosquitto, MosquittoOptions, Receiver};
use mapper_framework::{
    config::MqttVersion,
    sink::{Credentials, Outcome, Sink},
    testing::sink_contract::check,
};

use super::{Fixture, VERSIONS, config, push, record, refusal, series, try_open};

const WEBSOCKETS: MosquittoOptions = MosquittoOptions {
    websockets: true,
    tls: true,
    password: false,
    other_password: false,
    writable: None,
    readable: None,
    security: None,
    max_qos: None,
    settings: "",
};

#[tokio::test]
async fn both_versions_pass_the_suite_over_a_websocket() {
    for version in VERSIONS {
        let Some(mut fixture) = Fixture::start_with(version, 1, WEBSOCKETS).await else { return };
        fixture.address = format!("ws://127.0.0.1:{}", fixture.broker.websocket_port());
        check(&mut fixture).await;
    }
}

#[tokio::test]
async fn a_websocket_with_tls_trusts_whom_the_config_names() {
    let Some(broker) = Mosquitto::start_with(WEBSOCKETS).await else { return };
    let subscriber = broker.subscribe(2).await;
    let series = series("p", push(&format!("wss://localhost:{}/mqtt", broker.tls_port()), "values", 1));
    for (number, version) in (1..).zip(VERSIONS) {
        let mut config = config(version);
        let untrusted = refusal(&config, &series, &Credentials::none()).await;
        assert!(untrusted.contains("sinks.tls.ca_file"), "{untrusted}");
        config.tls.ca_file.clone_from(&broker.certificate().cert_file);
        let mut sink = try_open(&config, &series, &Credentials::none()).await.expect("the broker is trusted");
        assert_eq!(sink.write(&[record(&series, "x")]).await.expect("written"), Outcome::accepted(1));
        sink.close().await;
        subscriber.wait_for(number, |message| message.topic == "values").await;
    }
}

#[tokio::test]
async fn what_is_no_websocket_is_named_by_what_it_answers() {
    let server = Receiver::start(|_| Answer::status(404)).await;
    let series = series("p", push(&format!("ws://127.0.0.1:{}/else", server.port()), "values", 1));
    for version in [MqttVersion::V3, MqttVersion::V5] {
        let reason = refusal(&config(version), &series, &Credentials::none()).await;
        assert!(reason.contains("404") && reason.contains("the path may be another"), "{reason}");
    }
}
