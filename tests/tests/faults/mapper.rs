//! A mapper that is killed while it drains its spool.

use std::path::Path;

use integration_tests::ChildGuard;
use tokio::process::Command;

use super::places::{Place, Redis, duplicates};

/// How many records lie in the spool before the target comes.
const TOTAL: usize = 60_000;

/// How often the mapper is killed.
const KILLS: usize = 5;

/// Starts a mapper on a folder that outlives it, whose device delivers the numbers from `first` on.
fn start(folder: &Path, place: &dyn Place, total: usize) -> ChildGuard {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flood-mapper"));
    command
        .env("MAPPER_TEST_FOLDER", folder)
        .env("MAPPER_TEST_PUSH", place.push_method(place.port()))
        .env("MAPPER_TEST_FIRST", "0")
        .env("MAPPER_TEST_RATE", "10000")
        .env("MAPPER_TEST_TOTAL", total.to_string())
        .env("MAPPER_SINKS__REDIS__STREAM", "true")
        .env("MAPPER_SINKS__REDIS__MAX_LENGTH", "0")
        .env("MAPPER_SINKS__BACKOFF_MAX", "500ms")
        // Small batches, so that there is a middle to be killed in.
        .env("MAPPER_SINKS__BATCH_RECORDS", "50");
    ChildGuard::spawn(&mut command)
}

/// How many records the mapper says lie in its spool, once it has looked there.
fn spooled(line: &str) -> Option<usize> {
    let (spooled, rest) = line.strip_prefix("spooled=")?.split_once(' ')?;
    if rest.contains("produced=0 ") { None } else { spooled.parse().ok() }
}

#[tokio::test]
async fn a_mapper_killed_five_times_while_draining_delivers_all_that_its_spool_had() {
    let Some(mut place) = Redis::start(false).await else { return };
    let folder = tempfile::tempdir().unwrap();
    place.kill().await;
    let mut mapper = start(folder.path(), &place, TOTAL);
    mapper.wait_for_line(|line| spooled(line) == Some(TOTAL)).await;
    mapper.kill().await;
    place.restart().await;
    for kill in 1..=KILLS {
        let mut mapper = start(folder.path(), &place, 0);
        let left = TOTAL - kill * TOTAL / (KILLS + 2);
        mapper.wait_for_line(|line| spooled(line).is_some_and(|spooled| spooled <= left)).await;
        mapper.kill().await;
    }
    let mut mapper = start(folder.path(), &place, 0);
    mapper.wait_for_line(|line| spooled(line) == Some(0) && line.contains("in_flight=0")).await;
    let twice = duplicates(&mut place, TOTAL).await;
    println!("killed {KILLS} times while draining: {TOTAL} records, {twice} of them twice");
    assert!(twice <= (KILLS + 1) * 50, "each kill costs a batch at the most, and {twice} arrived twice");
    mapper.terminate().await;
}
