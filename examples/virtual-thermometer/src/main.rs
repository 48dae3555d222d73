//! A thermometer without hardware, and a heater that warms it.
//!
//! Run it against an edgecore in the same process, from the workspace's root:
//!
//! ```console
//! cargo run -p virtual-thermometer -- --standalone examples/virtual-thermometer/devices
//! ```
//!
//! Then change the heater's `desired` value in `devices/instance.yaml`, and watch the temperature turn.

mod driver;

use std::process::ExitCode;

use mapper_framework::Mapper;

fn main() -> ExitCode {
    Mapper::builder(driver::VirtualThermometer)
        .package(mapper_framework::package!())
        .protocol("virtual-thermometer")
        .sample(concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/instance.yaml")))
        .main()
}
