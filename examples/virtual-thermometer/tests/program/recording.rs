//! Recordings, and what becomes of them when the program is killed or the disk is full.

use std::{fs, io, path::Path, time::Duration};

use integration_tests::ChildGuard;
use tempfile::TempDir;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use super::{DEVICES, PROGRAM, copy_of_devices, outcome, spawn, start};

#[tokio::test]
async fn a_recorded_session_is_replayed_without_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("session.tape");
    let tape = tape.to_str().unwrap();
    let temperatures = |printed: &str| -> Vec<String> {
        let twins = printed.lines().filter_map(|line| line.strip_prefix("twin default/thermometer-1 temperature = "));
        twins.filter_map(|twin| twin.split(' ').next()).map(str::to_owned).collect()
    };
    let (code, recorded) = outcome(&["record", tape, "--standalone", DEVICES, "--run-for", "5s"]).await;
    assert_eq!(code, Some(0), "{recorded}");
    let (code, replayed) = outcome(&["replay", tape, "--speed", "2"]).await;
    assert_eq!(code, Some(0), "{replayed}");
    // The room drifts at random: another one would have other temperatures.
    let (was, is) = (temperatures(&recorded), temperatures(&replayed));
    assert!(!is.is_empty() && is.iter().all(|temperature| was.contains(temperature)), "{was:?} {is:?}");
    assert!(replayed.contains("twin default/thermometer-1 heater = true"), "{replayed}");
    let (code, printed) = outcome(&["record", tape]).await;
    assert!(code == Some(1) && printed.contains("exists, and is left as it is"), "{printed}");
}

#[tokio::test]
async fn what_was_recorded_when_the_program_was_killed_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("session.tape");
    let mut program = start(&["record", tape.to_str().unwrap(), "--standalone", DEVICES]);
    // The first read, and those of two more cycles.
    for _ in 0..3 {
        until_it_grows(&tape).await;
    }
    program.kill().await;
    assert_replayed_up_to_its_last_entry(&tape).await;
}

#[tokio::test]
async fn a_recording_ends_where_the_disk_is_full_and_the_mapper_goes_on() {
    let (folder, devices) = (tempfile::tempdir().unwrap(), often_read().unwrap());
    let tape = folder.path().join("session.tape");
    let mut program = with_files_of(16, &tape, devices.path());
    let error = program.wait_for_line(|line| line.contains("the recording cannot be written, and ends here")).await;
    assert!(error.contains("ERROR") && error.contains("File too large"), "{error}");
    program.forget_lines();
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 temperature = ")).await;
    program.terminate().await;
    let stopped = program.wait_for_line(|line| line.contains("INFO mapper: stopped ")).await;
    assert!(stopped.contains("tape.failed=1") && stopped.contains("tape.entries_lost="), "{stopped}");
    assert_eq!(program.exit().await.code(), Some(0));
    assert_replayed_up_to_its_last_entry(&tape).await;
}

#[tokio::test]
async fn a_recording_that_cannot_begin_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("session.tape");
    let mut program = with_files_of(0, &tape, Path::new(DEVICES));
    assert_eq!(program.exit().await.code(), Some(1));
    let expected = format!("error: {}: cannot be written: File too large", tape.display());
    assert!(program.lines().iter().any(|line| line.starts_with(&expected)), "{:?}", program.lines());
    assert!(!tape.exists());
}

/// Records with a limit to the size of files, in blocks of 512 or 1024 bytes, as a full disk has one.
fn with_files_of(blocks: u32, tape: &Path, devices: &Path) -> ChildGuard {
    // Without the signal that the limit sends, which a full disk does not send.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut shell = Command::new("sh");
    spawn(shell.args(["-c", &script, "sh", PROGRAM, "record"]).arg(tape).arg("--standalone").arg(devices))
}

/// The devices, of which much is to be recorded.
fn often_read() -> io::Result<TempDir> {
    let folder = copy_of_devices()?;
    let instance = folder.path().join("instance.yaml");
    let text = fs::read_to_string(&instance)?;
    fs::write(&instance, text.replace("collectCycle: 2000", "collectCycle: 20"))?;
    Ok(folder)
}

/// Waits until there is more in a file than now.
async fn until_it_grows(path: &Path) {
    let size = || fs::metadata(path).map_or(0, |data| data.len());
    let before = size();
    let grows = async {
        while size() <= before {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), grows).await.expect("what is recorded goes to the file");
}

async fn assert_replayed_up_to_its_last_entry(tape: &Path) {
    let (code, replayed) = outcome(&["replay", &tape.to_string_lossy()]).await;
    assert_eq!(code, Some(0), "{replayed}");
    let warning =
        format!("warning: {}: its end is missing, and it is replayed up to its last whole entry, at ", tape.display());
    assert!(replayed.contains(&warning), "{replayed}");
    assert!(replayed.contains("twin default/thermometer-1 temperature = "), "{replayed}");
}
