//! Brokers that are slow, or that do not answer any more, beside one that is well.

use integration_tests::{Proxy, servers::Mosquitto};

use crate::{
    bed::{Bed, at_port, id, plain, plain_at, url},
    peers::Publisher,
};

/// Publishes values at a broker, each of which is served before the next one comes, and has its pump switched.
async fn all_is_well(bed: &Bed, broker: &Mosquitto, publisher: &mut Publisher, first: u32) {
    let mut watcher = Publisher::connect(broker);
    for level in first..first + 5 {
        publisher.publish("plant/tank", &format!(r#"{{"level":{level}}}"#)).await;
        bed.holds("tank", "level", &level.to_string()).await;
    }
    watcher.publish("plant/tank", &format!(r#"{{"level":{first}}}"#)).await;
    bed.holds("tank", "level", &first.to_string()).await;
    bed.bed.handle().write(&id("tank"), "valve", &first.to_string()).await.expect("its broker takes it at once");
}

#[tokio::test]
async fn a_broker_behind_a_slow_line_holds_up_none_of_another_broker() {
    let (Some(slow), Some(well)) = (Mosquitto::start().await, Mosquitto::start().await) else { return };
    let proxy = Proxy::start(slow.port()).await.unwrap();
    // Not even the greeting gets through in a minute.
    proxy.slow_down(1);
    let bed = Bed::start().await;
    let line = at_port(proxy.port());
    bed.apply(&plain_at("well", &line, "timeout: 3000")).await;
    bed.apply(&plain("tank", &well, "")).await;
    bed.is("tank", "unknown").await;
    let reason = bed.reason("well", "no answer within 3s").await;
    assert!(reason.contains(&line), "{reason}");
    let mut publisher = Publisher::connect(&well);
    all_is_well(&bed, &well, &mut publisher, 1).await;
    bed.is("well", "offline").await;
    bed.is("tank", "online").await;
    proxy.speed_up();
    bed.is("well", "unknown").await;
    let mut distant = Publisher::connect(&slow);
    distant.publish("plant/well", r#"{"level":7}"#).await;
    bed.holds("well", "level", "7").await;
    // It becomes slow in the middle of it.
    proxy.slow_down(1);
    let error = bed.bed.handle().write(&id("well"), "valve", "1").await.unwrap_err().to_string();
    assert!(error.contains("the broker has not taken the command to plant/well/set within 3s"), "{error}");
    all_is_well(&bed, &well, &mut publisher, 20).await;
    proxy.speed_up();
    distant.publish("plant/well", r#"{"level":8}"#).await;
    bed.holds("well", "level", "8").await;
    bed.bed.handle().write(&id("well"), "valve", "2").await.expect("it takes commands again");
    bed.is("well", "online").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_frozen_holds_up_none_of_another_broker() {
    let (Some(frozen), Some(well)) = (Mosquitto::start().await, Mosquitto::start().await) else { return };
    let bed = Bed::start().await;
    bed.apply(&plain("well", &frozen, "keepAlive: 4000, timeout: 3000")).await;
    bed.apply(&plain("tank", &well, "")).await;
    bed.is("tank", "unknown").await;
    bed.is("well", "unknown").await;
    frozen.freeze().await;
    let error = bed.bed.handle().write(&id("well"), "valve", "1").await.unwrap_err().to_string();
    assert!(error.contains("the broker has not taken the command to plant/well/set within 3s"), "{error}");
    let mut publisher = Publisher::connect(&well);
    all_is_well(&bed, &well, &mut publisher, 1).await;
    let reason = bed.reason("well", "no answer within 3s").await;
    assert!(reason.contains(&url(&frozen)), "{reason}");
    bed.is("well", "offline").await;
    all_is_well(&bed, &well, &mut publisher, 20).await;
    frozen.thaw().await;
    bed.is("well", "unknown").await;
    bed.bed.handle().write(&id("well"), "valve", "2").await.expect("it takes commands again");
    bed.stop().await;
}
