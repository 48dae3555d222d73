//! Topics that the broker does not let the mapper read.

use integration_tests::servers::{Mosquitto, MosquittoOptions};

use crate::{
    Outcome,
    bed::{Bed, Version, id, plain},
    peers::Publisher,
};

/// The topic by which the plugin of the broker is controlled.
const CONTROL: &str = "$CONTROL/dynamic-security/v1";

/// Everybody may do everything, but subscribe to `plant/…`.
const NO_PLANT: &str = r#"{
    "defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true, "subscribe": true, "unsubscribe": true},
    "anonymousGroup": "everybody",
    "groups": [{"groupname": "everybody", "roles": [{"rolename": "guest"}]}],
    "roles": [{"rolename": "guest", "acls": [
        {"acltype": "publishClientSend", "topic": "$CONTROL/#", "allow": true},
        {"acltype": "subscribePattern", "topic": "plant/#", "allow": false}
    ]}]
}"#;

/// Everybody may do everything, but subscribe.
const NOTHING: &str = r#"{
    "defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
    "anonymousGroup": "everybody",
    "groups": [{"groupname": "everybody", "roles": [{"rolename": "guest"}]}],
    "roles": [{"rolename": "guest", "acls": [
        {"acltype": "publishClientSend", "topic": "$CONTROL/#", "allow": true}
    ]}]
}"#;

async fn secured(security: &'static str) -> Option<Mosquitto> {
    Mosquitto::start_with(MosquittoOptions { security: Some(security), ..MosquittoOptions::default() }).await
}

/// How a refused subscription is reported. MQTT 3.1.1 has no reason.
fn refusal(filter: &str, version: Version) -> String {
    let why = if version == Version::V5 { "it is not authorized: " } else { "" };
    format!("the broker refuses the subscription to {filter}: {why}allow the mapper's user to read it")
}

/// Why the level of a device cannot be read.
async fn error(bed: &Bed, device: &str) -> String {
    bed.bed.handle().read(&id(device), "level").await.unwrap_err().to_string()
}

by_each_version! {
    a_refused_subscription_is_named_and_asked_for_again_until_it_is_granted,
    a_device_whose_availability_topic_is_refused_is_offline_until_it_is_granted,
}

async fn a_refused_subscription_is_named_and_asked_for_again_until_it_is_granted(version: Version) -> Outcome {
    let Some(broker) = secured(NOTHING).await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("plant/tank", r#"{"level":1.5}"#).await;
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, version.key())).await;
    // It is reported without anybody asking for it.
    bed.is("tank", "unhealthy").await;
    let reason = refusal("plant/tank", version);
    bed.fails("tank", "level", &reason).await;
    let read = error(&bed, "tank").await;
    assert!(read.contains(&reason), "{read}");
    // Put right. This costs no connection, so that only a new question shows it.
    let order = r#"{"commands":[{"command":"setDefaultACLAccess","acls":[{"acltype":"subscribe","allow":true}]}]}"#;
    publisher.publish(CONTROL, order).await;
    bed.holds("tank", "level", "1.5").await;
    bed.is("tank", "online").await;
    let stats = bed.bed.handle().device_stats(&id("tank")).unwrap();
    assert_eq!(stats.sessions().lost(), 0, "it is one session");
    bed.stop().await;
    Ok(())
}

async fn a_device_whose_availability_topic_is_refused_is_offline_until_it_is_granted(version: Version) -> Outcome {
    let Some(broker) = secured(NO_PLANT).await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("plant/tank/status", "online").await;
    publisher.retain("house/lamp", r#"{"level":7}"#).await;
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, &format!("{}availability: plant/tank/status", version.key()))).await;
    bed.apply(&plain("lamp", &broker, version.key()).replace("plant/{device}", "house/{device}")).await;
    bed.reason("tank", &refusal("plant/tank/status", version)).await;
    bed.is("tank", "offline").await;
    // The others of this connection go on.
    bed.holds("lamp", "level", "7").await;
    let order = r#"{"commands":[{"command":"removeRoleACL","rolename":"guest","acltype":"subscribePattern","topic":"plant/#"}]}"#;
    // The broker ends the connections of all whom it concerns.
    publisher.send(CONTROL, order).await;
    bed.ends_well(&broker).await;
    Ok(())
}

#[tokio::test]
async fn a_broker_that_grants_a_topic_and_keeps_its_messages_back_is_suspected() {
    let options = MosquittoOptions { readable: Some("house/#"), ..MosquittoOptions::default() };
    let Some(mut broker) = Mosquitto::start_with(options).await else { return };
    let mut publisher = Publisher::connect(&broker);
    publisher.publish("plant/tank", r#"{"level":1.5}"#).await;
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, "timeout: 3000")).await;
    bed.is("tank", "unknown").await;
    let read = error(&bed, "tank").await;
    let reason = "nothing has come on plant/tank yet: is the topic right, and may the mapper's user read it?";
    assert!(read.contains(reason), "{read}");
    broker.reload(MosquittoOptions { readable: Some("#"), ..options }).await;
    broker.wait_for_line(|line| line.contains("Reloading config")).await;
    publisher.publish("plant/tank", r#"{"level":2.5}"#).await;
    bed.holds("tank", "level", "2.5").await;
    bed.stop().await;
}
