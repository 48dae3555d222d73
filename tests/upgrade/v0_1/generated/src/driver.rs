//! The driver: all of this mapper that is not the framework's. As generated, it serves a simulated
//! heater. What a real device needs instead goes where a comment says REAL.

use mapper_framework::{Device, Driver, DriverError, Property, Reading, Session, Value};
use serde::Deserialize;

/// Opens connections.
// REAL: what several devices share, such as a serial line or a gateway, becomes a field of this.
pub(crate) struct Simulator;

/// `spec.protocol.configData` of a device: how it is reached.
// REAL: a host and a port, a device file, a unit's number, a timeout.
#[derive(Deserialize)]
pub(crate) struct Config {
    /// The temperature around the heater, in °C.
    ambient: f32,
}

/// `visitors.configData` of a property: where it is found in the device.
// REAL: a register, an offset and a scale.
#[derive(Deserialize)]
pub(crate) struct Visitor {
    point: Point,
}

/// What there is in a simulated heater.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Point {
    Temperature,
    Setpoint,
    Enabled,
    Reads,
}

/// A connection to one device.
// REAL: the socket, or the client of the protocol's library.
pub(crate) struct Connection {
    ambient: f32,
    temperature: f32,
    setpoint: f32,
    on: bool,
    reads: u32,
}

impl Driver for Simulator {
    type Config = Config;
    type Session = Connection;

    async fn connect(&self, _device: &Device, config: Config) -> Result<Connection, DriverError> {
        // REAL: connect. An error is tried again later, and `?` takes those of any library.
        let ambient = config.ambient;
        Ok(Connection {
            ambient,
            temperature: ambient,
            setpoint: ambient,
            on: false,
            reads: 0,
        })
    }
}

impl Session for Connection {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        // REAL: ask the device. Where one answer holds many values, implement `read_many` too.
        self.reads = self.reads.wrapping_add(1);
        Ok(match property.visitor().point {
            Point::Temperature => self.warm().into(),
            Point::Setpoint => self.setpoint.into(),
            Point::Enabled => self.on.into(),
            Point::Reads => self.reads.into(),
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

    // REAL: where the device wants a farewell, implement `close`.
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
