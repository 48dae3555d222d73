//! What brokers say by MQTT 5 only.

use std::sync::Arc;

use integration_tests::servers::{Mochi, MochiOptions, Mosquitto, MosquittoOptions};
use mapper_framework::{DataType, DriverError, Property, Session, Value, model::Credentials, testing::DEADLINE};
use mqtt_device::{MqttDevice, MqttDevices, Visitor};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Outcome,
    bed::{Bed, Version, at_port, connect, connect_at, plain, plain_at, property},
    peers::{Listener, Publisher},
};

fn valve(confirm: &str) -> Arc<Property<Visitor>> {
    property("valve", DataType::Int, json!({"topic": "plant/valve", "command": "plant/set", "confirm": confirm}))
}

async fn by_5(broker: &Mosquitto) -> Result<MqttDevice, DriverError> {
    connect(&MqttDevices::default(), broker, json!({"version": 5, "timeout": 3000})).await
}

/// Why a session ends.
async fn end(mut session: MqttDevice) -> String {
    let wait = async {
        loop {
            if let Err(error) = session.changed().await {
                return error.to_string();
            }
        }
    };
    timeout(DEADLINE, wait).await.expect("the session ends")
}

#[tokio::test]
async fn a_command_that_the_broker_refuses_fails_at_once_with_the_reason_and_one_that_nobody_hears_with_that() -> Outcome
{
    let options = MosquittoOptions { writable: Some("plant/valve"), ..MosquittoOptions::default() };
    let Some(mut broker) = Mosquitto::start_with(options).await else { return Ok(()) };
    let mut session = by_5(&broker).await?;
    let error = session.write(&valve("value"), &Value::Int(1)).await.unwrap_err();
    let refused =
        "the broker refuses the command to plant/set: it is not authorized: allow the mapper's user to write to it";
    assert_eq!(error.to_string(), refused);
    assert!(error.is_retryable());
    broker.reload(MosquittoOptions { writable: Some("#"), ..options }).await;
    broker.wait_for_line(|line| line.contains("Reloading config")).await;
    let unheard = "the broker says that nobody has subscribed to plant/set";
    let error = session.write(&valve("broker"), &Value::Int(1)).await.unwrap_err();
    assert_eq!(error.to_string(), unheard);
    // Something else may hear it, and the device may answer, so that this one waits.
    let error = session.write(&valve("value"), &Value::Int(1)).await.unwrap_err().to_string();
    assert!(error.contains("has not confirmed 1 on plant/set within 3s: nothing has come on plant/valve; "), "{error}");
    assert!(error.ends_with(unheard), "{error}");
    let _listener = Listener::connect(&broker, "plant/set").await;
    session.write(&valve("broker"), &Value::Int(1)).await
}

#[tokio::test]
async fn a_command_that_the_device_has_to_confirm_expires_with_the_write() -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut listener = Listener::connect(&broker, "plant/set").await;
    let mut session = by_5(&broker).await?;
    session.write(&valve("value"), &Value::Int(1)).await.expect_err("nobody confirms it");
    session.write(&valve("broker"), &Value::Int(2)).await?;
    assert_eq!(listener.next().await, ("1".to_owned(), Some(3)));
    assert_eq!(listener.next().await, ("2".to_owned(), None), "it is for whenever the device comes");
    Ok(())
}

#[tokio::test]
async fn what_the_broker_takes_is_kept_to() -> Outcome {
    let options = MosquittoOptions {
        settings: "max_packet_size 2000\nmax_inflight_messages 1",
        max_qos: Some(0),
        ..MosquittoOptions::default()
    };
    let Some(broker) = Mosquitto::start_with(options).await else { return Ok(()) };
    let _listener = Listener::connect(&broker, "plant/#").await;
    let driver = MqttDevices::default();
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(connect(&driver, &broker, json!({"version": 5})).await?);
    }
    let text = property("text", DataType::String, json!({"command": "plant/text"}));
    let error = sessions[0].write(&text, &Value::from("x".repeat(2000))).await.unwrap_err();
    let too_large = "the command to plant/text takes 2016 bytes, and 2000 are the most that can be sent to this broker";
    assert!(error.to_string() == too_large && !error.is_retryable(), "{error}");
    // No more than one is on its way at once, and all come.
    for session in &mut sessions {
        session.write(&text, &Value::from("x".repeat(1000))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_ends_with_the_brokers_reason() -> Outcome {
    let Some(broker) = Mochi::start(MochiOptions { max_qos: 2, denied: "" }).await else { return Ok(()) };
    let (url, of_id) = (at_port(broker.port()), json!({"version": 5, "clientId": "mapper"}));
    let (one, other) = (MqttDevices::default(), MqttDevices::default());
    let first = connect_at(&one, &url, Credentials::none(), of_id.clone()).await?;
    let _second = connect_at(&other, &url, Credentials::none(), of_id).await?;
    let why = end(first).await;
    let reason =
        "another client has come to the broker with the same id (\"session takeover\"): give each its own `clientId`";
    assert_eq!(why, format!("{url}: {reason}"));
    Ok(())
}

/// A double of a broker that speaks MQTT 3.1.1 only: it refuses any other version as the standard wants it.
async fn old_broker(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The client's packet is shorter than 128 bytes, so that its length is one. The version stands behind the protocol's name.
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.unwrap();
        let mut connect = vec![0; head[1].into()];
        stream.read_exact(&mut connect).await.unwrap();
        stream.write_all(&[0x20, 2, 0, u8::from(connect[6] != 4)]).await.unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_speaks_no_mqtt_5_is_suspected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = at_port(listener.local_addr().unwrap().port());
    let _double = AbortOnDropHandle::new(tokio::spawn(old_broker(listener)));
    let bed = Bed::start().await;
    bed.apply(&plain_at("tank", &address, Version::V5.key())).await;
    bed.reason("tank", "does it speak MQTT 5 (`version`), and does it want TLS on this port").await;
    bed.stop().await;
}

#[tokio::test]
async fn devices_by_either_version_have_connections_of_their_own() {
    let Some(mut broker) = Mosquitto::start().await else { return };
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, Version::V3.key())).await;
    bed.apply(&plain("well", &broker, Version::V5.key())).await;
    bed.is("tank", "unknown").await;
    bed.is("well", "unknown").await;
    let mut publisher = Publisher::connect(&broker);
    publisher.publish("plant/tank", r#"{"level":1.5}"#).await;
    publisher.publish("plant/well", r#"{"level":2.5}"#).await;
    bed.holds("tank", "level", "1.5").await;
    bed.holds("well", "level", "2.5").await;
    bed.stop().await;
    // It has written down all that it knows.
    broker.stop().await;
    // `p2` is MQTT 3.1.1 there, and `p5` MQTT 5.
    let connections = |version: &str| {
        let is_one = |line: &&String| line.contains(" as mqtt-mapper-") && line.contains(version);
        broker.lines().iter().filter(is_one).count()
    };
    assert_eq!((connections("(p2,"), connections("(p5,")), (1, 1));
}
