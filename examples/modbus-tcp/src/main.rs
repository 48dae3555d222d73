//! The program. `modbus-tcp --standalone devices` runs it without Kubernetes.

// fn main() -> std::process::ExitCode {
//     mapper_framework::Mapper::builder(modbus_tcp::ModbusTcp::default())
//         .package(mapper_framework::package!())
//         .protocol("modbus-tcp")
//         .main()
// }

/// Stands in until the framework has the builder above.
fn main() {}
