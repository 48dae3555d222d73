//! The program. README.md says how to run it, with and without Kubernetes.

use std::{convert::Infallible, process::ExitCode};

use mapper_framework::Mapper;
use opcua::OpcUa;

fn main() -> ExitCode {
    Mapper::configured(|settings| Ok::<_, Infallible>(OpcUa::new(settings)))
        .package(mapper_framework::package!())
        .protocol("opcua")
        .sample(concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/instance.yaml")))
        .main()
}
