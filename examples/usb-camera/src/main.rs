//! The program. README.md says how to run it, with and without Kubernetes.

use std::process::ExitCode;

use mapper_framework::Mapper;
use usb_camera::UsbCamera;

fn main() -> ExitCode {
    Mapper::builder(UsbCamera::default())
        .package(mapper_framework::package!())
        .protocol("usb-camera")
        .sample(concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/instance.yaml")))
        .main()
}
