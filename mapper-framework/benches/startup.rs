//! How long a mapper takes from the start of its process to its first twin at edgecore.
//!
//! Run it with `cargo xtask bench startup`. It takes a few seconds.

mod common;

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use common::{fleet, process, table::Table};
use mapper_framework::local_edge::LocalEdge;

const STARTS: usize = 20;

const GOAL: Duration = Duration::from_millis(200);

fn main() -> Result<()> {
    if process::folder_of_mapper().is_some() {
        // A mapper's program as its author writes it, configured by the environment.
        let ended = fleet::mapper().main();
        anyhow::bail!("the mapper has ended: {ended:?}");
    }
    if !common::is_wanted() {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut times = Vec::with_capacity(STARTS);
        for _ in 0..STARTS {
            times.push(start_once().await?);
        }
        times.sort_unstable();
        let table = Table::new(&format!("startup: from process start to the first stored twin, {STARTS} times"));
        let judge = |what, time: Duration| {
            table.judge(what, format!("{:.1} ms", time.as_secs_f64() * 1e3), format!("< {GOAL:?}"), time < GOAL);
        };
        judge("median", times[STARTS / 2]);
        judge("worst", *times.last().context("there is one")?);
        Ok(())
    })
}

/// Each time with an edge of its own, since twins and the budget stay with an edge.
async fn start_once() -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(folder.path()).await?;
    fleet::apply(&edge, 1, fleet::Kind::Plain).await?;
    let begun = Instant::now();
    let mapper = start_mapper(folder.path())?;
    edge.wait_until(|state| state.twin(&fleet::device(0), "p0").is_some()).await;
    let taken = begun.elapsed();
    drop(mapper);
    Ok(taken)
}

fn start_mapper(folder: &Path) -> Result<tokio::process::Child> {
    let mapper = process::again(folder)?
        .env("MAPPER_COMMON__EDGECORE_SOCK", folder.join("dmi.sock"))
        .env("MAPPER_GRPC_SERVER__SOCKET_PATH", folder.join("mapper.sock"))
        .stderr(Stdio::null())
        .spawn()?;
    Ok(mapper)
}
