//! A disk that is full.

use std::{path::Path, process::Command};

use super::{
    places::{Place, Redis},
    servers::Run,
};

/// A file system of two megabytes, gone with the guard.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        let mount = as_root("mount", &["-t", "tmpfs", "-o", "size=2m,mode=0777", "tmpfs", &at.to_string_lossy()]);
        assert!(
            mount,
            "this test mounts a small file system: run it as root or with sudo, or leave it out with `--without servers`"
        );
        Self(at)
    }
}

/// Runs a command as root, with sudo where that asks for no password; whether it succeeds.
fn as_root(program: &str, arguments: &[&str]) -> bool {
    let succeeds = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    succeeds(Command::new(program).args(arguments))
        || succeeds(Command::new("sudo").args(["-n", program]).args(arguments))
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        assert!(as_root("umount", &["--lazy", &self.0.to_string_lossy()]), "{} cannot be unmounted", self.0.display());
    }
}

#[tokio::test]
async fn a_full_disk_costs_what_has_no_room_and_nothing_that_was_on_it() {
    let Some(mut place) = Redis::start(false).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let _disk = SmallDisk::mount(folder.path());
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
    assert!(ledger.dropped() > 0, "the disk was full: {ledger}");
    assert_eq!(ledger.delivered() + ledger.dropped(), total);
    assert_eq!(numbers.len() as u64, ledger.delivered(), "what was not counted as lost has arrived");
    assert!(numbers.len() > 20_000, "two megabytes hold some: {ledger}");
}
