//! A device for the sink: the seconds since the session began.

use std::time::Instant;

use mapper_framework::{Device, Driver, DriverError, Property, Reading, Session};
use serde::Deserialize;

/// The driver.
#[derive(Debug)]
pub struct Clock;

/// `visitors.configData`, of which the driver needs nothing; what the sink reads there is the sink's.
#[derive(Debug, Deserialize)]
pub struct Visitor {}

/// A clock that runs.
#[derive(Debug)]
pub struct Running(Instant);

impl Driver for Clock {
    type Config = ();
    type Session = Running;

    async fn connect(&self, _: &Device, (): ()) -> Result<Running, DriverError> {
        Ok(Running(Instant::now()))
    }
}

impl Session for Running {
    type Visitor = Visitor;

    async fn read(&mut self, _: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(self.0.elapsed().as_secs_f64().into())
    }
}
