//! The program. README.md says how to run it, with and without Kubernetes.

use std::{env, process::ExitCode};

use mapper_framework::Mapper;
use usb_camera::{Machine, UsbCamera, scaffold};

/// What is wrong with the command line, as the framework has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match scaffold::asked_for(env::args_os()) {
        Ok(None) => Mapper::builder(UsbCamera::default())
            .package(mapper_framework::package!())
            .protocol("usb-camera")
            .sample(concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/instance.yaml")))
            .main(),
        Ok(Some(device)) => scaffold::run(&Machine::default(), &device),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}
