//! The mapper against a real broker, Mosquitto, and devices that are played by paho-mqtt.
//! `cargo xtask test -- -p mqtt-device` installs these and runs this.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

/// Runs each of these tests by each version of MQTT.
macro_rules! by_each_version {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::{Outcome, bed::Version};

            #[tokio::test]
            async fn mqtt_3_1_1() -> Outcome {
                super::$name(Version::V3).await
            }

            #[tokio::test]
            async fn mqtt_5() -> Outcome {
                super::$name(Version::V5).await
            }
        }
    )+};
}

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
mod version;

type Outcome = Result<(), mapper_framework::DriverError>;
