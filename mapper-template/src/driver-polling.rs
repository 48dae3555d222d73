//! The driver: all of this mapper that is not the framework's. As generated, it serves a simulated heater. What a real device
//! needs instead goes where a comment says REAL.

use mapper_framework::{Device, Driver, DriverError, Property, Session, Value};
use serde::Deserialize;

/// Opens connections.
// REAL: what several devices share, such as a serial line or a gateway, becomes a field of this.
pub(crate) struct Simulator;

/// `spec.protocol.configData` of a device: how it is reached.
// REAL: a host and a port, a device file, a unit's number, a timeout.
#[derive(Deserialize)]
pub(crate) struct Config {
    /// The temperature around the heater, in °C.
    ambient: f64,
}

/// `visitors.configData` of a property: where it is found in the device.
// REAL: a register, a node's name, an offset and a scale.
#[derive(Deserialize)]
pub(crate) struct Visitor {
    point: Point,
}

/// What a simulated heater knows.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Point {
    Temperature,
    Setpoint,
    Enabled,
    Reads,
}

/// A connection to one device.
// REAL: the socket or the client of the protocol's library.
pub(crate) struct Connection {
    temperature: f64,
    setpoint: f64,
    enabled: bool,
    ambient: f64,
    reads: u32,
}

impl Driver for Simulator {
    type Config = Config;
    type Session = Connection;

    async fn connect(&self, _device: &Device, config: Config) -> Result<Connection, DriverError> {
        // REAL: connect. An error is tried again later, and `?` takes those of libraries.
        Ok(Connection {
            temperature: config.ambient,
            setpoint: config.ambient,
            enabled: false,
            ambient: config.ambient,
            reads: 0,
        })
    }
}

impl Session for Connection {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Value, DriverError> {
        // REAL: ask the device. Where it gives many values at once, implement `read_many` too.
        self.reads = self.reads.wrapping_add(1);
        Ok(match property.visitor().point {
            Point::Temperature => self.warm().into(),
            Point::Setpoint => self.setpoint.into(),
            Point::Enabled => self.enabled.into(),
            Point::Reads => self.reads.into(),
        })
    }

    async fn write(
        &mut self,
        property: &Property<Visitor>,
        value: &Value,
    ) -> Result<(), DriverError> {
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

    // REAL: where the device wants a farewell, implement `close`.
}

impl Connection {
    /// Goes a quarter of the way to where the heater brings the temperature, which it gives in steps of 0.01 °C.
    fn warm(&mut self) -> f64 {
        let goal = if self.enabled { self.setpoint } else { self.ambient };
        self.temperature += (goal - self.temperature) / 4.0;
        (self.temperature * 100.0).round() / 100.0
    }
}
