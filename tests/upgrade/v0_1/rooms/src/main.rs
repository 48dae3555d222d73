use std::process::ExitCode;

use frozen_mapper::{csv::Csv, driver::Rooms};
use mapper_framework::Mapper;

fn main() -> ExitCode {
    Mapper::builder(Rooms)
        .package(mapper_framework::package!())
        .protocol("room")
        .sample(include_str!("../devices/room.yaml"))
        .sink(Csv)
        .main()
}
