//! The mapper against a real Modbus server, pymodbus. `cargo xtask test -- -p modbus` installs it and runs this.

mod discover;
mod driver;
mod faults;
mod frozen;
mod go;
mod line;
mod mapper;
mod recorded;
mod records;
mod register;
mod round;
mod server;
mod tls;
mod vectors;

type Outcome = Result<(), Box<dyn std::error::Error>>;
