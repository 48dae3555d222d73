//! The mapper against a real broker, Mosquitto, and devices that are played by paho-mqtt.
//! `cargo xtask test -- -p mqtt-device` installs these and runs this.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod bed;
mod check;
mod discover;
mod families;
mod json;
mod peers;
mod plant;
mod recorded;
mod rights;
mod slow;
mod sparkplug;
mod tasmota;
mod trouble;
