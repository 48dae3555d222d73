//! What a signal leaves of a recording: the mapper is a process of its own, and ffprobe reads its files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use integration_tests::{ChildGuard, Tool, ffmpeg};
use mapper_framework::testing::DEADLINE;
use tokio::{process::Command, time::timeout};

use crate::bed::manifests;

const READ_ONLY: &str = "accessMode: ReadOnly";
const PROPERTIES: &[(&str, &str, &str)] =
    &[("state", "STRING", READ_ONLY), ("clip", "STRING", READ_ONLY), ("sequence", "INT", READ_ONLY)];

/// How many frames the camera has taken before the mapper gets its signal, and how many of them a slow disk leaves at least.
const TAKEN: u64 = 20;
const RECORDED: u64 = 5;

/// A mapper that records the test card below a folder.
fn start(folder: &Path) -> ChildGuard {
    let devices = folder.join("devices");
    fs::create_dir_all(&devices).unwrap();
    let manifests = manifests("camera-1", "source: test\nwidth: 160\nheight: 120\nframeRate: 20", PROPERTIES);
    let manifests = manifests.replacen("writeConfirm: none", "stream: file", 1);
    fs::write(devices.join("camera.yaml"), manifests.replacen("writeConfirm: none", "stream: sequence", 1)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_usb-camera"));
    command.arg("--standalone").arg(devices).env("MAPPER_STREAMS__DIR", folder.join("recordings"));
    ChildGuard::spawn(&mut command)
}

/// Waits until the camera has taken some frames.
async fn wait_for_frames(mapper: &mut ChildGuard) {
    let is_there = |line: &str| {
        let number = line.strip_prefix("twin default/camera-1 sequence = ")?;
        number.split_whitespace().next()?.parse().ok().filter(|number: &u64| *number >= TAKEN)
    };
    mapper.wait_for_line(move |line| is_there(line).is_some()).await;
}

/// The recorded files with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("recordings/default/camera-1")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|it| it == ending)).collect()
}

/// How many frames ffprobe decodes, without a complaint.
async fn frames(ffprobe: &Path, video: &Path) -> u64 {
    let mut command = Command::new(ffprobe);
    command.args("-v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0".split(' ')).arg(video);
    let output = timeout(DEADLINE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await.unwrap().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

#[tokio::test]
async fn sigterm_while_it_records_leaves_a_whole_file() {
    let Tool::At(ffprobe) = ffmpeg("ffprobe") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut mapper = start(folder.path());
    wait_for_frames(&mut mapper).await;
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0), "{:?}", mapper.lines());
    let videos = files(folder.path(), "avi");
    assert_eq!((videos.len(), files(folder.path(), "part").len()), (1, 0));
    assert!(frames(&ffprobe, &videos[0]).await >= RECORDED);
}

#[tokio::test]
async fn a_video_that_sigkill_cuts_is_whole_after_the_next_start() {
    let Tool::At(ffprobe) = ffmpeg("ffprobe") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut mapper = start(folder.path());
    wait_for_frames(&mut mapper).await;
    mapper.kill().await;
    assert_eq!((files(folder.path(), "avi").len(), files(folder.path(), "part").len()), (0, 1));
    let mut mapper = start(folder.path());
    wait_for_frames(&mut mapper).await;
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0), "{:?}", mapper.lines());
    let videos = files(folder.path(), "avi");
    assert_eq!((videos.len(), files(folder.path(), "part").len()), (2, 0));
    for video in &videos {
        assert!(frames(&ffprobe, video).await >= RECORDED, "{}", video.display());
    }
}
