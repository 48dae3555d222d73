//! A search for devices: it listens at a broker for a while, and publishes nothing.
//!
//! What `Zigbee2MQTT`, Tasmota and Sparkplug describe is added as soon as it has come, and the rest at the end, whatever ends it.

mod budget;
mod plain;
mod shelly;
mod sparkplug;
mod tasmota;
mod zigbee2mqtt;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mapper_framework::{AccessMode, DataType, Discovery, DriverError, Found, Property, model::DeviceId};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    brokers::{Brokers, Settings},
    config::{Broker, Version},
    share::Share,
    traffic::Message,
};

use budget::Budget;

/// The largest payload that is kept, in bytes; what describes devices may be larger.
const LARGEST_PAYLOAD: usize = 64 * 1024;

/// How long connecting may take, and so may the broker's answer to the subscription.
const CONNECT: Duration = Duration::from_secs(5);

/// The arguments, for `--help`.
pub(crate) const ARGS: &[(&str, &str)] = &[
    ("broker", "Where the broker is: mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"),
    ("version", "Which version of MQTT is spoken to it: 3.1.1 or 5 [default: 3.1.1]"),
    ("seconds", "How long to listen [default: 10]"),
    ("topics", "What to listen to, as an MQTT topic filter [default: #]"),
];

/// The arguments of `mqtt-device discover broker=mqtt://192.0.2.7`.
#[derive(Deserialize)]
struct Args {
    broker: Broker,
    #[serde(default)]
    version: Version,
    /// How long it listens.
    #[serde(default = "seconds")]
    seconds: f64,
    /// What it listens to.
    #[serde(default = "everything")]
    topics: String,
}

fn seconds() -> f64 {
    10.0
}

fn everything() -> String {
    "#".to_owned()
}

/// What has been heard so far.
pub(crate) struct Heard<'a> {
    discovery: &'a Discovery,
    broker: String,
    version: Version,
    /// The latest payload of each topic.
    topics: BTreeMap<String, Vec<u8>>,
    /// The topics that belong to a family, by how they begin.
    claimed: BTreeSet<String>,
    budget: Budget,
}

/// Listens, and adds what it recognizes.
///
/// # Errors
///
/// An argument is wrong, the broker cannot be connected to, or the connection is lost. What was found until then is added.
pub(crate) async fn discover(discovery: &Discovery) -> Result<(), DriverError> {
    let Args { broker, version, seconds, topics } = discovery.args()?;
    if !(0.1..=86_400.0).contains(&seconds) {
        return Err(DriverError::refused(format_args!("the argument seconds: found {seconds}, expected 0.1 to 86400")));
    }
    let settings = Settings {
        broker: broker.clone(),
        version,
        credentials: discovery.credentials().clone(),
        client_id: None,
        keep_alive: Duration::from_secs(10),
        alone: None,
    };
    let mut share = Share::new(Brokers::default().connect(settings, &DeviceId::new("", "search"), CONNECT).await?);
    timeout(CONNECT, share.subscribe(std::slice::from_ref(&topics))).await.unwrap_or_else(|_| {
        Err(DriverError::disconnected(format_args!(
            "{broker}: the subscription to {topics} was not answered within {CONNECT:?}"
        )))
    })?;
    if let Some(refused) = share.refused([topics]).first() {
        return Err(DriverError::refused(format_args!(
            "{refused}: name topics that it may read by the argument `topics`"
        )));
    }
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut heard = Heard {
        discovery,
        broker: broker.to_string(),
        version,
        topics: BTreeMap::new(),
        claimed: BTreeSet::new(),
        budget: Budget::default(),
    };
    while let Ok(message) = timeout_at(end, share.next()).await {
        let message = message?;
        heard.take(&message);
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        let excess = heard.budget.excess().map(|excess| format!("; {excess}")).unwrap_or_default();
        discovery.progress(format_args!("{} topics, {left} s left{excess}", heard.budget.topics()));
    }
    heard.budget.excess().map_or(Ok(()), |excess| Err(DriverError::failed(excess)))
}

impl Heard<'_> {
    fn take(&mut self, message: &Message) {
        let Message { topic, payload, .. } = message;
        let describes_devices = zigbee2mqtt::describes_devices(topic) || sparkplug::describes_devices(topic);
        if describes_devices {
            zigbee2mqtt::look(self, topic, payload);
            sparkplug::look(self, topic, payload);
            return;
        }
        if message.too_large.is_some() || payload.len() > LARGEST_PAYLOAD || !self.budget.take(topic, payload.len()) {
            return;
        }
        if self.topics.insert(topic.clone(), payload.to_vec()).is_none() {
            tasmota::look(self, topic);
        }
    }

    /// Topics that begin so belong to a family.
    fn claim(&mut self, prefix: impl Into<String>) {
        self.claimed.insert(prefix.into());
    }

    fn is_claimed(&self, topic: &str) -> bool {
        self.claimed.iter().any(|prefix| topic.starts_with(prefix.as_str()))
    }

    /// The latest payload of a topic, if it is JSON.
    fn json(&self, topic: &str) -> Option<Json> {
        serde_json::from_slice(self.topics.get(topic)?).ok()
    }

    /// A device of this family; its own name is what `{device}` stands for.
    fn found(&self, name: &str, format: &str, more: Json) -> Found {
        Found::new(name).config(extended(self.config(format, json!({"device": name})), more))
    }

    /// The config of a device of this family, with more in it.
    fn config(&self, format: &str, more: Json) -> Json {
        let config = extended(json!({"broker": self.broker, "format": format}), more);
        if self.version == Version::V5 { extended(config, json!({"version": "5"})) } else { config }
    }
}

/// An object with the members of another one.
fn extended(mut object: Json, more: Json) -> Json {
    if let (Json::Object(object), Json::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// Adds what is known only when there is nothing more to come: the search is over, the broker is lost, or the user has enough.
impl Drop for Heard<'_> {
    fn drop(&mut self) {
        tasmota::finish(self);
        shelly::finish(self);
        plain::finish(self);
    }
}

/// A property that can be read.
fn read(name: &str, data_type: DataType, visitor: Json) -> Property<Json> {
    Property::builder(name, data_type).visitor(visitor)
}

/// A property that can be read and written.
fn written(name: &str, data_type: DataType, visitor: Json) -> Property<Json> {
    Property::builder(name, data_type).access_mode(AccessMode::ReadWrite).visitor(visitor)
}

/// The type that a value looks like.
fn type_of(json: &Json) -> DataType {
    match json {
        Json::Bool(_) => DataType::Boolean,
        Json::Number(_) => DataType::Double,
        Json::String(text) if text.trim().parse::<f64>().is_ok_and(f64::is_finite) => DataType::Double,
        Json::String(text) if ["on", "off", "true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
            DataType::Boolean
        }
        _ => DataType::String,
    }
}

/// The values in a document that are no lists or objects, each with its pointer.
fn scalars_of(json: &Json, pointer: &str, scalars: &mut Vec<(String, DataType)>) {
    /// The deepest one that is looked at.
    const DEPTH: usize = 5;
    match json {
        Json::Object(members) if pointer.matches('/').count() < DEPTH => {
            for (key, value) in members {
                scalars_of(value, &format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), scalars);
            }
        }
        Json::Object(_) | Json::Array(_) | Json::Null => {}
        value => scalars.push((pointer.to_owned(), type_of(value))),
    }
}

/// The name of a property, by its pointer.
fn name_of(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace("~1", "-").replace("~0", "~").replace('/', ".")
}
