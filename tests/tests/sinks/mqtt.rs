//! The sink mqtt against mosquitto.

mod settings;
mod websocket;
mod will;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use integration_tests::{
    DEADLINE,
    servers::{Mosquitto, MosquittoOptions, Published, Subscriber},
};
use mapper_framework::{
    config::{MqttVersion, SinksConfig},
    model::{DataType, Device, DeviceId, MqttPush, Property, PushMethod, Value},
    sink::{Credentials, Outcome, Record, Series, Sink, SinkError, SinkKind},
    testing::{
        sink_contract::{Arrival, SinkFixture, check},
        sinks::{self, BuiltinKind, BuiltinSink},
    },
};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    select,
    sync::oneshot,
    time::timeout,
};

const VERSIONS: [MqttVersion; 2] = [MqttVersion::V3, MqttVersion::V5];

fn config(version: MqttVersion) -> SinksConfig {
    let mut config = SinksConfig::default();
    config.mqtt.version = version;
    config.mqtt.client_id = "test".into();
    config
}

fn kind(config: &SinksConfig) -> BuiltinKind {
    sinks::builtin("mqtt", config).expect("mqtt is compiled")
}

fn push(address: &str, topic: &str, qos: u8) -> MqttPush {
    let mut push = MqttPush::default();
    push.address = address.into();
    push.topic = topic.into();
    push.qos = qos;
    push
}

/// The series of a property that is pushed so.
fn series(name: &str, push: MqttPush) -> Arc<Series> {
    let property = Property::builder(name, DataType::String).push_methods(vec![PushMethod::Mqtt(push)]).build();
    let device = Device::builder("boiler").property(property.clone()).build();
    let routes = kind(&SinksConfig::default()).routes(&device, &property).expect("a route");
    sinks::series(&device, &property, routes.into_iter().next().expect("a route"))
}

fn record(series: &Arc<Series>, value: impl Into<String>) -> Record {
    sinks::record(series, value.into(), UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

/// One record for each of these numbers, which are their values.
fn numbered(series: &Arc<Series>, numbers: std::ops::Range<usize>) -> Vec<Record> {
    numbers.map(|number| record(series, number.to_string())).collect()
}

fn local(broker: &Mosquitto) -> String {
    format!("mqtt://127.0.0.1:{}", broker.port())
}

async fn try_open(config: &SinksConfig, series: &Series, credentials: &Credentials) -> Result<BuiltinSink, SinkError> {
    kind(config).open(series.target(), credentials).await
}

async fn open(config: &SinksConfig, series: &Series) -> BuiltinSink {
    try_open(config, series, &Credentials::none()).await.expect("the broker accepts")
}

/// Why a sink does not open.
async fn refusal(config: &SinksConfig, series: &Series, credentials: &Credentials) -> String {
    match try_open(config, series, credentials).await {
        Ok(_) => panic!("the sink opens"),
        Err(error) => {
            assert!(error.is_retryable(), "a password may be put right: {error:?}");
            error.to_string()
        }
    }
}

fn document(message: &Published) -> Json {
    serde_json::from_slice(&message.payload).expect("a payload is JSON")
}

fn value(message: &Published) -> String {
    match &document(message)["value"] {
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_f64() => number.as_f64().expect("a double").to_string(),
        other => other.to_string(),
    }
}

/// The numbers of [`numbered`] in these messages.
fn numbers(messages: &[Published]) -> Vec<usize> {
    messages.iter().map(|message| value(message).parse().expect("a number")).collect()
}

/// Waits until the sink no longer believes in its connection.
async fn loss(sink: &mut BuiltinSink) -> SinkError {
    let lost = async {
        loop {
            match sink.health().await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => return error,
            }
        }
    };
    timeout(DEADLINE, lost).await.expect("the loss is noticed")
}

struct Fixture {
    broker: Mosquitto,
    address: String,
    subscriber: Subscriber,
    config: SinksConfig,
    qos: u8,
}

impl Fixture {
    async fn start(version: MqttVersion, qos: u8) -> Option<Self> {
        Self::start_with(version, qos, MosquittoOptions::default()).await
    }

    async fn start_with(version: MqttVersion, qos: u8, options: MosquittoOptions) -> Option<Self> {
        let broker = Mosquitto::start_with(options).await?;
        let subscriber = broker.subscribe(2).await;
        let mut config = config(version);
        config.mqtt.max_packet_bytes = 1000;
        Some(Self { address: local(&broker), broker, subscriber, config, qos })
    }
}

impl SinkFixture for Fixture {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        kind(&self.config)
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        vec![PushMethod::Mqtt(push(&self.address, "", self.qos))]
    }

    fn poison(&self) -> Option<(DataType, Value)> {
        Some((DataType::String, Value::from("x".repeat(1000))))
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, at_least: usize) -> Vec<Arrival> {
        let is_of = |message: &Published| {
            let document = document(message);
            document["namespace"] == device.namespace()
                && document["device"] == device.name()
                && document["property"] == property
        };
        let messages = self.subscriber.wait_for(at_least, is_of).await;
        assert!(messages.iter().all(|message| message.qos == self.qos), "the QoS is the one that was asked for");
        let arrival = |message: &Published| Arrival {
            timestamp_ms: document(message)["timestamp"].as_i64().expect("a timestamp"),
            value: value(message),
        };
        messages.iter().map(arrival).collect()
    }
}

async fn passes_the_suite(version: MqttVersion, qos: u8) {
    let Some(mut fixture) = Fixture::start(version, qos).await else { return };
    check(&mut fixture).await;
}

#[tokio::test]
async fn mqtt_3_1_1_passes_the_suite_with_qos_1() {
    passes_the_suite(MqttVersion::V3, 1).await;
}

#[tokio::test]
async fn mqtt_5_passes_the_suite_with_qos_1() {
    passes_the_suite(MqttVersion::V5, 1).await;
}

#[tokio::test]
async fn both_versions_pass_the_suite_with_qos_0() {
    for version in VERSIONS {
        passes_the_suite(version, 0).await;
    }
}

#[tokio::test]
async fn both_versions_pass_the_suite_with_qos_2() {
    for version in VERSIONS {
        passes_the_suite(version, 2).await;
    }
}

#[tokio::test]
async fn a_batch_of_all_qos_arrives_once_and_in_order() {
    let Some(broker) = Mosquitto::start().await else { return };
    let subscriber = broker.subscribe(2).await;
    let all = [0, 1, 2].map(|qos| series(&format!("of-qos-{qos}"), push(&local(&broker), "", qos)));
    let batch: Vec<_> = (0..900).map(|number| record(&all[number % 3], number.to_string())).collect();
    for version in VERSIONS {
        let mut sink = open(&config(version), &all[0]).await;
        assert_eq!(sink.write(&batch).await.expect("written"), Outcome::accepted(900));
        sink.close().await;
    }
    for (number, series) in all.iter().enumerate() {
        let is_of = |message: &Published| document(message)["property"] == series.property();
        let arrived = numbers(&subscriber.wait_for(600, is_of).await);
        let sent: Vec<_> = (number..900).step_by(3).collect();
        assert_eq!(arrived, [&sent[..], &sent[..]].concat(), "{}", series.property());
    }
}

#[tokio::test]
async fn what_is_retained_outlives_a_restart_of_the_broker() {
    let Some(mut broker) = Mosquitto::start().await else { return };
    let mut kept = push(&local(&broker), "kept", 1);
    kept.retained = true;
    let (kept, passing) = (series("kept", kept), series("passing", push(&local(&broker), "passing", 1)));
    let mut sink = open(&config(MqttVersion::V3), &kept).await;
    let batch = [record(&kept, "old"), record(&passing, "gone"), record(&kept, "new")];
    assert_eq!(sink.write(&batch).await.expect("written"), Outcome::accepted(3));
    sink.close().await;
    broker.stop().await;
    broker.restart().await;
    let messages = broker.subscribe(2).await.wait_for(1, |_| true).await;
    let found: Vec<_> = messages.iter().map(|message| (&*message.topic, value(message), message.retained)).collect();
    assert_eq!(found, [("kept", "new".to_owned(), true)]);
}

#[tokio::test]
async fn tls_and_a_password_protect_the_connection() {
    let options = MosquittoOptions { password: true, tls: true, ..MosquittoOptions::default() };
    let Some(broker) = Mosquitto::start_with(options).await else { return };
    let subscriber = broker.subscribe(2).await;
    let series = series("p", push(&format!("mqtts://localhost:{}", broker.tls_port()), "secret", 1));
    let credentials = Credentials::none().with_username(Mosquitto::USER).with_password(Mosquitto::PASSWORD);
    for (number, version) in (1..).zip(VERSIONS) {
        let mut config = config(version);
        let untrusted = refusal(&config, &series, &credentials).await;
        assert!(untrusted.contains("sinks.tls.ca_file"), "{untrusted}");
        config.tls.ca_file.clone_from(&broker.certificate().cert_file);
        let mut sink = try_open(&config, &series, &credentials).await.expect("the broker is trusted");
        assert_eq!(sink.write(&[record(&series, "x")]).await.expect("written"), Outcome::accepted(1));
        sink.close().await;
        subscriber.wait_for(number, |message| message.topic == "secret").await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_of_and_can_be_put_right() {
    let options = MosquittoOptions { password: true, ..MosquittoOptions::default() };
    let Some(broker) = Mosquitto::start_with(options).await else { return };
    let series = series("p", push(&local(&broker), "", 1));
    for version in VERSIONS {
        let config = config(version);
        let nobody = refusal(&config, &series, &Credentials::none()).await;
        let wrong = Credentials::none().with_username(Mosquitto::USER).with_password("letmein");
        let wrong = refusal(&config, &series, &wrong).await;
        for message in [nobody, wrong] {
            let refused = format!("{}: the broker refuses the user name or the password: ", local(&broker));
            assert!(message.starts_with(&refused), "{message}");
            assert!(message.contains("sinks.mqtt.credentials") && message.contains("MQTT_PASSWORD"), "{message}");
        }
        let right = Credentials::none().with_username(Mosquitto::USER).with_password(Mosquitto::PASSWORD);
        let mut sink = try_open(&config, &series, &right).await.expect("the password is right");
        assert_eq!(sink.write(&[record(&series, "x")]).await.expect("written"), Outcome::accepted(1));
    }
}

/// Opens a sink until it works, as the framework does.
async fn reopen(config: &SinksConfig, series: &Series) -> BuiltinSink {
    let opened = async {
        loop {
            match try_open(config, series, &Credentials::none()).await {
                Ok(sink) => return sink,
                Err(error) => assert!(error.is_retryable(), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, opened).await.expect("the broker comes back")
}

async fn nothing_is_lost_when_the_broker_is_killed(version: MqttVersion) {
    const BATCHES: usize = 40;
    const RECORDS: usize = 250;
    // All that is acknowledged is on its way to the subscriber, and no longer in the memory of the broker alone.
    let options = MosquittoOptions { settings: "max_inflight_messages 0", ..MosquittoOptions::default() };
    let Some(mut broker) = Mosquitto::start_with(options).await else { return };
    let subscriber = broker.subscribe(0).await;
    let (config, series) = (config(version), series("p", push(&local(&broker), "", 1)));
    let (is_back, mut back) = oneshot::channel();
    let killer = async {
        subscriber.wait_for(BATCHES * RECORDS / 4, |_| true).await;
        broker.kill().await;
        broker.restart().await;
        subscriber.reconnect().await;
        is_back.send(()).expect("the writer waits");
    };
    let writer = async {
        let (mut losses, mut sink) = (0, open(&config, &series).await);
        for batch in 0..BATCHES {
            let records = numbered(&series, batch * RECORDS..(batch + 1) * RECORDS);
            loop {
                match sink.write(&records).await {
                    Ok(outcomes) => break assert_eq!(outcomes, Outcome::accepted(RECORDS)),
                    Err(error) => assert!(error.is_disconnected(), "{error:?}"),
                }
                losses += 1;
                // So that the subscriber is there before the records are.
                (&mut back).await.expect("the broker comes back");
                sink = reopen(&config, &series).await;
            }
        }
        losses
    };
    let (losses, ()) = tokio::join!(writer, killer);
    assert_eq!(losses, 1, "the broker was killed in the middle of it");
    let total = BATCHES * RECORDS;
    let last = (total - 1).to_string();
    let mut arrived = numbers(&subscriber.wait_for_last(|message| value(message) == last).await);
    let messages = arrived.len();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived, (0..total).collect::<Vec<_>>(), "each record has arrived");
    assert!(messages - total <= RECORDS, "{} duplicates: only the batch that failed comes again", messages - total);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_is_killed_with_3_1_1() {
    nothing_is_lost_when_the_broker_is_killed(MqttVersion::V3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_is_killed_with_5() {
    nothing_is_lost_when_the_broker_is_killed(MqttVersion::V5).await;
}

#[tokio::test]
async fn an_idle_sink_notices_that_the_broker_is_gone() {
    let Some(mut broker) = Mosquitto::start().await else { return };
    let series = series("p", push(&local(&broker), "", 1));
    let mut sinks = Vec::new();
    for version in VERSIONS {
        let mut config = config(version);
        config.mqtt.client_id = format!("{version:?}");
        sinks.push(open(&config, &series).await);
    }
    broker.kill().await;
    for sink in &mut sinks {
        let error = loss(sink).await;
        assert!(error.is_disconnected() && error.to_string().starts_with(&local(&broker)), "{error:?}");
        let error = sink.write(&[record(&series, "x")]).await.expect_err("there is no connection");
        assert!(error.is_disconnected(), "{error:?}");
    }
}

#[tokio::test]
async fn a_broker_that_never_answers_costs_the_deadline_and_leaves_nothing_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let series = series("p", push(&address, "", 1));
    for version in VERSIONS {
        let config = config(version);
        let nobody = Credentials::none();
        let accepted = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            assert_eq!(stream.read_u8().await.expect("a packet"), 0x10, "CONNECT was sent");
            stream
        };
        // The deadline passes.
        let mut stream = select! {
            opened = try_open(&config, &series, &nobody) => panic!("nobody has answered: {:?}", opened.err()),
            stream = accepted => stream,
        };
        let read = timeout(DEADLINE, stream.read_to_end(&mut Vec::new())).await;
        read.expect("the connection is closed").expect("read to its end");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let series = series("p", push(&address, "", 1));
    for version in VERSIONS {
        let (config, nobody) = (config(version), Credentials::none());
        let close = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            // Closing without having read would be a reset.
            drop(stream.read(&mut [0; 1024]).await);
        };
        let (message, ()) = tokio::join!(refusal(&config, &series, &nobody), close);
        assert!(message.contains("sinks.mqtt.version") && message.contains("mqtts://"), "{message}");
    }
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_given_up_after_a_ping() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let series = series("p", push(&listener.local_addr().expect("an address").to_string(), "", 1));
    let mut config = config(MqttVersion::V3);
    config.mqtt.keep_alive = Duration::from_secs(5);
    let broker = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut packet = [0; 1024];
        let length = stream.read(&mut packet).await.expect("CONNECT");
        assert!(length > 0 && packet[0] == 0x10, "CONNECT comes first");
        stream.write_all(&[0x20, 2, 0, 0]).await.expect("CONNACK is sent");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("read to its end");
        rest
    };
    let client = async {
        let mut sink = open(&config, &series).await;
        loss(&mut sink).await.to_string()
    };
    let (sent, reason) = timeout(DEADLINE, async { tokio::join!(broker, client) }).await.expect("it is given up");
    assert_eq!(sent, [0xC0, 0], "one PINGREQ");
    assert!(reason.ends_with("the broker does not answer to a ping"), "{reason}");
}

#[tokio::test]
async fn a_broker_that_wants_no_keep_alive_is_not_pinged_to_death() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let series = series("p", push(&listener.local_addr().expect("an address").to_string(), "t", 0));
    let config = config(MqttVersion::V5);
    let (pinged, is_pinged) = oneshot::channel();
    let broker = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let length = stream.read(&mut [0; 1024]).await.expect("CONNECT");
        assert!(length > 0, "CONNECT comes first");
        // CONNACK, with a keep-alive of 0 seconds.
        stream.write_all(&[0x20, 6, 0, 0, 3, 0x13, 0, 0]).await.expect("CONNACK is sent");
        let mut packet = [0; 2];
        stream.read_exact(&mut packet).await.expect("PINGREQ");
        pinged.send(packet).expect("the test waits");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("read to its end");
        rest
    };
    let client = async {
        let mut sink = open(&config, &series).await;
        assert_eq!(is_pinged.await, Ok([0xC0, 0]));
        let lost = timeout(Duration::from_millis(100), loss(&mut sink)).await;
        assert!(lost.is_err(), "{lost:?}");
        assert_eq!(sink.write(&[record(&series, "x")]).await.expect("written"), Outcome::accepted(1));
        sink.close().await;
    };
    let (rest, ()) = timeout(DEADLINE, async { tokio::join!(broker, client) }).await.expect("in time");
    assert!(rest.starts_with(&[0x30]) && rest.ends_with(&[0xE0, 0]), "PUBLISH and DISCONNECT, and no other ping");
}

#[tokio::test]
async fn a_broker_with_an_ipv6_address_is_found() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        eprintln!("left out: this machine has no IPv6");
        return;
    };
    let series = series("p", push(&format!("mqtt://{}", listener.local_addr().expect("an address")), "", 1));
    let (config, nobody) = (config(MqttVersion::V3), Credentials::none());
    let accept = async { drop(listener.accept().await.expect("a connection")) };
    let (message, ()) =
        timeout(DEADLINE, async { tokio::join!(refusal(&config, &series, &nobody), accept) }).await.expect("it comes");
    assert!(message.starts_with("mqtt://[::1]:"), "{message}");
}

#[tokio::test]
async fn a_sink_that_is_closed_takes_leave_of_the_broker() {
    let Some(mut broker) = Mosquitto::start().await else { return };
    let series = series("p", push(&local(&broker), "", 1));
    for version in VERSIONS {
        open(&config(version), &series).await.close().await;
        broker.wait_for_line(|line| line.contains("Received DISCONNECT from test-")).await;
        drop(open(&config(version), &series).await);
        broker.wait_for_line(|line| line.contains("Client test-") && line.contains("closed its connection")).await;
    }
}

#[tokio::test]
async fn a_second_connection_of_the_same_mapper_takes_the_place_of_the_first() {
    let Some(broker) = Mosquitto::start().await else { return };
    let series = series("p", push(&local(&broker), "", 1));
    for version in VERSIONS {
        let mut first = open(&config(version), &series).await;
        let mut second = open(&config(version), &series).await;
        let error = loss(&mut first).await;
        assert!(error.is_disconnected() && error.to_string().contains("sinks.mqtt.client_id"), "{error:?}");
        assert_eq!(second.write(&[record(&series, "x")]).await.expect("written"), Outcome::accepted(1));
        second.close().await;
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_its_neighbours_arrive() {
    let options = MosquittoOptions { settings: "max_packet_size 1000", ..MosquittoOptions::default() };
    let Some(broker) = Mosquitto::start_with(options).await else { return };
    let series = series("p", push(&local(&broker), "", 1));
    for (version, limit) in [(MqttVersion::V3, "sinks.mqtt.max_packet_bytes"), (MqttVersion::V5, "the broker")] {
        let subscriber = broker.subscribe(2).await;
        let mut config = config(version);
        config.mqtt.max_packet_bytes = if version == MqttVersion::V3 { 1000 } else { 2000 };
        let mut batch = numbered(&series, 0..20);
        batch.insert(7, record(&series, "x".repeat(1500)));
        let mut sink = open(&config, &series).await;
        let mut outcomes = sink.write(&batch).await.expect("written");
        let Outcome::Refused(reason) = outcomes.remove(7) else { panic!("it is not refused") };
        assert!(reason.ends_with(&format!("larger than the 1000 of {limit}")), "{reason}");
        assert_eq!(outcomes, Outcome::accepted(20));
        sink.health().await.expect("the connection is sound");
        assert_eq!(numbers(&subscriber.wait_for(20, |_| true).await), (0..20).collect::<Vec<_>>());
        sink.close().await;
    }
}

#[tokio::test]
async fn what_the_brokers_rules_forbid_is_refused_one_by_one_with_5() {
    let options = MosquittoOptions { writable: Some("allowed/#"), ..MosquittoOptions::default() };
    let Some(broker) = Mosquitto::start_with(options).await else { return };
    let subscriber = broker.subscribe(2).await;
    for qos in [1, 2] {
        let allowed = series("p", push(&local(&broker), "allowed/{property}", qos));
        let forbidden = series("p", push(&local(&broker), "forbidden/{property}", qos));
        let mut sink = open(&config(MqttVersion::V5), &allowed).await;
        // More than can be on their way at once, so that a refusal makes room as an acceptance does.
        let mut batch = numbered(&forbidden, 0..300);
        batch.extend(numbered(&allowed, 0..50));
        let outcomes = timeout(DEADLINE, sink.write(&batch)).await.expect("in time").expect("written");
        for outcome in &outcomes[..300] {
            let Outcome::Refused(reason) = outcome else { panic!("{outcome:?}") };
            assert!(reason.starts_with("the broker does not let the client publish to this topic"), "{reason}");
        }
        assert_eq!(outcomes[300..], Outcome::accepted(50));
        subscriber.wait_for(50, |message| message.qos == qos).await;
        sink.close().await;
    }
}

#[tokio::test]
async fn a_refusal_that_the_library_cannot_read_costs_one_record() {
    // Mosquitto refuses what is too large by a code that a PUBACK should not have.
    let options = MosquittoOptions { settings: "message_size_limit 1000", ..MosquittoOptions::default() };
    let Some(broker) = Mosquitto::start_with(options).await else { return };
    let subscriber = broker.subscribe(2).await;
    for qos in [1, 2] {
        let config = config(MqttVersion::V5);
        let series = series("p", push(&local(&broker), "", qos));
        let mut batch = numbered(&series, 0..40);
        batch.insert(25, record(&series, "x".repeat(1500)));
        let mut outcomes = open(&config, &series).await.write(&batch).await.expect("some are written");
        let again: Vec<_> =
            (0..41).filter(|index| matches!(outcomes[*index], Outcome::Retry(_))).map(|it| batch[it].clone()).collect();
        let Outcome::Refused(reason) = outcomes.remove(25) else { panic!("it is not refused: {outcomes:?}") };
        assert!(reason.contains("sinks.mqtt.max_packet_bytes"), "{reason}");
        assert!(!outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))), "{outcomes:?}");
        let mut sink = open(&config, &series).await;
        assert_eq!(sink.write(&again).await.expect("written"), Outcome::accepted(again.len()));
        let mut arrived = subscriber.wait_for_last(|message| message.qos == qos && value(message) == "39").await;
        arrived.retain(|message| message.qos == qos);
        let mut arrived = numbers(&arrived);
        arrived.sort_unstable();
        arrived.dedup();
        assert_eq!(arrived, (0..40).collect::<Vec<_>>());
        sink.close().await;
    }
}
