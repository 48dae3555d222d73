//! What the mapper takes of memory while a target is away.

use std::{fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::table::{Table, megabytes};

/// Samples a second.
const RATE: u32 = 10_000;

/// How long they come while nobody takes them.
const TIME: Duration = Duration::from_secs(60);

/// The most memory that is to be resident.
const GOAL: u64 = 80_000_000;

pub(crate) async fn run() -> Result<()> {
    let table = Table::new(&format!("a sink that is away, {RATE} samples/s for {} s", TIME.as_secs()));
    let folder = tempfile::tempdir()?;
    let push = "{dbMethod: {redis: {redisClientConfig: {addr: \"127.0.0.1:1\"}}}}";
    let mut mapper = Command::new(env!("CARGO_BIN_EXE_flood-mapper"))
        .env("MAPPER_TEST_FOLDER", folder.path())
        .env("MAPPER_TEST_PUSH", push)
        .env("MAPPER_TEST_FIRST", "0")
        .env("MAPPER_TEST_RATE", RATE.to_string())
        .env("MAPPER_TEST_TOTAL", (u64::from(RATE) * TIME.as_secs()).to_string())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    tokio::time::sleep(TIME).await;
    let id = mapper.id().context("the mapper has ended")?;
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak")?;
    let peak = peak.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024;
    mapper.kill().await?;
    table.judge("resident memory, at most", megabytes(peak), format!("< {}", megabytes(GOAL)), peak < GOAL);
    table.tell("on disk", megabytes(bytes_below(folder.path())?));
    Ok(())
}

fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
