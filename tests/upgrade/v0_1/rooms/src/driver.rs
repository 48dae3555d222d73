//! The driver: rooms that take the temperature they are set to.

use mapper_framework::{
    DataType, Device, DeviceState, Driver, DriverError, Method, Property, Reading, Session, Value, model::Quality,
};
use serde::Deserialize;
use tokio::sync::mpsc;

/// Opens rooms.
pub struct Rooms;

/// `spec.protocol.configData`
#[derive(Deserialize)]
pub struct Config {
    ambient: f64,
}

/// `visitors.configData`, in which the sink has a key, too.
#[derive(Deserialize)]
#[serde(tag = "shows", rename_all = "camelCase")]
pub enum Visitor {
    Temperature,
    Setpoint,
    Door,
}

/// A room, whose door tells by itself when it opens.
pub struct Room {
    temperature: f64,
    setpoint: f64,
    door: bool,
    doors: mpsc::Receiver<Reading>,
}

impl Driver for Rooms {
    type Config = Config;
    type Session = Room;

    async fn connect(&self, device: &Device, config: Config) -> Result<Room, DriverError> {
        if device.properties().len() == 0 {
            return Err(DriverError::disconnected(format_args!("{} has no properties", device.id())));
        }
        let (opened, doors) = mpsc::channel(1);
        // The door is opened once, by what holds the sender.
        tokio::spawn(async move {
            drop(opened.send(Reading::new("door", true).quality(Quality::Uncertain)).await);
            opened.closed().await;
        });
        Ok(Room { temperature: config.ambient, setpoint: config.ambient, door: false, doors })
    }
}

impl Session for Room {
    type Visitor = Visitor;

    fn check(property: &Property<Visitor>) -> Result<(), DriverError> {
        match (property.visitor(), property.data_type()) {
            (Visitor::Door, DataType::Boolean) => Ok(()),
            (Visitor::Temperature | Visitor::Setpoint, data_type) if data_type.is_numeric() => Ok(()),
            (_, other) => Err(DriverError::unsupported(format_args!("{}: a room has no {other}", property.name()))),
        }
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Value, DriverError> {
        Ok(match property.visitor() {
            Visitor::Temperature => self.temperature.into(),
            Visitor::Setpoint => self.setpoint.into(),
            Visitor::Door => self.door.into(),
        })
    }

    async fn read_many(&mut self, properties: &[&Property<Visitor>]) -> Vec<Result<Value, DriverError>> {
        self.temperature += (self.setpoint - self.temperature) / 2.0;
        let mut values = Vec::new();
        for property in properties {
            values.push(self.read(property).await);
        }
        values
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let Visitor::Setpoint = property.visitor() else { return Err(DriverError::refused("it can only be read")) };
        self.setpoint = value.as_f64().ok_or_else(|| DriverError::failed(format_args!("{value} is no number")))?;
        Ok(())
    }

    async fn call(
        &mut self,
        method: &Method,
        property: &Property<Visitor>,
        value: &Value,
    ) -> Result<(), DriverError> {
        match method.name.as_str() {
            "heat" => self.write(property, value).await,
            other => Err(DriverError::unsupported(format_args!("a room cannot {other}"))),
        }
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        Ok(if self.temperature > 40.0 { DeviceState::Unhealthy } else { DeviceState::Online })
    }

    async fn changed(&mut self) -> Result<Vec<Reading>, DriverError> {
        let reading = self.doors.recv().await.ok_or_else(|| DriverError::disconnected("the door is gone"))?;
        self.door = true;
        Ok(vec![reading])
    }

    async fn close(self) {
        drop(self.doors);
    }
}
