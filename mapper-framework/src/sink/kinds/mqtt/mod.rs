//! mqtt: each record is a message to a broker.
//!
//! | part of the message | what it is |
//! | --- | --- |
//! | topic | `pushMethod.mqtt.topic`, by default `kubeedge/{namespace}/{device}/{property}` |
//! | payload | the JSON document of [`crate::sink`], of version 1 |
//! | QoS, retain | `pushMethod.mqtt.qos` and `.retained` |
//! | properties of MQTT 5 | none |
//!
//! In the topic, `{namespace}`, `{device}` and `{property}` stand for the names. A name is one level of the topic: `/`, and what a
//! topic cannot hold, such as `+` and `#`, becomes `_`. Two properties can come to share a topic by that, or by a topic without
//! placeholders; the payload names them.
//!
//! A record is accepted when the broker has acknowledged it: PUBACK for QoS 1, PUBCOMP for QoS 2. With QoS 0 there is no
//! acknowledgement: it is accepted when it is written to the connection, and lost if that breaks a moment later. Records that were not
//! acknowledged are sent again on a new connection as new messages, so QoS 2 means exactly once for as long as a connection holds.
//!
//! MQTT 3.1.1 has no way to refuse a message: mosquitto acknowledges what its rules forbid or what is too large for it, and drops it.
//! MQTT 5 has, and its reason decides:
//!
//! | the broker's reason | what follows |
//! | --- | --- |
//! | success, no matching subscribers | accepted |
//! | not authorized, topic name invalid, payload format invalid, and codes that a PUBACK should not have, such as packet too large | refused: the framework finds out |
//! | quota exceeded, packet identifier in use, unspecified, implementation specific | sent again |
//!
//! Where a broker takes no QoS as high, which MQTT 5 says, messages go with the highest that it takes.
//!
//! All topics of a broker share one connection. Its client id is `sinks.mqtt.client_id`, a dash and eight hexadecimal digits made from
//! the broker's address and `node_name`, or the host's name. MQTT 3.1.1 obliges a broker to take 23 characters, which leaves 14 to `client_id`; all brokers of today take
//! many more. The session is a clean one: the sink subscribes to nothing, and what it still has to send is kept by the framework and
//! not by the broker.
//!
//! Addresses are `mqtt://`, `mqtts://`, `tcp://`, `ssl://` or `host:port`; without a port 1883, or 8883 with TLS. With the Cargo feature
//! `sink-mqtt-ws` also `ws://` and `wss://`.
//!
//! With `sinks.mqtt.will` a topic of each broker says whether the mapper is connected.
//!
//! Config: `sinks.mqtt.version`, `.client_id`, `.keep_alive` (at least five seconds), `.max_packet_bytes`, `.credentials` (user name
//! and password), and `sinks.tls`.

mod flight;
mod frames;
mod route;
mod will;

use std::sync::Arc;

use crate::{
    config::MqttSinkConfig,
    model::{Broker, Device, Property, PushMethod},
    mqtt::{self, Answer, ConnectOptions, Event, Loss, Message, MqttClient},
};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target,
};
use flight::Flight;
pub(super) use frames::MqttFrames;
use route::Publication;
use will::Will;

const NAME: &str = "mqtt";

/// Publishes records to MQTT brokers.
#[derive(Clone, Debug)]
pub(super) struct Mqtt {
    config: MqttSinkConfig,
    access: Arc<Access>,
    /// The node's name, or the host's.
    host: String,
}

impl Mqtt {
    pub(super) fn new(config: &MqttSinkConfig, access: &Arc<Access>) -> Self {
        let host = mqtt::node_or_host(&config.node_name);
        Self { config: config.clone(), access: Arc::clone(access), host }
    }

    fn client_id(&self, target: &Target) -> String {
        mqtt::client_id(&self.config.client_id, &target.id(), &self.host)
    }

    /// What a connection is made from, but for its last will.
    fn options(
        &self,
        broker: Broker,
        client_id: String,
        credentials: &Credentials,
    ) -> Result<ConnectOptions, SinkError> {
        let section = self.access.tls_of(NAME, Some(&endpoint(&broker)));
        let tls =
            if broker.tls { Some(Arc::new(section.client_config().map_err(SinkError::misconfigured)?)) } else { None };
        Ok(ConnectOptions {
            section: "sinks.mqtt",
            tls_section: section.name().to_owned(),
            broker,
            tls,
            client_id,
            username: credentials.username().map(str::to_owned),
            password: credentials.password().cloned(),
            keep_alive: self.config.keep_alive,
            max_packet_bytes: self.config.max_packet_bytes,
            will: None,
        })
    }
}

impl SinkKind for Mqtt {
    type Sink = MqttSink;

    fn name(&self) -> &str {
        NAME
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Mqtt(push) => Some(push),
            _ => None,
        });
        pushes.map(|push| route::route(device, property, push)).collect()
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        Some(endpoint(&target.settings().ok()?))
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<MqttSink, SinkError> {
        let will = Will::new(&self.config.will, &self.host);
        let mut settings = self.options(target.settings()?, self.client_id(target), credentials)?;
        settings.will = will.as_ref().map(|will| will.offline.clone());
        let opened = MqttClient::open(self.config.version, &settings).await;
        let mut connection = opened.map_err(|loss| error(&loss, &settings.broker))?;
        if let Some(will) = &will {
            will::announce(&mut connection, will.online.clone(), &settings.broker).await?;
        }
        Ok(MqttSink { broker: settings.broker, connection, will })
    }
}

fn endpoint(broker: &Broker) -> Endpoint {
    Endpoint::new(&broker.host, broker.port).with_tls(broker.tls).named_by(route::ADDRESS)
}

/// A connection to one broker.
pub(super) struct MqttSink {
    broker: Broker,
    connection: MqttClient,
    will: Option<Will>,
}

impl Sink for MqttSink {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let limits = self.connection.limits();
        let publication = |record: &Record| {
            let publication = record.route::<Publication>()?;
            Ok(Publication { qos: limits.at_most(publication.qos), ..publication })
        };
        let publications: Vec<Result<_, SinkError>> = batch.iter().map(publication).collect();
        let qos = publications.iter().map(|publication| publication.as_ref().map_or(0, |it| it.qos)).collect();
        for publication in publications.iter().flatten() {
            let offered = self.connection.limits().offers(publication.qos, publication.retained);
            offered.map_err(|reason| SinkError::misconfigured(format_args!("{}: {reason}", self.broker)))?;
        }
        let mut flight = Flight::new(qos, self.connection.limits().window);
        loop {
            while let Some(index) = flight.next() {
                match self.message(&batch[index], &publications[index]) {
                    Ok(message) => {
                        // The events of a connection that has ended say why.
                        if self.connection.publish(message).is_ok() {
                            flight.published(index);
                        }
                    }
                    Err(outcome) => flight.settle(index, outcome),
                }
            }
            if flight.is_over() {
                return Ok(flight.into_outcomes());
            }
            match self.connection.event().await {
                Ok(Event::Sent(id)) => flight.sent(id),
                Ok(Event::Received(id)) => flight.received(id),
                Ok(Event::Answered(id, answer)) => flight.answered(id, outcome(answer)),
                // Nothing is subscribed to.
                Ok(Event::Arrived(_) | Event::Subscribed(_)) => {}
                // The others come again; the next call finds the connection lost.
                Err(Loss::Refusal(reason)) if flight.settle_oldest(Outcome::Refused(reason.clone())) => {
                    return Ok(flight.into_outcomes());
                }
                Err(loss) => return Err(error(&loss, &self.broker)),
            }
        }
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        self.connection.health().map_err(|loss| error(&loss, &self.broker))
    }

    async fn close(mut self) {
        if let Some(will) = self.will {
            // If it does not arrive, the connection is lost, and the broker says it.
            drop(will::announce(&mut self.connection, will.offline, &self.broker).await);
        }
        self.connection.close().await;
    }
}

impl MqttSink {
    /// The message of a record, or what the record comes to without one.
    fn message(&self, record: &Record, publication: &Result<Publication, SinkError>) -> Result<Message, Outcome> {
        let publication = publication.as_ref().map_err(Outcome::rejected)?;
        let message = message(record, publication);
        // The limit may be the one that is wrong.
        self.connection.limits().fits(&message).map_err(Outcome::Refused)?;
        Ok(message)
    }
}

/// The error of a batch, or of connecting.
fn error(loss: &Loss, broker: &Broker) -> SinkError {
    let make = if matches!(loss, Loss::Setting(_)) { SinkError::misconfigured } else { SinkError::disconnected };
    make(format!("{broker}: {}", loss.reason()))
}

/// What the broker's answer means for the record.
fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Accepted => Outcome::Accepted,
        Answer::Refused(reason) => Outcome::refused(reason),
        Answer::Busy(reason) => Outcome::retry(reason),
    }
}

fn message(record: &Record, publication: &Publication) -> Message {
    let Publication { topic, qos, retained } = publication.clone();
    Message { topic, qos, retained, payload: record.to_json().into(), properties: None }
}

#[cfg(test)]
mod tests {
    use std::{
        fmt::Write as _,
        time::{Duration, UNIX_EPOCH},
    };

    use crate::{
        config::SinksConfig,
        model::{DataType, DeviceId, MqttPush, Value},
        sink::Series,
    };

    use super::*;

    fn mqtt(config: &MqttSinkConfig) -> Mqtt {
        Mqtt::new(config, &Arc::new(Access::new(&SinksConfig::default())))
    }

    fn push(topic: &str, qos: u8, retained: bool) -> PushMethod {
        PushMethod::Mqtt(MqttPush { address: "broker".into(), topic: topic.into(), qos, retained })
    }

    /// The routes of a property with these push methods, each with a record.
    fn records(push_methods: Vec<PushMethod>) -> Vec<Record> {
        let property = Property::builder("pressure", DataType::Double).unit("bar").push_methods(push_methods).build();
        let mut device = Device::builder("boiler").build();
        device.id = DeviceId::new("plant", "boiler");
        let routes = mqtt(&MqttSinkConfig::default()).routes(&device, &property).unwrap();
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let record = |route| Record::new(Arc::new(Series::new(&device, &property, route)), Value::Double(2.5), time);
        routes.into_iter().map(record).collect()
    }

    #[test]
    fn messages_are_those_of_the_golden_file() {
        let mut messages = String::new();
        let pushes = vec![push("", 0, false), push("plant/boiler", 1, true), push("values/{property}", 2, false)];
        for record in records(pushes) {
            let Message { topic, qos, retained, payload, .. } = message(&record, &record.route().unwrap());
            let retained = if retained { " retained" } else { "" };
            let payload = String::from_utf8(payload.into()).unwrap();
            writeln!(messages, "{topic} qos {qos}{retained}\n{payload}").unwrap();
        }
        assert_eq!(messages, include_str!("../../../../tests/golden/mqtt/messages.txt"));
    }

    #[test]
    fn only_who_asks_for_mqtt_gets_a_route() {
        assert_eq!(records(vec![]), []);
        assert_eq!(records(vec![PushMethod::Redis(Default::default()), push("", 1, false)]).len(), 1);
    }

    #[test]
    fn the_client_id_stays_what_it_is_and_differs_from_broker_to_broker_and_from_node_to_node() {
        let mut kind = mqtt(&MqttSinkConfig { client_id: "edge-node-0017".into(), ..MqttSinkConfig::default() });
        kind.host = "node".to_owned();
        let of = |kind: &Mqtt, broker: &str| {
            kind.client_id(&Target::new(NAME, &Broker { host: broker.into(), port: 1883, tls: false, websocket: None }))
        };
        let id = of(&kind, "broker");
        assert_eq!(id, "edge-node-0017-67a3b3c4", "brokers know it by that");
        assert_eq!(id.len(), 23);
        assert_ne!(id, of(&kind, "other"));
        let config =
            MqttSinkConfig { client_id: "edge-node-0017".into(), node_name: "node".into(), ..Default::default() };
        assert_eq!(id, of(&mqtt(&config), "broker"), "the node's name counts, and not that of the pod");
        kind.host = "another".to_owned();
        assert_ne!(id, of(&kind, "broker"), "another node");
    }

    #[test]
    fn a_password_without_a_user_name_is_no_way_to_connect_by_3_1_1() {
        let record = &records(vec![push("", 1, false)])[0];
        let kind = mqtt(&MqttSinkConfig::default());
        let credentials = Credentials::none().with_password("hunter2");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = match runtime.block_on(kind.open(record.series().target(), &credentials)) {
            Ok(_) => panic!("connected without a broker"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains("give the user name too") && !error.contains("hunter2"), "{error}");
    }
}
