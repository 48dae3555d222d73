//! The driver: all that is not the framework's.

use mapper_framework::{
    AccessMode, DataType, Device, Discovery, Driver, DriverError, Found, Property, Reading, Session, Value,
};
use serde::{Deserialize, Serialize};

/// Opens rooms. There is nothing that several rooms would share.
pub(crate) struct VirtualThermometer;

/// `spec.protocol.configData`
#[derive(Deserialize, Serialize)]
pub(crate) struct Config {
    /// The temperature of the unheated room, in °C.
    ambient: f64,
}

/// `visitors.configData`: what the property shows of the room.
#[derive(Deserialize, Serialize)]
#[serde(tag = "shows", rename_all = "camelCase")]
pub(crate) enum Visitor {
    /// The temperature, which moves by up to `drift` °C with each read.
    Temperature { drift: f64 },
    /// Whether the heater is on.
    Heater,
}

/// The arguments of `virtual-thermometer discover`.
#[derive(Deserialize)]
struct Args {
    /// How many rooms are looked into.
    #[serde(default = "one")]
    rooms: u16,
}

fn one() -> u16 {
    1
}

/// A room with a heater.
pub(crate) struct Room {
    ambient: f64,
    temperature: f64,
    heater: bool,
}

impl Driver for VirtualThermometer {
    type Config = Config;
    type Session = Room;

    const DISCOVER_ARGS: &'static [(&'static str, &'static str)] =
        &[("rooms", "How many rooms are looked into [default: 1]")];

    async fn connect(&self, _device: &Device, config: Config) -> Result<Room, DriverError> {
        Ok(Room { ambient: config.ambient, temperature: config.ambient, heater: false })
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        let Args { rooms } = discovery.args()?;
        for room in 1..=rooms {
            // A driver with hardware asks the room what it is.
            discovery.progress(format_args!("room {room} of {rooms}"));
            discovery.add(found(room));
        }
        Ok(())
    }
}

/// What a room has to offer. All have the same, so they share one model.
fn found(room: u16) -> Found {
    let temperature = Property::builder("temperature", DataType::Float)
        .description("The temperature of the room")
        .unit("°C")
        .visitor(Visitor::Temperature { drift: 0.2 });
    let heater = Property::builder("heater", DataType::Boolean)
        .description("Whether the heater is on")
        .access_mode(AccessMode::ReadWrite)
        .visitor(Visitor::Heater);
    Found::new(format!("Room {room}"))
        .model("virtual-thermometer")
        .description("A room without hardware")
        .config(Config { ambient: 20.5 })
        .property(temperature)
        .property(heater)
}

impl Session for Room {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(match property.visitor() {
            Visitor::Temperature { drift } => self.drift(*drift).into(),
            Visitor::Heater => self.heater.into(),
        })
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        match (property.visitor(), value) {
            (Visitor::Heater, Value::Boolean(on)) => self.heater = *on,
            _ => return Err(DriverError::refused("only the heater can be switched")),
        }
        Ok(())
    }
}

impl Room {
    /// By how much the heater warms the room in the end, in °C.
    const WARMTH: f64 = 5.0;

    /// How far the temperature strays from where it belongs, in °C.
    const STRAY: f64 = 0.3;

    /// Moves the temperature to somewhere near where the heater brings it, and gives it in steps of 0.01 °C, as thermometers do.
    fn drift(&mut self, drift: f64) -> f64 {
        let warmth = if self.heater { Self::WARMTH } else { 0.0 };
        let goal = self.ambient + warmth + Self::STRAY * (2.0 * fastrand::f64() - 1.0);
        self.temperature += (goal - self.temperature).clamp(-drift, drift);
        (self.temperature * 100.0).round() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unheated_room_wavers_around_its_ambient_temperature() {
        let mut room = Room { ambient: 20.5, temperature: 20.5, heater: false };
        let reads: Vec<f64> = (0..1000).map(|_| room.drift(0.2)).collect();
        assert!(reads.iter().all(|read| (20.2..=20.8).contains(read)), "{reads:?}");
        assert!(reads.iter().any(|read| *read < 20.4) && reads.iter().any(|read| *read > 20.6), "{reads:?}");
    }
}
