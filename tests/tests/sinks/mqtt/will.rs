//! What a broker says of the mapper, by its messages and by its last will.

use integration_tests::servers::{Mosquitto, MosquittoOptions, Published};
use mapper_framework::{
    config::{MqttVersion, SinksConfig},
    sink::{Credentials, Outcome, Sink},
};

use super::{VERSIONS, config, local, open, push, record, refusal, series, value};

const TOPIC: &str = "state/edge-7";

fn config_with_will(version: MqttVersion) -> SinksConfig {
    let mut config = config(version);
    config.mqtt.node_name = "edge-7".to_owned();
    config.mqtt.will.topic = "state/{node}".to_owned();
    config
}

fn text(message: &Published) -> String {
    if message.topic == TOPIC { String::from_utf8_lossy(&message.payload).into_owned() } else { value(message) }
}

#[tokio::test]
async fn the_broker_says_whether_the_mapper_is_connected() {
    for version in VERSIONS {
        let Some(broker) = Mosquitto::start().await else { return };
        let subscriber = broker.subscribe(2).await;
        let (config, series) = (config_with_will(version), series("p", push(&local(&broker), "values", 1)));
        let mut sink = open(&config, &series).await;
        assert_eq!(sink.write(&[record(&series, "1")]).await.expect("written"), Outcome::accepted(1));
        // Cut without DISCONNECT, as when the mapper is killed.
        drop(sink);
        subscriber.wait_for(3, |_| true).await;
        open(&config, &series).await.close().await;
        let messages = subscriber.wait_for(5, |_| true).await;
        let said: Vec<_> = messages.iter().map(text).collect();
        assert_eq!(said, ["online", "1", "offline", "online", "offline"]);
        let kept = broker.subscribe(2).await.wait_for(1, |_| true).await;
        assert!(kept[0].retained && kept[0].topic == TOPIC && kept[0].payload == b"offline", "{kept:?}");
    }
}

#[tokio::test]
async fn a_connection_that_takes_the_place_of_another_says_online_last() {
    let Some(broker) = Mosquitto::start().await else { return };
    let subscriber = broker.subscribe(2).await;
    let (config, series) = (config_with_will(MqttVersion::V3), series("p", push(&local(&broker), "values", 1)));
    let first = open(&config, &series).await;
    let second = open(&config, &series).await;
    let messages = subscriber.wait_for(3, |_| true).await;
    assert_eq!(messages.iter().map(text).collect::<Vec<_>>(), ["online", "offline", "online"]);
    drop(first);
    second.close().await;
}

#[tokio::test]
async fn a_topic_of_the_will_that_the_rules_forbid_is_named_by_its_key() {
    let options = MosquittoOptions { writable: Some("values/#"), ..MosquittoOptions::default() };
    let Some(broker) = Mosquitto::start_with(options).await else { return };
    let series = series("p", push(&local(&broker), "values/p", 1));
    let reason = refusal(&config_with_will(MqttVersion::V5), &series, &Credentials::none()).await;
    assert!(reason.contains("sinks.mqtt.will"), "{reason}");
}
