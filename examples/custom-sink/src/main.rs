//! Registers the sink beside the driver.

use std::process::ExitCode;

use custom_sink::{clock::Clock, csv::Csv};
use mapper_framework::Mapper;

fn main() -> ExitCode {
    Mapper::builder(Clock)
        .package(mapper_framework::package!())
        .protocol("clock")
        .sample(include_str!("../devices/clock.yaml"))
        .configured_sink("csv", Csv::new)
        .main()
}
