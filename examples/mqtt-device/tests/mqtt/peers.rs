//! Those who are at the broker beside the mapper.

use std::{path::Path, time::Duration};

use integration_tests::{ChildGuard, Tool, servers::Mosquitto};
use mapper_framework::testing::DEADLINE;
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};
use serde_json::json;
use tokio::{process::Command, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// A device that is played by `device.py`.
pub(crate) struct Played {
    pub(crate) process: ChildGuard,
    pub(crate) name: String,
}

impl Played {
    /// Starts one, and waits until it is at the broker. `None` when the user wants to do without Python.
    pub(crate) async fn start(broker: &Mosquitto, family: &str, name: &str) -> Option<Self> {
        Self::run("device.py", &[family, &broker.port().to_string(), name], name).await
    }

    /// Starts an edge node with a device behind it.
    pub(crate) async fn start_edge_node(broker: &Mosquitto, group: &str, node: &str, device: &str) -> Option<Self> {
        Self::run("sparkplug.py", &[&broker.port().to_string(), group, node, device], node).await
    }

    /// Starts many devices with last wills.
    pub(crate) async fn start_crowd(broker: &Mosquitto, count: usize) -> Option<Self> {
        Self::run("crowd.py", &[&broker.port().to_string(), &count.to_string()], "crowd").await
    }

    async fn run(program: &str, arguments: &[&str], name: &str) -> Option<Self> {
        let Tool::At(python) = integration_tests::python() else { return None };
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(program);
        let mut process = ChildGuard::spawn(Command::new(python).arg(program).args(arguments));
        process.wait_for_line(|line| line == "ready").await;
        Some(Self { process, name: name.to_owned() })
    }

    /// Waits for a command that has not been waited for.
    pub(crate) async fn gets(&mut self, command: &str) {
        let line = format!("command {command}");
        self.process.wait_for_line(|it| it == line).await;
    }
}

/// A client that publishes whatever a test wants.
pub(crate) struct Publisher {
    client: AsyncClient,
    acknowledged: tokio::sync::mpsc::UnboundedReceiver<()>,
    _task: AbortOnDropHandle<()>,
}

impl Publisher {
    pub(crate) fn connect(broker: &Mosquitto) -> Self {
        let mut options = MqttOptions::new(format!("publisher-{:08x}", fastrand::u32(..)), "127.0.0.1", broker.port());
        if let Some((username, password)) = broker.login() {
            options.set_credentials(username, password);
        }
        options.set_max_packet_size(80 * 1024 * 1024, 80 * 1024 * 1024);
        let (client, mut events) = AsyncClient::new(options, 100);
        let (sender, acknowledged) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                match event {
                    Event::Incoming(Packet::PubAck(_)) => _ = sender.send(()),
                    Event::Outgoing(Outgoing::Disconnect) => return,
                    _ => {}
                }
            }
        });
        Self { client, acknowledged, _task: AbortOnDropHandle::new(task) }
    }

    /// Publishes, and waits until the broker has it.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) {
        self.hand_over(topic, payload, false).await;
    }

    /// Publishes what the broker keeps.
    pub(crate) async fn retain(&mut self, topic: &str, payload: &str) {
        self.hand_over(topic, payload, true).await;
    }

    /// Publishes bytes that are no text, and waits until the broker has them.
    pub(crate) async fn publish_bytes(&mut self, topic: &str, payload: &[u8]) {
        self.hand_over(topic, payload, false).await;
    }

    /// Publishes, without waiting for the broker, which may end the connection.
    pub(crate) async fn send(&self, topic: &str, payload: &str) {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
    }

    /// Has something happen to a device that is played.
    pub(crate) async fn play(&mut self, device: &Played, scene: serde_json::Value) {
        self.publish(&format!("play/{}", device.name), &scene.to_string()).await;
    }

    /// Has a device that is played publish something.
    pub(crate) async fn have_published(&mut self, device: &Played, topic: &str, payload: &str) {
        self.play(device, json!({"publish": [topic, payload, false]})).await;
    }

    async fn hand_over(&mut self, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).await.unwrap();
        timeout(Duration::from_secs(30), self.acknowledged.recv()).await.expect("the broker answers").unwrap();
    }
}

/// A client by MQTT 5 that hears commands.
pub(crate) struct Listener {
    /// Payloads, and after how many seconds they expire.
    commands: tokio::sync::mpsc::UnboundedReceiver<(String, Option<u32>)>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Connects, and waits until the broker has its subscription.
    pub(crate) async fn connect(broker: &Mosquitto, filter: &str) -> Self {
        use rumqttc::v5::{AsyncClient, Event, MqttOptions, mqttbytes::QoS, mqttbytes::v5::Packet};
        let options = MqttOptions::new(format!("listener-{:08x}", fastrand::u32(..)), "127.0.0.1", broker.port());
        let (client, mut events) = AsyncClient::new(options, 100);
        client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        let (sender, commands) = tokio::sync::mpsc::unbounded_channel();
        let (subscribed, is_subscribed) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let _client = client;
            let mut subscribed = Some(subscribed);
            while let Ok(event) = events.poll().await {
                match event {
                    Event::Incoming(Packet::SubAck(_)) => _ = subscribed.take().map(|it| it.send(())),
                    Event::Incoming(Packet::Publish(publish)) => {
                        let expires = publish.properties.and_then(|properties| properties.message_expiry_interval);
                        _ = sender.send((String::from_utf8_lossy(&publish.payload).into_owned(), expires));
                    }
                    _ => {}
                }
            }
        });
        timeout(DEADLINE, is_subscribed).await.expect("the broker answers").unwrap();
        Self { commands, _task: AbortOnDropHandle::new(task) }
    }

    /// The next command: its payload, and after how many seconds it expires.
    pub(crate) async fn next(&mut self) -> (String, Option<u32>) {
        timeout(DEADLINE, self.commands.recv()).await.expect("a command comes").expect("it stays connected")
    }
}

/// A client that sees all that the broker passes on.
pub(crate) struct Witness {
    topics: tokio::sync::mpsc::UnboundedReceiver<String>,
    _task: AbortOnDropHandle<()>,
}

impl Witness {
    /// Connects, and waits until the broker has its subscription.
    pub(crate) async fn connect(broker: &Mosquitto) -> Self {
        let mut options = MqttOptions::new(format!("witness-{:08x}", fastrand::u32(..)), "127.0.0.1", broker.port());
        options.set_max_packet_size(64 * 1024 * 1024, 64 * 1024 * 1024);
        let (client, mut events) = AsyncClient::new(options, 100);
        let (sender, topics) = tokio::sync::mpsc::unbounded_channel();
        let (subscribed, is_subscribed) = tokio::sync::oneshot::channel();
        client.subscribe("#", QoS::AtLeastOnce).await.unwrap();
        let task = tokio::spawn(async move {
            let _client = client;
            let mut subscribed = Some(subscribed);
            while let Ok(event) = events.poll().await {
                match event {
                    Event::Incoming(Packet::SubAck(_)) => _ = subscribed.take().map(|it| it.send(())),
                    Event::Incoming(Packet::Publish(publish)) if !publish.retain => _ = sender.send(publish.topic),
                    _ => {}
                }
            }
        });
        timeout(DEADLINE, is_subscribed).await.expect("the broker answers").unwrap();
        Self { topics, _task: AbortOnDropHandle::new(task) }
    }

    /// Waits for a message on a topic.
    pub(crate) async fn sees(&mut self, topic: &str) {
        let wait = async { while self.topics.recv().await.expect("it stays connected") != topic {} };
        timeout(DEADLINE, wait).await.expect("the message comes");
    }
}
