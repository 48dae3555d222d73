//! A process that is killed while it writes.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::*;

/// Names the folder to the process that is killed.
const FOLDER: &str = "SPOOL_OF_A_KILLED_PROCESS";

const LARGE: Options = Options { max_bytes: 64 << 20, sync: SpoolSync::Never };

#[test]
#[ignore = "it is the process that another test kills"]
fn writes_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let (mut spool, _) = Spool::open(Path::new(&folder), LARGE).unwrap();
    for first in (0..).step_by(50) {
        store(&mut spool, first..first + 50);
        println!("\n{}", first + 50);
    }
}

#[test]
fn a_killed_process_leaves_all_that_it_was_told_is_stored() {
    let folder = folder();
    for after in [1, 20, 100] {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "spool::tests::killed::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let counts = output.lines().map_while(Result::ok).filter_map(|line| line.parse::<u64>().ok());
        let told = counts.take(after).last();
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told.expect("it stores something");

        let (mut spool, recovery) = Spool::open(folder.path(), LARGE).unwrap();
        assert_eq!((recovery.corrupt_segments, recovery.dropped), (0, 0));
        assert!(recovery.pending >= told, "{recovery:?}, but {told} were stored");
        assert_eq!(read(&mut spool, usize::MAX), ids(0..recovery.pending));
        spool.acknowledge().unwrap();
    }
}
