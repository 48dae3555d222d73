//! The program. README.md says how to run it, with and without Kubernetes.

use std::process::ExitCode;

use mapper_framework::Mapper;
use modbus_tcp::ModbusTcp;

fn main() -> ExitCode {
    Mapper::builder(ModbusTcp::default())
        .package(mapper_framework::package!())
        .protocol("modbus-tcp")
        .sample(concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/instance.yaml")))
        .main()
}
