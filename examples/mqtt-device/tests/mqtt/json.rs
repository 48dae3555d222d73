//! Whatever publishes JSON or text, by the driver itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use integration_tests::servers::Mosquitto;
use mapper_framework::{DataType, DriverError, Session, Value, model::Quality, testing::DEADLINE};
use mqtt_device::MqttDevices;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    Outcome,
    bed::{Version, connect, next, property},
    peers::{Played, Publisher},
};

#[tokio::test]
async fn values_of_every_form_come_as_they_are_published() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let driver = MqttDevices::default();
    let mut lamp = connect(&driver, &broker, json!({"placeholders": "room=kitchen"})).await?;
    let properties = [
        property("level", DataType::Double, json!({"topic": "{room}/{device}", "pointer": "/a/level", "scale": 0.1})),
        property("mode", DataType::Int, json!({"topic": "{room}/+/mode", "map": "eco=1, full=2"})),
        property("humidity", DataType::Int, json!({"topic": "{room}/{device}/text", "pattern": "H=([0-9]+)"})),
    ];
    assert_eq!(lamp.subscribe(&properties).await?.names().count(), 3);
    for (topic, payload, name, value) in [
        ("kitchen/lamp", r#"{"a":{"level":215}}"#, "level", Value::Double(21.5)),
        ("kitchen/other/mode", "full", "mode", Value::Int(2)),
        ("kitchen/lamp/text", "T=20C H=40%", "humidity", Value::Int(40)),
    ] {
        let before = SystemTime::now();
        publisher.publish(topic, payload).await;
        let change = next(&mut lamp).await;
        let reading = change.result().map_err(Clone::clone)?;
        assert_eq!((change.property(), reading.get_value()), (name, &value));
        assert_eq!(reading.get_quality(), Quality::Good);
        assert!(reading.get_time().is_some_and(|time| time >= before));
        let property = properties.iter().find(|property| property.name() == name).unwrap();
        assert_eq!(lamp.read(property).await?, *reading, "a read has the value with its own time");
    }
    // A message without the field changes nothing, and one with nonsense is the property's failure.
    publisher.publish("kitchen/lamp", r#"{"b":1}"#).await;
    publisher.publish("kitchen/lamp", "garbage").await;
    let change = next(&mut lamp).await;
    assert_eq!(change.result().unwrap_err().to_string(), r#"kitchen/lamp: the payload is no JSON: "garbage""#);
    assert!(lamp.read(&properties[0]).await.is_err());
    publisher.publish("kitchen/lamp", r#"{"a":{"level":220}}"#).await;
    assert_eq!(next(&mut lamp).await.result().map_err(Clone::clone)?.get_value(), &Value::Double(22.0));
    Ok(())
}

by_each_version! {
    what_the_broker_has_kept_is_not_of_now,
}

async fn what_the_broker_has_kept_is_not_of_now(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("lamp", r#"{"level":1,"ts":"2026-01-02T03:04:05Z"}"#).await;
    let driver = MqttDevices::default();
    let mut session = connect(&driver, &broker, json!({"version": version.number(), "topic": "{device}"})).await?;
    let level = |more: serde_json::Value| {
        let mut visitor = json!({"pointer": "/level"});
        visitor.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        property("level", DataType::Int, visitor)
    };
    let kept = session.read(&level(json!({}))).await?;
    assert_eq!((kept.get_value(), kept.get_quality()), (&Value::Int(1), Quality::Uncertain));
    // Somebody else asks for it, so that it comes again; that makes it no newer.
    let mut other = connect(&driver, &broker, json!({"version": version.number(), "topic": "{device}"})).await?;
    let dated = other.read(&level(json!({"time": "/ts"}))).await?;
    let taken = UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    assert_eq!((dated.get_time(), dated.get_quality()), (Some(taken), Quality::Good));
    assert_eq!(session.read(&level(json!({}))).await?, kept);
    let mut trusting =
        connect(&driver, &broker, json!({"version": version.number(), "topic": "{device}", "retained": "good"}))
            .await?;
    assert_eq!(trusting.read(&level(json!({}))).await?.get_quality(), Quality::Good);
    let mut strict = connect(
        &driver,
        &broker,
        json!({"version": version.number(), "topic": "{device}", "retained": "ignore", "timeout": 300}),
    )
    .await?;
    let error = strict.read(&level(json!({}))).await.unwrap_err();
    let silence = "nothing has come on lamp yet: is the topic right, and may the mapper's user read it?";
    assert!(error.to_string().starts_with(silence), "{error}");
    publisher.publish("lamp", r#"{"level":1,"ts":1}"#).await;
    assert_eq!(next(&mut strict).await.result().map_err(Clone::clone)?.get_value(), &Value::Int(1));
    assert_eq!(session.read(&level(json!({}))).await?.get_quality(), Quality::Good);
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_too_old_counts_for_nothing() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let mut session = connect(&MqttDevices::default(), &broker, json!({"topic": "{device}", "maxAge": 4000})).await?;
    let level = property("level", DataType::Int, json!({"pointer": "/level", "time": "/ts"}));
    session.subscribe(std::slice::from_ref(&level)).await?;
    publisher.publish("lamp", r#"{"level":1}"#).await;
    assert!(next(&mut session).await.result().is_ok());
    assert_eq!(session.state().await?.as_str(), "online");
    let old = "the last value is older than 4s, its maxAge: nothing newer has come on lamp";
    assert_eq!(next(&mut session).await.result().unwrap_err().to_string(), old);
    assert_eq!(session.read(&level).await.unwrap_err().to_string(), old);
    assert_eq!(session.state().await?.as_str(), "unhealthy");
    // One that was old when it came.
    publisher.publish("lamp", r#"{"level":2,"ts":1000}"#).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let changes = timeout(DEADLINE, session.changed()).await.expect("a change comes")?;
        seen.extend(changes.into_iter().map(|change| change.result().is_ok()));
    }
    assert_eq!(seen, [true, false]);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_property_is_named() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let Some(_device) = Played::start(&broker, "json", "lamp").await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let driver = MqttDevices::default();
    let mut session = connect(&driver, &broker, json!({"timeout": 4000})).await?;
    // It shares the connection, so that it waits for nothing but a message that does not come.
    let mut hasty = connect(&driver, &broker, json!({"timeout": 300})).await?;
    publisher.retain("lamp", "{}").await;
    for (visitor, message) in [
        (json!({"pointer": "/level"}), "there is no topic: write one in visitors.configData"),
        (json!({"topic": "{room}"}), "the placeholder {room}, but there is {device} only"),
        (json!({"topic": "lamp", "pointer": "/level"}), "of 1 messages on lamp none has a value for it"),
        (json!({"command": "lamp/set"}), "it has a command only"),
    ] {
        let property = property(&visitor.to_string(), DataType::Int, visitor.clone());
        let error = session.read(&property).await.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let nowhere = property("nowhere", DataType::Int, json!({"topic": "nowhere"}));
    let error = hasty.read(&nowhere).await.unwrap_err().to_string();
    assert!(error.contains("nothing has come on nowhere yet: is the topic right"), "{error}");
    for (visitor, message) in [
        (json!({"topic": "lamp"}), "it has no `command`"),
        (json!({"topic": "lamp", "command": "lamp/+"}), "it is a filter"),
    ] {
        let property = property(&visitor.to_string(), DataType::Int, visitor.clone());
        let error = session.write(&property, &Value::Int(1)).await.unwrap_err();
        assert!(error.to_string().contains(message) && !error.is_retryable(), "{error}");
    }
    Ok(())
}
