//! The program. `modbus-tcp --standalone devices` runs it without Kubernetes.

fn main() {}
