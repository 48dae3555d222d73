//! Pure data: devices, properties, values and samples, without a protocol and without a task.
//!
//! A device's manifest and its model arrive from edgecore separately, as the two custom resources they are. Joined they are the
//! [`Device`] that a driver sees.

mod device;
mod id;
mod property;
mod push;
mod resolve;
mod sample;
mod secret;
mod value;

pub use device::{Device, DeviceBuilder, DeviceState, Method, StateReport};
pub use id::{DeviceId, ModelId, NamespacedName};
pub use property::{AccessMode, Property, PropertyBuilder};
pub use push::{HttpPush, Influxdb2Push, MqttPush, MysqlPush, OtelPush, PushMethod, RedisPush, TdenginePush};
pub(crate) use resolve::{DeviceInstance, DeviceModel, InstanceProperty, ModelProperty, Problem, Resolved};
pub use sample::{Quality, Reading, Sample};
pub use secret::Secret;
pub use value::{DataType, Value, ValueError};

/// What a user writes under `configData`: a flat map of scalars.
pub type ConfigData = serde_json::Map<String, serde_json::Value>;
