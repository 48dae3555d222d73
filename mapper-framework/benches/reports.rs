//! What reaches edgecore of more reports than it takes: 100 devices, each worth one report a second, against a limit of 100 calls
//! at once and then one call per second.
//!
//! Run it with `cargo xtask bench reports`. It takes two minutes: the twins of 100 devices are as old as the budget makes them
//! only when each device has had its second turn.

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use common::{
    fleet,
    process::{self, MapperProcess, Usage},
    table::{Table, megabytes},
};
use mapper_framework::local_edge::{Counts, LocalEdge};
use tokio::time::{Instant, sleep, sleep_until};

const DEVICES: usize = 100;

/// The time for which the figures of the Go framework are known.
const WINDOW: Duration = Duration::from_secs(30);

/// The second turn of the last device is over.
const LONG: Duration = Duration::from_secs(115);

/// With a budget of one call per second, a device's turn comes when all others have had theirs; and a value is up to a cycle old
/// when it is sent.
const OLDEST: Duration = Duration::from_secs(DEVICES as u64 + 1);

fn main() -> Result<()> {
    if let Some(folder) = process::folder_of_mapper() {
        return process::serve(&folder);
    }
    if !common::is_wanted() {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let edge = LocalEdge::builder().start(folder.path()).await?;
        fleet::apply(&edge, DEVICES).await?;
        let begun = Instant::now();
        let mapper = MapperProcess::start(folder.path())?;
        sleep_until(begun + WINDOW).await;
        print(&edge, &mapper.usage()?);
        let oldest = oldest_until(&edge, begun + LONG).await;
        let table = Table::new(&format!("reports: the same after {LONG:?}"));
        let goal = format!("≤ {OLDEST:?}");
        table.judge(
            "age of the oldest twin, at its worst",
            format!("{:.1} s", oldest.as_secs_f64()),
            goal,
            oldest <= OLDEST,
        );
        judge_refused(&table, edge.counts());
        mapper.stop().await?;
        Ok(())
    })
}

fn print(edge: &LocalEdge, usage: &Usage) {
    let table = Table::new(&format!("reports: {DEVICES} devices of {} properties, {WINDOW:?}", fleet::PROPERTIES));
    let (stored, all) = (edge.twins().len(), DEVICES * fleet::PROPERTIES);
    table.judge("twins ever stored (Go framework: 110)", stored, format!("all {all}"), stored == all);
    table.tell("calls accepted (Go framework: 128)", edge.counts().accepted());
    judge_refused(&table, edge.counts());
    table.tell("CPU (Go framework: 13.3 s)", format!("{:.2} s", usage.cpu.as_secs_f64()));
    table.tell("peak resident memory (Go framework: 211 MB)", megabytes(usage.peak));
}

fn judge_refused(table: &Table, counts: Counts) {
    let (refused, calls) = (counts.limited(), counts.accepted() + counts.limited());
    let met = refused * 50 < calls;
    table.judge("calls refused (Go framework: 28,872)", format!("{refused} of {calls}"), "< 2 %", met);
}

/// How old the oldest twin becomes until then.
async fn oldest_until(edge: &LocalEdge, end: Instant) -> Duration {
    let mut oldest = Duration::ZERO;
    while Instant::now() < end {
        sleep(Duration::from_millis(500)).await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let twins = edge.twins();
        let timestamps = twins.iter().filter_map(|(_, _, twin)| twin.timestamp()?.try_into().ok());
        let age = timestamps.min().map(|millis| now.saturating_sub(Duration::from_millis(millis)));
        oldest = oldest.max(age.unwrap_or_default());
    }
    oldest
}
