//! What is subscribed and published for a device: by its manifest, and by what is known of its family.

use mapper_framework::{Device, DriverError, Property};
use serde_json::Value as Json;

use crate::{
    codec::Words,
    config::{Config, Format},
    presence::Availability,
    sparkplug::Node,
    topic::Placeholders,
    visitor::Visitor,
};

mod shelly;
mod tasmota;
mod zigbee2mqtt;

/// Where values of a property come from: a filter of topics, and where in the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) filter: String,
    pub(crate) pointer: Option<String>,
}

/// What is published to set a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) topic: String,
    /// With `{value}` or `{json}` in it.
    pub(crate) template: String,
}

/// What is known of a device beside its properties.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) config: Config,
    placeholders: Placeholders,
    /// The topics that say whether it is there.
    pub(crate) availability: Vec<Availability>,
    /// What is published so that the device publishes its values: topic and payload.
    pub(crate) refresh: Option<(String, String)>,
    /// The topic on which the device says that it does not take a command.
    pub(crate) answers: Option<String>,
    /// What is known by Sparkplug.
    pub(crate) node: Option<Node>,
}

impl Plan {
    /// # Errors
    ///
    /// A topic makes no sense, or a key is missing.
    pub(crate) fn new(device: &Device, config: Config) -> Result<Self, DriverError> {
        let mut placeholders = Placeholders::default();
        placeholders.set("device", config.device.as_deref().unwrap_or_else(|| device.id().name()));
        for (name, value) in &config.placeholders.0 {
            placeholders.set(name, value);
        }
        let mut plan =
            Self { config, placeholders, availability: Vec::new(), refresh: None, answers: None, node: None };
        match plan.config.format {
            Format::Json => {}
            Format::Tasmota => tasmota::prepare(&mut plan)?,
            Format::Zigbee2mqtt => zigbee2mqtt::prepare(&mut plan)?,
            Format::Shelly => shelly::prepare(&mut plan)?,
            Format::Sparkplug => plan.node = Some(sparkplug_node(device, &plan.config)?),
        }
        if let Some(topic) = &plan.config.availability {
            let topic = plan.placeholders.fill(topic)?;
            plan.availability = vec![Availability::of_config(topic, &plan.config)];
        }
        Ok(plan)
    }

    /// The words for true and false of this family.
    pub(crate) fn words(&self) -> Option<Words> {
        match self.config.format {
            Format::Json | Format::Sparkplug => None,
            Format::Tasmota => Some(tasmota::WORDS),
            Format::Zigbee2mqtt => Some(zigbee2mqtt::WORDS),
            Format::Shelly => self.config.is_first_generation().then_some(shelly::WORDS),
        }
    }

    /// Where in the payload the time stands, unless the manifest says it.
    pub(crate) fn time(&self) -> Option<&'static str> {
        (self.config.format == Format::Zigbee2mqtt).then_some(zigbee2mqtt::TIME)
    }

    /// Why the device does not take a command, if this is what it says.
    pub(crate) fn refusal(&self, topic: &str, payload: &[u8]) -> Option<String> {
        self.answers.as_ref().filter(|answers| *answers == topic)?;
        let answer: Json = serde_json::from_slice(payload).ok()?;
        // Of a Shelly, and of Tasmota.
        let refusal = answer.get("error").or_else(|| answer.get("Command"))?;
        Some(refusal.get("message").and_then(Json::as_str).map_or_else(|| refusal.to_string(), ToOwned::to_owned))
    }

    /// Where the values of a property come from; nowhere if it can only be written.
    ///
    /// # Errors
    ///
    /// A topic makes no sense, or there is none.
    pub(crate) fn sources(&self, property: &Property<Visitor>) -> Result<Vec<Source>, DriverError> {
        let visitor = property.visitor();
        let pointer = visitor.pointer.as_ref().map(|pointer| pointer.0.clone());
        if let Some(node) = &self.node {
            let metric = visitor.metric.as_ref();
            let metric =
                metric.ok_or_else(|| DriverError::refused("there is no `metric`: write its name in the birth"))?;
            return Ok(vec![Source { filter: format!("the metric {metric} of {node}"), pointer: None }]);
        }
        // Of a Shelly it is a part of the topic only.
        let whole = visitor.topic.as_ref().filter(|_| self.config.format != Format::Shelly);
        if let Some(topic) = whole {
            return Ok(vec![Source { filter: self.fill(topic)?, pointer }]);
        }
        match (self.config.format, &self.config.topic) {
            (_, Some(topic)) => Ok(vec![Source { filter: self.fill(topic)?, pointer }]),
            (Format::Json | Format::Sparkplug, None) if visitor.command.is_some() => Ok(Vec::new()),
            (Format::Json | Format::Sparkplug, None) => Err(DriverError::refused(
                "there is no topic: write one in visitors.configData, or in protocol.configData",
            )),
            (Format::Tasmota, None) => tasmota::sources(self, pointer),
            (Format::Zigbee2mqtt, None) => zigbee2mqtt::sources(self, pointer),
            (Format::Shelly, None) => shelly::sources(self, visitor),
        }
    }

    /// How a property is set.
    ///
    /// # Errors
    ///
    /// A topic makes no sense, or there is none.
    pub(crate) fn command(&self, property: &Property<Visitor>) -> Result<Command, DriverError> {
        let visitor = property.visitor();
        let (topic, template) = match (self.config.format, &visitor.command) {
            (_, Some(topic)) => (topic.clone(), "{value}".to_owned()),
            (Format::Json | Format::Sparkplug, None) => {
                return Err(DriverError::unsupported("it has no `command`, the topic by which it is set"));
            }
            (Format::Tasmota, None) => tasmota::command(visitor)?,
            (Format::Zigbee2mqtt, None) => zigbee2mqtt::command(visitor)?,
            (Format::Shelly, None) => shelly::command(self, visitor)?,
        };
        let topic = self.fill(&topic)?;
        if crate::topic::is_wild(&topic) {
            return Err(DriverError::refused(format_args!("nothing can be published to {topic:?}: it is a filter")));
        }
        Ok(Command { topic, template: visitor.payload.clone().unwrap_or(template) })
    }

    fn fill(&self, template: &str) -> Result<String, DriverError> {
        self.placeholders.fill(template)
    }
}

/// What `group`, `node` and `device` name.
fn sparkplug_node(device: &Device, config: &Config) -> Result<Node, DriverError> {
    let named = |key: &str, name: &Option<String>| {
        let name = name.clone().filter(|name| !name.is_empty() && !name.contains(['/', '+', '#']));
        name.ok_or_else(|| {
            DriverError::refused(format_args!(
                "protocol.configData.{key} is missing, or has /, + or # in it: Sparkplug needs it"
            ))
        })
    };
    let name = config.device.as_deref().unwrap_or_else(|| device.id().name());
    Ok(Node::new(&named("group", &config.group)?, &named("node", &config.node)?, name, config.timeout()))
}
