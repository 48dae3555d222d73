//! The program: `modbus-tcp --config-file config.yaml`.

fn main() {}
