//! The driver: all of this mapper that is not the framework's. It serves a simulated heater that
//! sends its temperature. What a real device needs instead goes where a comment says REAL.

use std::{sync::Arc, time::Duration};

use mapper_framework::{
    Change, Device, Driver, DriverError, Property, Reading, Session, Subscriptions, Value,
};
use serde::Deserialize;
use tokio::time::{Interval, interval};

/// Opens connections.
// REAL: what several devices share, such as a broker's client, becomes a field of this.
pub(crate) struct Simulator;

/// `spec.protocol.configData` of a device: how it is reached.
// REAL: a host and a port, a timeout.
#[derive(Deserialize)]
pub(crate) struct Config {
    /// The temperature around the heater, in °C.
    ambient: f32,
}

/// `visitors.configData` of a property: where it is found in the device.
// REAL: a topic, a node, a field of a message.
#[derive(Deserialize)]
pub(crate) struct Visitor {
    point: Point,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Point {
    Temperature,
    Setpoint,
    Enabled,
    Events,
}

/// A connection to one device.
// REAL: the client of the protocol's library, and the receiver of its subscription.
pub(crate) struct Connection {
    ambient: f32,
    temperature: f32,
    setpoint: f32,
    on: bool,
    events: u32,
    /// The properties that the device sends by itself.
    sent: Vec<Arc<Property<Visitor>>>,
    ticks: Interval,
}

impl Driver for Simulator {
    type Config = Config;
    type Session = Connection;

    async fn connect(&self, _device: &Device, config: Config) -> Result<Connection, DriverError> {
        // REAL: connect. An error is tried again later.
        Ok(Connection {
            ambient: config.ambient,
            temperature: config.ambient,
            setpoint: config.ambient,
            on: false,
            events: 0,
            sent: Vec::new(),
            ticks: interval(Duration::from_millis(500)),
        })
    }
}

impl Session for Connection {
    type Visitor = Visitor;

    async fn subscribe(
        &mut self,
        properties: &[Arc<Property<Visitor>>],
    ) -> Result<Subscriptions, DriverError> {
        // REAL: subscribe to what is new, and unsubscribe from what is gone: this is called at the
        // beginning and whenever the properties change. What is returned is not polled.
        self.sent = properties.to_vec();
        self.sent
            .retain(|property| property.visitor().point == Point::Temperature);
        Ok(self.sent.iter().collect())
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        // REAL: await the subscription's next message. This is cancelled at any await and must lose
        // nothing then: `tick` does not, and neither does `recv` of a channel of tokio's.
        self.ticks.tick().await;
        self.events = self.events.wrapping_add(1);
        let temperature = self.warm();
        // REAL: a `Reading` has the device's time and quality; see `Change::failed`, too.
        let change = |property: &Arc<Property<_>>| Change::new(property.name(), temperature);
        Ok(self.sent.iter().map(change).collect())
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        // REAL: ask the device, or give what it has sent last.
        Ok(match property.visitor().point {
            Point::Temperature => self.temperature.into(),
            Point::Setpoint => self.setpoint.into(),
            Point::Enabled => self.on.into(),
            Point::Events => self.events.into(),
        })
    }

    async fn write(
        &mut self,
        property: &Property<Visitor>,
        value: &Value,
    ) -> Result<(), DriverError> {
        // REAL: write to the device. Access mode, bounds and type (the variant) have been checked.
        match (property.visitor().point, value) {
            (Point::Setpoint, Value::Float(degrees)) => self.setpoint = *degrees,
            (Point::Enabled, Value::Boolean(on)) => self.on = *on,
            _ => return Err(DriverError::refused("this point cannot be written")),
        }
        Ok(())
    }
}

impl Connection {
    /// Goes a quarter of the way to where the heater brings the temperature, in steps of 0.01 °C.
    fn warm(&mut self) -> f32 {
        let goal = if self.on { self.setpoint } else { self.ambient };
        let temperature = self.temperature + (goal - self.temperature) / 4.0;
        self.temperature = (temperature * 100.0).round() / 100.0;
        self.temperature
    }
}
