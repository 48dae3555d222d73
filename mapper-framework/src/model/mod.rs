//! Pure data: devices, properties, values and samples, without a protocol and without a task.
//!
//! A device's manifest and its model arrive from edgecore separately, as the two custom resources they are. Joined they are the
//! [`Device`] that a driver sees.

mod address;
mod anomaly;
mod bounds;
mod broker;
mod credentials;
mod decimal;
mod device;
mod doubt;
mod frame_outlet;
mod host_pattern;
mod id;
mod illegal;
mod interlock;
mod keys;
mod property;
mod push;
mod record;
mod report;
mod resolve;
mod sample;
mod secret;
mod secrets;
mod stream;
mod time;
mod value;
mod write;

pub(crate) use address::{Address, AddressError};
pub use anomaly::{AnomalyRule, AnomalyRules};
pub(crate) use bounds::{BadBound, Bounds};
pub(crate) use broker::Broker;
pub(crate) use credentials::CREDENTIALS_KEY;
pub use credentials::Credentials;
pub use device::{Device, DeviceBuilder, DeviceState, Method, StateReport};
pub(crate) use doubt::Doubt;
pub(crate) use frame_outlet::{FramePush, Publication, PublishCodec};
pub(crate) use host_pattern::{HostPattern, is_loopback};
pub use id::{DeviceId, ModelId, NamespacedName};
pub use illegal::IllegalValues;
pub(crate) use keys::{Misfit, nearest};
pub use property::{AccessMode, Property, PropertyBuilder};
pub use push::{HttpPush, Influxdb2Push, MqttPush, MysqlPush, OtelPush, PushMethod, RedisPush, TdenginePush};
pub(crate) use record::{RecordFormat, RecordRules};
pub(crate) use report::{ReportRules, Strategy};
pub(crate) use resolve::{DeviceInstance, DeviceModel, InstanceProperty, ModelProperty, Problem, Resolved};
pub use sample::{Quality, Reading, Sample};
pub use secret::Secret;
pub(crate) use secrets::Secrets;
pub(crate) use stream::{StreamOrder, StreamTwin};
pub(crate) use time::{rfc3339, writable};
pub use value::{DataType, Value, ValueError};
pub(crate) use write::{Confirm, WritePolicy, WriteRules};

/// What a user writes under `configData`: a flat map of scalars.
pub type ConfigData = serde_json::Map<String, serde_json::Value>;
