//! The program. README.md says how to run it, with and without Kubernetes.

use std::process::ExitCode;

use ip_camera::IpCamera;
use mapper_framework::Mapper;

fn main() -> ExitCode {
    Mapper::builder(IpCamera::default())
        .package(mapper_framework::package!())
        .protocol("ip-camera")
        .sample(concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/gate.yaml")))
        .main()
}
