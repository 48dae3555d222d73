//! The driver: rooms that take the temperature they are set to.

use std::sync::Arc;

use mapper_framework::{
    Call, Change, DataType, Device, DeviceState, Driver, DriverError, Property, Reading, Reads, Session, Subscriptions,
    Value, model::Quality,
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
    doors: mpsc::Receiver<Change>,
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
            drop(opened.send(Change::new("door", Reading::new(true).quality(Quality::Uncertain))).await);
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

    async fn subscribe(&mut self, properties: &[Arc<Property<Visitor>>]) -> Result<Subscriptions, DriverError> {
        let mut subscriptions = Subscriptions::none();
        for property in properties.iter().filter(|property| matches!(property.visitor(), Visitor::Door)) {
            subscriptions.add(property);
        }
        Ok(subscriptions)
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(match property.visitor() {
            Visitor::Temperature => self.temperature.into(),
            Visitor::Setpoint => self.setpoint.into(),
            Visitor::Door => self.door.into(),
        })
    }

    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        self.temperature += (self.setpoint - self.temperature) / 2.0;
        for property in reads.properties() {
            let result = self.read(property).await;
            reads.set(property, result);
        }
        Ok(())
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let Visitor::Setpoint = property.visitor() else { return Err(DriverError::refused("it can only be read")) };
        self.setpoint = value.as_f64().ok_or_else(|| DriverError::failed(format_args!("{value} is no number")))?;
        Ok(())
    }

    async fn call(&mut self, call: &Call<'_, Visitor>) -> Result<Vec<Value>, DriverError> {
        match call.method().name.as_str() {
            "heat" => {
                for (property, value) in call.arguments() {
                    self.write(property, value).await?;
                }
                Ok(vec![self.setpoint.into()])
            }
            other => Err(DriverError::unsupported(format_args!("a room cannot {other}"))),
        }
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        Ok(if self.temperature > 40.0 { DeviceState::Unhealthy } else { DeviceState::Online })
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        let change = self.doors.recv().await.ok_or_else(|| DriverError::disconnected("the door is gone"))?;
        self.door = true;
        Ok(vec![change])
    }

    async fn close(self) {
        drop(self.doors);
    }
}
