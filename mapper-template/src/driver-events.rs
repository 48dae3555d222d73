//! The driver: all of this mapper that is not the framework's. As generated, it serves a simulated heater that sends its temperature
//! by itself. What a real device needs instead goes where a comment says REAL.

use std::time::Duration;

use mapper_framework::{Device, Driver, DriverError, Property, Reading, Session, Value};
use serde::Deserialize;
use tokio::time::{Interval, interval};

/// Opens connections.
// REAL: what several devices share, such as the connection to a broker, becomes a field of this.
pub(crate) struct Simulator;

/// `spec.protocol.configData` of a device: how it is reached.
// REAL: a host and a port, a topic, a timeout.
#[derive(Deserialize)]
pub(crate) struct Config {
    /// The temperature around the heater, in °C.
    ambient: f64,
}

/// `visitors.configData` of a property: where it is found in the device.
// REAL: a topic, a node's name, a field of a message.
#[derive(Deserialize)]
pub(crate) struct Visitor {
    point: Point,
}

/// What a simulated heater knows.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
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
    temperature: f64,
    setpoint: f64,
    enabled: bool,
    ambient: f64,
    events: u32,
    /// The properties that the device sends by itself.
    subscribed: Vec<String>,
    ticks: Interval,
}

impl Driver for Simulator {
    type Config = Config;
    type Session = Connection;

    async fn connect(&self, device: &Device, config: Config) -> Result<Connection, DriverError> {
        // REAL: connect and subscribe. An error is tried again later, and `?` takes those of libraries.
        let sent = device.properties().filter(|property| property.visitor()["point"] == "temperature");
        Ok(Connection {
            temperature: config.ambient,
            setpoint: config.ambient,
            enabled: false,
            ambient: config.ambient,
            events: 0,
            subscribed: sent.map(|property| property.name().to_owned()).collect(),
            ticks: interval(Duration::from_millis(500)),
        })
    }
}

impl Session for Connection {
    type Visitor = Visitor;

    async fn changed(&mut self) -> Result<Vec<Reading>, DriverError> {
        // REAL: await the subscription's next message. This is cancelled at any await and must lose nothing then, which holds for
        // `tick` and for the `recv` of tokio's channels.
        self.ticks.tick().await;
        self.events = self.events.wrapping_add(1);
        let temperature = self.warm();
        Ok(self.subscribed.iter().map(|name| Reading::new(name, temperature)).collect())
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Value, DriverError> {
        // REAL: ask the device, or give what it has sent last.
        Ok(match property.visitor().point {
            Point::Temperature => self.shown().into(),
            Point::Setpoint => self.setpoint.into(),
            Point::Enabled => self.enabled.into(),
            Point::Events => self.events.into(),
        })
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        // REAL: tell the device. Type, bounds and access mode have been checked.
        match (property.visitor().point, value) {
            (Point::Setpoint, value) => {
                let number = value.as_f64();
                self.setpoint = number.ok_or_else(|| DriverError::refused("not a number"))?;
            }
            (Point::Enabled, Value::Boolean(enabled)) => self.enabled = *enabled,
            _ => return Err(DriverError::refused("this point cannot be written")),
        }
        Ok(())
    }
}

impl Connection {
    /// Goes a quarter of the way to where the heater brings the temperature.
    fn warm(&mut self) -> f64 {
        let goal = if self.enabled { self.setpoint } else { self.ambient };
        self.temperature += (goal - self.temperature) / 4.0;
        self.shown()
    }

    /// The temperature in steps of 0.01 °C.
    fn shown(&self) -> f64 {
        (self.temperature * 100.0).round() / 100.0
    }
}
