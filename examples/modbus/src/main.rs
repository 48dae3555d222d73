//! The program. README.md says how to run it, with and without Kubernetes.

use std::process::ExitCode;

use mapper_framework::Mapper;
use modbus::Modbus;

fn main() -> ExitCode {
    Mapper::builder(Modbus::default())
        .package(mapper_framework::package!())
        .protocol("modbus")
        .sample(concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/instance.yaml")))
        .main()
}
