//! The mapper against a real Modbus server, pymodbus. `cargo xtask test -- -p modbus-tcp` installs it and runs this.

mod driver;
mod server;

use std::fmt;

/// Why a test failed: any error, so that `?` takes a `DriverError` too, which is not an [`Error`](std::error::Error).
#[derive(Debug)]
#[expect(dead_code, reason = "the test's output shows it")]
struct Failure(String);

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(format!("{error:#}"))
    }
}

type Outcome = Result<(), Failure>;
