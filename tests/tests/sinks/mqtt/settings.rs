//! Settings of a broker that are wrong while records come, and are put right: nothing is lost by that.

use integration_tests::servers::{Mochi, MochiOptions, Published};
use mapper_framework::config::MqttVersion;

use super::value;
use crate::run::Run;

/// The device sends the numbers `0..each` with this QoS by MQTT 5.
async fn start(broker: &Mochi, topic: &str, qos: u8, each: u64) -> Run {
    let address = format!("mqtt://127.0.0.1:{}", broker.port());
    let push = format!("{{mqtt: {{address: \"{address}\", topic: \"{topic}\", qos: {qos}, retained: false}}}}");
    Run::start(&["boiler"], each, &push, |config, _| config.sinks.mqtt.version = MqttVersion::V5).await
}

/// Sees to it that all numbers come. In the moment in which the broker is put right, what it refused last may be overtaken by what is tried next.
async fn all_arrive(run: Run, subscriber: &integration_tests::servers::Subscriber, each: u64) {
    let ledger = run.settle().await;
    assert_eq!((ledger.delivered(), ledger.rejected(), ledger.dropped()), (each, 0, 0), "{ledger}");
    let number = |message: &Published| value(message).parse::<u64>().expect("a number");
    let messages = subscriber.wait_for_last(|message| number(message) == each - 1).await;
    let mut arrived: Vec<_> = messages.iter().map(number).collect();
    // What was on its way when a connection was given up comes twice.
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived, (0..each).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_qos_above_the_brokers_is_lowered_to_it() {
    let Some(broker) = Mochi::start(MochiOptions { max_qos: 1, denied: "" }).await else { return };
    let subscriber = broker.subscribe().await;
    let run = start(&broker, "", 2, 2_000).await;
    all_arrive(run, &subscriber, 2_000).await;
    let messages = subscriber.wait_for(2_000, |_| true).await;
    assert!(messages.iter().all(|message| message.qos == 1), "that is what the broker takes");
}

#[tokio::test]
async fn a_topic_that_the_rules_deny_costs_no_record() {
    let Some(broker) = Mochi::start(MochiOptions { max_qos: 2, denied: "plant/" }).await else { return };
    let subscriber = broker.subscribe().await;
    let run = start(&broker, "plant/{device}", 1, 2_000).await;
    run.until_down("does not let the client publish").await;
    run.until_produced().await;
    broker.set_up(MochiOptions { max_qos: 2, denied: "" });
    all_arrive(run, &subscriber, 2_000).await;
}
