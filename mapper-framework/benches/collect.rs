//! What it costs to read devices: 10,000 samples a second, and ten times as many.
//!
//! Run it with `cargo xtask bench collect`. It takes about a minute.

mod common;

use std::time::{Duration, Instant};

use anyhow::Result;
use common::{
    fleet,
    process::{self, MapperProcess},
    table::{Table, megabytes},
};
use mapper_framework::local_edge::LocalEdge;

/// From the last device's connect to the first figure: the burst of first reports is over then.
const WARM_UP: Duration = Duration::from_secs(5);

const WINDOW: Duration = Duration::from_secs(20);

/// What a fleet has cost.
struct Figures {
    samples: u64,
    /// As many as the cycles make of the time that has passed.
    expected: f64,
    skipped: u64,
    /// Of one core.
    cpu: f64,
    cpu_per_sample: Duration,
    resident: u64,
    peak: u64,
}

fn main() -> Result<()> {
    if let Some(folder) = process::folder_of_mapper() {
        return process::serve(&folder, fleet::mapper());
    }
    if !common::is_wanted() {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let small = measure(1000).await?;
        let table = print("1,000 devices", &small);
        let cpu = format!("{:.1} %", small.cpu * 100.0);
        table.judge("CPU, of one core", cpu, "≤ 5 %", small.cpu <= 0.05);
        table.judge("resident memory", megabytes(small.resident), "≤ 60 MB", small.resident <= 60_000_000);
        let large = measure(10_000).await?;
        let table = print("10,000 devices", &large);
        table.tell("CPU, of one core", format!("{:.1} %", large.cpu * 100.0));
        table.tell("resident memory", megabytes(large.resident));
        let ratio = large.cpu_per_sample.as_secs_f64() / small.cpu_per_sample.as_secs_f64();
        let figure = format!("{:+.0} %", (ratio - 1.0) * 100.0);
        table.judge("CPU per sample, against 1,000 devices", figure, "≤ +20 %", ratio <= 1.2);
        Ok(())
    })
}

fn print(fleet: &str, figures: &Figures) -> Table {
    let Figures { samples, expected, skipped, cpu_per_sample, peak, .. } = figures;
    let table =
        Table::new(&format!("collect: {fleet} of {} properties, read every second, all reported", fleet::PROPERTIES));
    table.judge("ticks skipped", skipped, "0", *skipped == 0);
    let complete = *samples as f64 / expected;
    let met = (complete - 1.0).abs() < 0.005;
    table.judge("samples, of those that the cycles ask for", format!("{:.2} %", complete * 100.0), "100 % ± 0.5", met);
    table.tell("CPU per sample", format!("{:.2} µs", cpu_per_sample.as_secs_f64() * 1e6));
    table.tell("peak resident memory", megabytes(*peak));
    table
}

async fn measure(devices: usize) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(folder.path()).await?;
    fleet::apply(&edge, devices, fleet::Kind::Plain).await?;
    let mut mapper = MapperProcess::start(folder.path())?;
    mapper.wait_for_connects(devices).await?;
    tokio::time::sleep(WARM_UP).await;
    let (begun, counted, usage) = (Instant::now(), mapper.counted().await?, mapper.usage()?);
    tokio::time::sleep(WINDOW).await;
    let (passed, counted_then, usage_then) = (begun.elapsed(), mapper.counted().await?, mapper.usage()?);
    let samples = counted_then.get("reads.samples") - counted.get("reads.samples");
    let cpu = usage_then.cpu - usage.cpu;
    Ok(Figures {
        samples,
        expected: (devices * fleet::PROPERTIES) as f64 * passed.as_secs_f64(),
        skipped: mapper.stop().await?.get("reads.ticks_skipped"),
        cpu: cpu.as_secs_f64() / passed.as_secs_f64(),
        cpu_per_sample: cpu.div_f64(samples as f64),
        resident: usage_then.resident,
        peak: usage_then.peak,
    })
}
