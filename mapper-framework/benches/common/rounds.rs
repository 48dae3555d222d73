//! What a driver costs beside the bare client of its protocol: each makes rounds of reads, in turns, and their figures stand side by side.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::table::Table;

const TURNS: u32 = 5;
const TURN: Duration = Duration::from_secs(1);

/// Has both read so many points in each round, on this thread, and prints what that took.
pub(crate) async fn compare(
    title: &str,
    points: u16,
    mut client: impl AsyncFnMut() -> Result<()>,
    mut driver: impl AsyncFnMut() -> Result<()>,
) -> Result<()> {
    let (mut of_client, mut of_driver) = (Cost::default(), Cost::default());
    for _ in 0..TURNS {
        of_client.add(points, &mut client).await?;
        of_driver.add(points, &mut driver).await?;
    }
    let table = Table::new(title);
    table.tell("points a second, bare client", format!("{:.0}", of_client.points_a_second()));
    table.tell("points a second, driver", format!("{:.0}", of_driver.points_a_second()));
    let ratio = of_driver.points_a_second() / of_client.points_a_second();
    table.judge("driver, of the bare client", format!("{:.0} %", ratio * 100.0), "≥ 80 %", ratio >= 0.8);
    table.tell("CPU per point, bare client", format!("{:.0} ns", of_client.cpu_per_point()));
    table.tell("CPU per point, driver", format!("{:.0} ns", of_driver.cpu_per_point()));
    Ok(())
}

/// What rounds have cost.
#[derive(Default)]
struct Cost {
    points: f64,
    took: Duration,
    cpu: Duration,
}

impl Cost {
    /// Makes rounds for a while.
    async fn add(&mut self, points: u16, round: &mut impl AsyncFnMut() -> Result<()>) -> Result<()> {
        let (begun, used) = (Instant::now(), cpu_time()?);
        while begun.elapsed() < TURN {
            round().await?;
            self.points += f64::from(points);
        }
        self.took += begun.elapsed();
        self.cpu += cpu_time()? - used;
        Ok(())
    }

    fn points_a_second(&self) -> f64 {
        self.points / self.took.as_secs_f64()
    }

    /// In nanoseconds.
    fn cpu_per_point(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / self.points
    }
}

/// What this thread has taken, which is the only one that works.
fn cpu_time() -> Result<Duration> {
    let figures = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = figures.split(' ').next().context("schedstat begins with the time on a CPU")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
