//! What goes wrong with brokers.

use integration_tests::servers::Mosquitto;
use mapper_framework::{DataType, Session};
use mqtt_device::MqttDevices;
use serde_json::json;

use crate::{
    Outcome,
    bed::{Bed, Version, connect, id, locked, plain, property},
    peers::Publisher,
};

by_each_version! {
    a_broker_that_was_killed_has_all_its_devices_again_and_nothing_stale_is_claimed,
    a_broker_that_is_frozen_is_noticed,
    a_password_that_is_put_right_lets_the_mapper_in_and_so_does_a_certificate,
    devices_of_one_broker_share_a_connection,
}

async fn a_broker_that_was_killed_has_all_its_devices_again_and_nothing_stale_is_claimed(version: Version) -> Outcome {
    let Some(mut broker) = Mosquitto::start().await else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, version.key())).await;
    bed.apply(&plain("well", &broker, version.key())).await;
    bed.is("tank", "unknown").await;
    bed.is("well", "unknown").await;
    let mut publisher = Publisher::connect(&broker);
    publisher.publish("plant/tank", r#"{"level":1.5}"#).await;
    publisher.publish("plant/well", r#"{"level":2.5}"#).await;
    bed.holds("tank", "level", "1.5").await;
    bed.holds("well", "level", "2.5").await;
    broker.kill().await;
    bed.is("tank", "offline").await;
    bed.is("well", "offline").await;
    bed.reason("tank", "Connection refused").await;
    broker.restart().await;
    // Connected again, and nothing has come from it since.
    bed.is("tank", "unknown").await;
    bed.is("well", "unknown").await;
    let error = bed.bed.handle().read(&id("tank"), "level").await.unwrap_err().to_string();
    assert!(error.contains("nothing has come on plant/tank yet"), "{error}");
    bed.ends_well(&broker).await;
    Ok(())
}

async fn a_broker_that_is_frozen_is_noticed(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, &format!("{}keepAlive: 5000, timeout: 1000", version.key()))).await;
    bed.is("tank", "unknown").await;
    let mut publisher = Publisher::connect(&broker);
    publisher.publish("plant/tank", r#"{"level":1.5}"#).await;
    bed.holds("tank", "level", "1.5").await;
    broker.freeze().await;
    bed.is("tank", "offline").await;
    bed.reason("tank", "no answer within 1s").await;
    broker.thaw().await;
    bed.ends_well(&broker).await;
    Ok(())
}

async fn a_password_that_is_put_right_lets_the_mapper_in_and_so_does_a_certificate(version: Version) -> Outcome {
    let Some(broker) = locked().await else { return Ok(()) };
    let bed = Bed::start().await;
    let authority = std::fs::read_to_string(&broker.certificate().cert_file).unwrap();
    bed.credentials("house", &[("username", Mosquitto::USER), ("password", "hunter3")]);
    bed.apply(&plain("tank", &broker, &format!("{}credentials: house", version.key()))).await;
    let secure = plain("safe", &broker, &format!("{}credentials: house, timeout: 1000", version.key()));
    let secure = secure
        .replace(&format!("mqtt://127.0.0.1:{}", broker.port()), &format!("mqtts://localhost:{}", broker.tls_port()));
    bed.apply(&secure).await;
    bed.apply(&plain("stranger", &broker, version.key())).await;
    bed.reason("stranger", "it wants a login: name one by protocol.configData.credentials").await;
    let reason = bed.reason("tank", "it refuses the login of \"mapper\": correct the files").await;
    assert!(!reason.contains("hunter"), "{reason}");
    bed.reason("safe", "is the authority of the broker's certificate in the file ca.crt").await;
    bed.credentials("house", &[("password", Mosquitto::PASSWORD), ("ca.crt", &authority)]);
    bed.is("tank", "unknown").await;
    bed.is("safe", "unknown").await;
    let mut publisher = Publisher::connect(&broker);
    publisher.publish("plant/tank", r#"{"level":1.5}"#).await;
    publisher.publish("plant/safe", r#"{"level":2.5}"#).await;
    bed.holds("tank", "level", "1.5").await;
    bed.holds("safe", "level", "2.5").await;
    bed.stop().await;
    Ok(())
}

async fn devices_of_one_broker_share_a_connection(version: Version) -> Outcome {
    let Some(mut broker) = Mosquitto::start().await else { return Ok(()) };
    let driver = MqttDevices::default();
    let connects =
        || async { connect(&driver, &broker, json!({"topic": "{device}", "version": version.number()})).await };
    let (first, second) = tokio::join!(connects(), connects());
    let (first, mut second) = (first?, second?);
    // The session of one ends, and the other one goes on.
    drop(first);
    let level = property("level", DataType::Int, json!({}));
    second.subscribe(std::slice::from_ref(&level)).await?;
    let mut publisher = Publisher::connect(&broker);
    publisher.publish("lamp", "7").await;
    assert_eq!(second.read(&level).await?.get_value().to_string(), "7");
    drop((second, publisher));
    let is_mapper = |line: &str| line.contains("New client connected") && line.contains(" as mqtt-mapper-");
    broker.wait_for_line(is_mapper).await;
    // It has written down all that it knows.
    broker.stop().await;
    let count = broker.lines().iter().filter(|line| is_mapper(line)).count();
    assert_eq!(count, 1);
    Ok(())
}
