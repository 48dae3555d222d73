//! A mapper for devices that publish themselves by MQTT.
//!
//! - `driver`: what the framework calls, an [`MqttDevices`] that opens an [`MqttDevice`] for each device
//! - `config`, `visitor`, `keys`: what a user writes about a device and about a property, as [`Config`] and [`Visitor`]
//! - `plan`: what is subscribed and published for a device, by its manifest and its family
//! - `session`, `points`, `point`, `kept`: a device, its properties, the last value of each, and the last messages
//! - `codec`, `time`: payloads and the times in them
//! - `presence`: whether a device is there
//! - `sparkplug`: edge nodes, births and deaths, and the protobuf of Sparkplug B
//! - `brokers`, `connection`, `share`, `traffic`, `routes`, `excess`: the connections that devices share, and when they do not
//! - `wire`, `login`: a connection by MQTT 3.1.1 or 5, and what a broker wants to see
//! - `topic`: placeholders and filters
//! - `discover`: a search for devices, which listens at a broker

mod brokers;
mod codec;
mod config;
mod connection;
mod discover;
mod driver;
mod excess;
mod kept;
mod keys;
mod login;
mod plan;
mod point;
mod points;
mod presence;
mod routes;
mod session;
mod share;
mod sparkplug;
mod time;
mod topic;
mod traffic;
mod visitor;
mod wire;

pub use config::Config;
pub use driver::MqttDevices;
pub use session::MqttDevice;
pub use visitor::Visitor;
