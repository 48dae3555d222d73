//! A KubeEdge mapper for the protocol simulated. All that is not the framework's is in `driver.rs`.

mod driver;

use std::process::ExitCode;

use mapper_framework::Mapper;

fn main() -> ExitCode {
    Mapper::builder(driver::Simulator)
        .package(mapper_framework::package!())
        .protocol("simulated")
        .sample(concat!(
            include_str!("../devices/model.yaml"),
            "\n---\n",
            include_str!("../devices/instance.yaml")
        ))
        .main()
}
