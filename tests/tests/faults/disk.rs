//! A disk that is full.

use std::{path::Path, process::Command};

use super::{
    places::{Place, Redis},
    servers::Run,
};

/// A file system of two megabytes, gone with the guard.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// None, which is said, if this user may not mount.
    fn mount(at: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at));
        }
        eprintln!("left out: this test mounts a small file system, which takes root");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} cannot be unmounted", self.0.display());
    }
}

#[tokio::test]
async fn a_full_disk_costs_what_has_no_room_and_nothing_that_was_on_it() {
    let Some(mut place) = Redis::start(false).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else { return };
    place.kill().await;
    let total = 60_000;
    let run = Run::start_with(&place, place.port(), 20_000, total, "", |config| {
        config.spool.dir = folder.path().join("spool");
        config.sinks.queue_records = 5_000;
    })
    .await;
    run.until_produced(total).await;
    place.restart().await;
    let ledger = run.settle().await;
    let mut numbers = place.numbers(0).await;
    numbers.sort_unstable();
    numbers.dedup();
    println!("full disk: {ledger}");
    assert!(ledger.dropped > 0, "the disk was full: {ledger}");
    assert_eq!(ledger.delivered + ledger.dropped, total);
    assert_eq!(numbers.len() as u64, ledger.delivered, "what was not counted as lost has arrived");
    assert!(numbers.len() > 20_000, "two megabytes hold some: {ledger}");
}
