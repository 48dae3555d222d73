//! Reports over DMI, of which edgecore says on the bus what it has stored.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use integration_tests::servers::Mosquitto;
use mapper_framework::{
    config::ReportVia,
    local_edge::{EdgeEvent, EdgeEvents},
};
use rumqttc::{AsyncClient, MqttOptions, QoS};
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

use crate::rig::Rig;

/// The twin of which nothing is said at first.
const UNSAID: &str = "b";

/// Says on the broker what an edge has stored, as edgecore does, for as long as it lives.
struct Word {
    complete: Arc<AtomicBool>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Word {
    fn start(broker: &Mosquitto, events: EdgeEvents) -> Self {
        let options = MqttOptions::new("edgecore", "127.0.0.1", broker.port());
        let (client, mut connection) = AsyncClient::new(options, 1000);
        let connected = async move { while connection.poll().await.is_ok() {} };
        let complete = Arc::new(AtomicBool::new(false));
        let says = say(events, client, Arc::clone(&complete));
        let tasks = [tokio::spawn(connected), tokio::spawn(says)].map(AbortOnDropHandle::new);
        Self { complete, _tasks: tasks }
    }
}

async fn say(mut events: EdgeEvents, client: AsyncClient, complete: Arc<AtomicBool>) {
    while let Some(event) = events.next().await {
        let EdgeEvent::TwinStored { device, property, twin, .. } = event else { continue };
        if property == UNSAID && !complete.load(Relaxed) {
            continue;
        }
        let topic = format!("$hw/events/device/{device}/twin/update/result");
        let twin = json!({&*property: {"actual": {"value": twin.value()}}});
        let result = json!({"event_id": "of edgecore", "timestamp": 5, "twin": twin});
        client.publish(topic, QoS::AtLeastOnce, false, result.to_string()).await.unwrap();
    }
}

#[tokio::test]
async fn a_report_over_dmi_that_is_not_said_to_be_stored_comes_again() {
    let Some(broker) = Mosquitto::start().await else { return };
    let rig = Rig::start(&broker, ReportVia::Dmi, 3).await;
    let word = Word::start(&broker, rig.bed.edge().events());
    rig.log.wait_for(&["did not store all of it", "device=default/d0", &format!("missing=\"{UNSAID}\"")]).await;
    assert!(rig.bed.handle().stats().eventbus().unconfirmed() > 0);
    word.complete.store(true, Relaxed);
    rig.counters.stop();
    rig.bed.until("all last values are stored", |edge| rig.missing_over_dmi(edge) == 0).await;
    drop(word);
    rig.stop().await;
}
