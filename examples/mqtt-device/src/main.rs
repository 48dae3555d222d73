//! The program. README.md says how to run it, with and without Kubernetes.

use std::process::ExitCode;

use mapper_framework::Mapper;
use mqtt_device::MqttDevices;

fn main() -> ExitCode {
    Mapper::builder(MqttDevices::default())
        .package(mapper_framework::package!())
        .protocol("mqtt")
        .sample(include_str!("../devices/tasmota.yaml"))
        .main()
}
