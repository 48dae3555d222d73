//! MQTT 3.1.1 with QoS 1: a batch is written when the broker has acknowledged each of its messages.

use anyhow::Result;
use async_trait::async_trait;
use integration_tests::servers::Mosquitto;
use mapper_framework::{
    model::{MqttPush, PushMethod},
    sink::{Credentials, Record},
};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};

use super::{Bare, GOAL, compare};
use crate::table::Table;

pub(super) async fn run(table: &Table) -> Result<()> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut options = MqttOptions::new("bare", "127.0.0.1", broker.port());
    options.set_inflight(100);
    let (client, events) = AsyncClient::new(options, 1_000);
    let mut push = MqttPush::default();
    push.address = format!("mqtt://127.0.0.1:{}", broker.port());
    push.topic = "ours".to_owned();
    push.qos = 1;
    let mut bare = Client { client, events };
    compare(table, "mqtt", 20, PushMethod::Mqtt(push), &Credentials::none(), &mut bare, GOAL).await
}

struct Client {
    client: AsyncClient,
    events: EventLoop,
}

#[async_trait]
impl Bare for Client {
    async fn write(&mut self, batch: &[Record]) -> Result<()> {
        for record in batch {
            self.client.try_publish("bare", QoS::AtLeastOnce, false, record.to_json())?;
        }
        let mut left = batch.len();
        while left > 0 {
            if let Event::Incoming(Packet::PubAck(_)) = self.events.poll().await? {
                left -= 1;
            }
        }
        Ok(())
    }
}
