//! A mapper whose device hardly answers, for tests of what a process does then. It says on standard output what happens to it.

use std::{process::ExitCode, thread, time::Duration};

use mapper_framework::{Device, Driver, DriverError, Mapper, Property, Reading, Session};
use serde::Deserialize;

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(3600);

struct Stubborn;

/// `configData`
#[derive(Deserialize)]
struct Config {
    /// `waits` in a future, `blocks` a thread, does `not-close`, or `answers` after all.
    habit: Habit,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Habit {
    Waits,
    Blocks,
    NotClose,
    Answers,
}

struct Hung(Habit);

impl Driver for Stubborn {
    type Config = Config;
    type Session = Hung;

    async fn connect(&self, _: &Device, config: Config) -> Result<Hung, DriverError> {
        Ok(Hung(config.habit))
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
