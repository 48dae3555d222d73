//! What is written to a device: a command, and what confirms it.

use mapper_framework::{DriverError, Property, Value};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};

use super::MqttDevice;
use crate::{
    codec,
    point::Point,
    sparkplug::Node,
    visitor::{Confirm, Visitor},
    wire::{Command, Receipt},
};

/// What a broker for MQTT 5 says of a command that reaches nobody, before its topic.
const UNHEARD: &str = "the broker says that nobody has subscribed to ";

impl MqttDevice {
    /// Whether the device has shown this value since a command, or has shown it before and would have shown another one. `before` is the
    /// point's [`published`](Point::published) before the command.
    fn is_shown(&self, point: &Point, value: &Value, before: u64) -> bool {
        let is_shown = point.shown().is_some_and(|shown| shown.is_close_to(value));
        // By Sparkplug, a value that has not changed is not published again.
        let is_kept = || self.plan.node.as_ref().is_some_and(Node::is_complete);
        is_shown && (point.published() > before || point.is_recent() || is_kept())
    }

    /// Waits until the device shows that it has taken a value.
    async fn confirmed(&mut self, name: &str, value: &Value, confirm: Confirm, before: u64) -> Result<(), DriverError> {
        loop {
            self.take_all()?;
            if let Some(refusal) = self.refusal.take() {
                return Err(DriverError::failed(format_args!("the device does not take the command: {refusal}")));
            }
            let Some(point) = self.points.get(name) else { return Ok(()) };
            let is_confirmed = match confirm {
                Confirm::Broker => true,
                Confirm::Answer => point.published() > before,
                Confirm::Value => self.is_shown(point, value, before),
            };
            if is_confirmed {
                return Ok(());
            }
            let message = self.share.next().await?;
            self.take(&message);
        }
    }

    /// What sets a property: topic and payload.
    fn command_of(&self, property: &Property<Visitor>, json: &Json) -> Result<(String, Vec<u8>), DriverError> {
        if let Some(node) = &self.plan.node {
            return node.write(property.visitor().metric.as_deref().unwrap_or_default(), json);
        }
        let command = self.plan.command(property)?;
        Ok((command.topic, codec::fill(&command.template, json).into_bytes()))
    }

    /// Publishes a command, and waits for what confirms it.
    pub(super) async fn command(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let json = codec::encode(value, property, self.plan.words())?;
        let (topic, payload) = self.command_of(property, &json)?;
        let name = property.name();
        // What cannot be read is confirmed by nothing else.
        let is_read = self.points.get(name).is_some_and(|point| !point.sources().is_empty());
        let confirm = if is_read { property.visitor().confirm } else { Confirm::Broker };
        let before = self.points.get(name).map_or(0, Point::published);
        let shown = self.points.get(name).and_then(Point::shown);
        let is_unchanged = confirm == Confirm::Value && shown.is_some_and(|shown| shown.is_close_to(value));
        let within = self.plan.config.timeout();
        let deadline = Instant::now() + within;
        self.refusal = None;
        // A write that has failed is not to be done later, when the device connects again. One that only the broker confirms is.
        let expires = (confirm != Confirm::Broker).then_some(within);
        let acknowledged = self.share.publish(Command { topic: &topic, payload, expires })?;
        let receipt = match timeout_at(deadline, acknowledged).await {
            Ok(answered) => answered.map_err(|_| self.share.lost())?,
            Err(_) => {
                return Err(DriverError::failed(format_args!(
                    "the broker has not taken the command to {topic} within {within:?}"
                )));
            }
        };
        match &receipt {
            Receipt::Refused(why) => {
                return Err(DriverError::failed(format_args!("the broker refuses the command to {topic}: {why}")));
            }
            Receipt::Unheard if confirm == Confirm::Broker => {
                return Err(DriverError::failed(format_args!("{UNHEARD}{topic}")));
            }
            Receipt::Unheard | Receipt::Taken => {}
        }
        if let Some((topic, payload)) = self.plan.refresh.as_ref().filter(|_| is_unchanged) {
            // A device that has nothing to change may publish nothing, so that it is asked what holds.
            self.share.ask(topic, payload.as_str())?;
        }
        if let Ok(outcome) = timeout_at(deadline, self.confirmed(name, value, confirm, before)).await {
            return outcome;
        }
        let (topics, shows) = self.points.get(name).map(|it| (it.topics(), it.shows(before))).unwrap_or_default();
        let unheard = if receipt == Receipt::Unheard { format!("; {UNHEARD}{topic}") } else { String::new() };
        Err(DriverError::failed(format_args!(
            "the device has not confirmed {json} on {topic} within {within:?}: {shows} on {topics}{unheard}"
        )))
    }
}
