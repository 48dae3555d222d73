//! How fast the spool takes records and gives them back, next to a bare file that takes the same bytes.
//!
//! Run it with `cargo xtask bench spool`. It takes a few seconds, and writes to the folder for temporary files: set `TMPDIR` to
//! measure another disk.
//!
//! The spool is private, and stays so: its sources are compiled into this program, which costs the library neither a feature nor
//! a public name.

mod common;

/// What the spool uses of the library.
mod config {
    pub(crate) use mapper_framework::config::SpoolSync;
}

#[path = "../src/spool/mod.rs"]
#[allow(dead_code, unused_imports, reason = "its owner uses more of it, and its tests are not run here")]
mod spool;

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use common::table::Table;
use config::SpoolSync;
use spool::{Options, Spool};

/// A record of a sink, about as large as most are.
const RECORD: usize = 200;
const BATCH: usize = 500;
const BATCHES: usize = 600;
const RECORDS: usize = BATCH * BATCHES;

/// In records per second.
const GOAL: f64 = 50_000.0;

fn main() -> Result<()> {
    if !common::is_wanted() {
        return Ok(());
    }
    let table = Table::new("spool: 300,000 records of 200 bytes in batches of 500");
    for (sync, name) in [(SpoolSync::Batch, "batch"), (SpoolSync::Never, "never")] {
        let folder = tempfile::tempdir()?;
        let [bare, append] = fill(folder.path(), sync)?;
        let drain = drain(folder.path(), sync)?;
        let [bare, append, drain] = [bare, append, drain].map(|time| RECORDS as f64 / time.as_secs_f64());
        table.tell(&format!("sync: {name}, bare file"), format!("{bare:.0}/s"));
        table.judge(&format!("sync: {name}, append"), format!("{append:.0}/s"), "≥ 50000/s", append >= GOAL);
        table.tell("  of the bare file", format!("{:.0} %", append / bare * 100.0));
        table.judge(&format!("sync: {name}, open and drain"), format!("{drain:.0}/s"), "≥ 50000/s", drain >= GOAL);
    }
    away()
}

/// What a target that is away costs the disk, with what gathers for a second and without: writes that are each forced to the disk, and
/// the bytes that the process has the disk write for them, in whole pages.
fn away() -> Result<()> {
    let table = Table::new("spool: 1,000 records of 200 bytes for a target that is away, sync: batch");
    for rate in [1, 10, 1_000] {
        for (linger, gathered) in [("1s", rate), ("0s", 1)] {
            let folder = tempfile::tempdir()?;
            let (mut spool, _) = open(folder.path(), SpoolSync::Batch)?;
            let (before, mut syncs) = (written()?, 0);
            for _ in (0..1_000).step_by(gathered) {
                let appended = spool.append(vec![&[7; RECORD][..]; gathered]);
                ensure!(appended.stored == gathered as u64, "{appended:?}");
                syncs += 1;
            }
            let kilobytes = (written()? - before) / 1_000;
            table.tell(&format!("{rate}/s, linger: {linger}, syncs / bytes"), format!("{syncs} / {kilobytes} kB"));
        }
    }
    Ok(())
}

/// How many bytes this process has had written to disks.
fn written() -> Result<u64> {
    let counts = std::fs::read_to_string("/proc/self/io")?;
    let count = counts.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(count.context("the kernel counts what is written")?.parse()?)
}

/// The time that it takes to write all batches to a bare file, and to the spool. They take turns, so that what else uses the disk
/// slows both down.
fn fill(folder: &Path, sync: SpoolSync) -> Result<[Duration; 2]> {
    let mut file = File::create(folder.join("bare"))?;
    let (mut spool, _) = open(folder, sync)?;
    let (bytes, record) = (vec![7; BATCH * RECORD], [7; RECORD]);
    let mut times = [Duration::ZERO; 2];
    for _ in 0..BATCHES {
        let begun = Instant::now();
        file.write_all(&bytes)?;
        if sync == SpoolSync::Batch {
            file.sync_data()?;
        }
        times[0] += begun.elapsed();
        let begun = Instant::now();
        let appended = spool.append([&record[..]; BATCH]);
        times[1] += begun.elapsed();
        ensure!(appended.stored == BATCH as u64, "{appended:?}");
    }
    Ok(times)
}

/// Opens the spool again, as after a restart, and empties it.
fn drain(folder: &Path, sync: SpoolSync) -> Result<Duration> {
    let begun = Instant::now();
    let (mut spool, recovery) = open(folder, sync)?;
    ensure!(recovery.pending == RECORDS as u64, "{recovery:?}");
    while spool.pending() > 0 {
        ensure!(spool.read(BATCH, usize::MAX)?.records.len() == BATCH, "batches are whole");
        spool.acknowledge()?;
    }
    Ok(begun.elapsed())
}

fn open(folder: &Path, sync: SpoolSync) -> Result<(Spool, spool::Recovery)> {
    Ok(Spool::open(&folder.join("spool"), Options { max_bytes: 128 << 20, sync })?)
}
