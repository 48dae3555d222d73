//! A mapper whose device hardly answers, for tests of what a process does then. It says on standard output what happens to it.

use std::{process::ExitCode, thread, time::Duration};

use mapper_framework::{DataType, Device, Discovery, Driver, DriverError, Found, Mapper, Property, Reading, Session};
use serde::{Deserialize, Serialize};

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(3600);

struct Stubborn;

/// `configData`
#[derive(Deserialize, Serialize)]
struct Config {
    /// `waits` in a future, `blocks` a thread, does `not-close`, or `answers` after all.
    habit: Habit,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Habit {
    Waits,
    Blocks,
    NotClose,
    Answers,
}

/// The arguments of a search: what becomes of it when it has found a device.
#[derive(Deserialize)]
struct Args {
    then: Then,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Then {
    Waits,
    Blocks,
    Fails,
    Panics,
}

struct Hung(Habit);

impl Driver for Stubborn {
    type Config = Config;
    type Session = Hung;

    async fn connect(&self, _: &Device, config: Config) -> Result<Hung, DriverError> {
        Ok(Hung(config.habit))
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        let Args { then } = discovery.args()?;
        let value = Property::builder("value", DataType::Int).build();
        discovery.add(Found::new("One that answers").config(Config { habit: Habit::Answers }).property(value));
        discovery.progress("found one");
        match then {
            Then::Waits => tokio::time::sleep(FOREVER).await,
            Then::Blocks => thread::sleep(FOREVER),
            Then::Fails => return Err(DriverError::failed("the cable is cut")),
            Then::Panics => panic!("no idea"),
        }
        Ok(())
    }
}

impl Session for Hung {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        println!("reading");
        if self.0 == Habit::Blocks {
            tokio::task::spawn_blocking(|| thread::sleep(FOREVER)).await?;
        }
        if self.0 != Habit::Answers {
            tokio::time::sleep(FOREVER).await;
        }
        Ok(0.into())
    }

    async fn close(self) {
        println!("closing");
        if self.0 == Habit::NotClose {
            tokio::time::sleep(FOREVER).await;
        }
    }
}

fn main() -> ExitCode {
    Mapper::builder(Stubborn).package(mapper_framework::package!()).protocol("stubborn").main()
}
