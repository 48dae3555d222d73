//! ffmpeg, as the source of a stream and as its reader.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, time::Duration};

use integration_tests::{Tool, ffmpeg};
use mapper_framework::DeviceState;
use serde_json::Value as Json;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};
use usb_camera::{Machine, UsbCamera};

use crate::bed::{get, manifests, reason, size, start, twin};

/// How long a program may read a stream for before it hangs: for as long as the slowest machine needs for all pictures.
const PATIENCE: Duration = Duration::from_secs(1200);

/// From one look at the processes to the next, so that looking takes no core from them.
const LOOK: Duration = Duration::from_millis(20);

const STATE: &[(&str, &str, &str)] = &[("state", "STRING", "accessMode: ReadOnly")];

/// What a program prints.
async fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await.expect("it ends in time").unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {error}");
    out.into_owned()
}

fn stream_of(json: &str) -> Json {
    let mut json: Json = serde_json::from_str(json).unwrap();
    json["streams"][0].take()
}

/// The test card as ffprobe and ffmpeg read it, each picture of it decoded.
async fn read_live(frames: u32, rate: u32) {
    let (Tool::At(ffprobe), Tool::At(ffmpeg)) = (ffmpeg("ffprobe"), ffmpeg("ffmpeg")) else { return };
    let (bed, address) = start(UsbCamera::default()).await;
    let config = format!("source: test\nwidth: 318\nheight: 200\nframeRate: {rate}");
    bed.edge().apply(&manifests("camera-1", &config, STATE)).await.unwrap();
    twin(&bed, "camera-1", "state", "streaming").await;
    let url = format!("http://{address}/api/v2/devices/default/camera-1");
    let mut probe = Command::new(ffprobe);
    probe.args(["-v", "error", "-show_streams", "-of", "json"]).arg(format!("{url}/snapshot.jpg"));
    let snapshot = stream_of(&run(&mut probe).await);
    assert_eq!(snapshot["codec_name"], "mjpeg");
    assert_eq!((&snapshot["width"], &snapshot["height"]), (&318.into(), &200.into()));
    let mut read = Command::new(ffmpeg);
    // A picture that is damaged ends the program.
    read.args(["-v", "error", "-xerror", "-f", "mpjpeg", "-i"]).arg(format!("{url}/stream.mjpeg"));
    read.args(["-frames:v", &frames.to_string(), "-vsync", "passthrough", "-f", "framemd5", "-"]);
    let printed = run(&mut read).await;
    let lines = printed.lines().filter(|line| !line.starts_with('#'));
    let mut digests: Vec<_> = lines.map(|line| line.rsplit(',').next().unwrap_or_default()).collect();
    assert_eq!(digests.len(), frames as usize);
    // The card has a number in it, so that no picture is another's copy. One that none follows within half a second is sent again, as often as
    // the machine needs for the next one; none comes again after another one.
    digests.dedup();
    let different = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert!(
        different > 1 && digests.len() == different,
        "of {different} pictures only {} are different",
        digests.len()
    );
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn ffprobe_and_ffmpeg_read_the_snapshot_and_hundreds_of_pictures_of_the_live_stream() {
    read_live(500, 100).await;
}

#[tokio::test]
async fn ffmpeg_reads_a_minute_of_the_live_stream_without_a_damaged_picture() {
    read_live(1800, 30).await;
}

/// Whether a process is there.
fn lives(pid: &str) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_ok()
}

/// The children of this process that have this word on their command lines.
fn children(word: &str) -> Vec<String> {
    let mine = std::process::id().to_string();
    let is_child = |pid: &String| {
        let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let status = String::from_utf8_lossy(&read("status")).into_owned();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim).map(str::to_owned);
        parent.as_deref() == Some(&mine) && String::from_utf8_lossy(&read("cmdline")).contains(word)
    };
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_child).collect()
}

#[tokio::test]
async fn what_ffmpeg_reads_is_a_camera_and_its_process_ends_with_the_device() {
    let Tool::At(program) = ffmpeg("ffmpeg") else { return };
    let (bed, address) = start(UsbCamera::on(Machine::default().ffmpeg(program))).await;
    let config = "source: ffmpeg\ninput: -f lavfi -i testsrc2=size=1280x720:rate=30\nframeRate: 30";
    bed.edge().apply(&manifests("camera-1", config, STATE)).await.unwrap();
    twin(&bed, "camera-1", "state", "streaming").await;
    let (_, jpeg) = get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await;
    assert_eq!(size(&jpeg), (1280, 720));
    let running = children("testsrc2=size=1280x720");
    assert_eq!(running.len(), 1, "{running:?}");
    bed.handle().call(&crate::bed::id("camera-1"), "stop", &[]).await.expect_err("the device has no methods");
    bed.edge().delete_device(&crate::bed::id("camera-1")).await.unwrap();
    let gone = async {
        while lives(&running[0]) {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it ends with its device");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn an_input_that_fails_is_an_error_with_the_last_line_of_ffmpeg_and_no_password() {
    let Tool::At(program) = ffmpeg("ffmpeg") else { return };
    let (bed, _) = start(UsbCamera::on(Machine::default().ffmpeg(program))).await;
    let port = integration_tests::free_port();
    let config = format!("source: ffmpeg\ninput: -i http://admin:s3cret@127.0.0.1:{port}/video");
    bed.edge().apply(&manifests("camera-1", &config, STATE)).await.unwrap();
    let reason = reason(&bed, "camera-1", DeviceState::Disconnected, "ffmpeg has ended").await;
    assert!(reason.contains("Connection refused") && !reason.contains("s3cret"), "{reason}");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn ffmpeg_has_nothing_of_the_mapper_s_environment_but_where_programs_are() {
    let (_folder, program) = program("names=$(env | sed 's/=.*//' | sort | tr '\\n' ' '); echo \"it has: $names\" >&2");
    let (bed, _) = start(UsbCamera::on(Machine::default().ffmpeg(program))).await;
    bed.edge().apply(&manifests("camera-1", "source: ffmpeg\ninput: -i x", STATE)).await.unwrap();
    let reason = reason(&bed, "camera-1", DeviceState::Disconnected, "it has: ").await;
    let (_, names) = reason.rsplit_once("it has: ").unwrap();
    // Shells add some of their own.
    let known = ["PATH", "LD_LIBRARY_PATH", "PWD", "OLDPWD", "SHLVL", "_"];
    assert!(names.split_whitespace().all(|name| known.contains(&name)), "{reason}");
    assert!(
        std::env::vars_os().any(|(name, _)| !known.iter().any(|known| name == *known)),
        "there is none to keep from it"
    );
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_machine_without_ffmpeg_says_so() {
    let (bed, _) = start(UsbCamera::on(Machine::default().ffmpeg("/nowhere/ffmpeg"))).await;
    bed.edge().apply(&manifests("camera-1", "source: ffmpeg\ninput: -i x", STATE)).await.unwrap();
    reason(&bed, "camera-1", DeviceState::Disconnected, "needs this program: install it").await;
    bed.stop().await.unwrap();
}

/// A program in the place of ffmpeg.
fn program(script: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ffmpeg");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (folder, path)
}

#[tokio::test]
async fn an_ffmpeg_that_hangs_is_killed_and_started_anew() {
    // The number is one that no other process has on its command line.
    let word = format!("100{}", std::process::id());
    let (_folder, program) = program(&format!("exec sleep {word}"));
    let (bed, _) = start(UsbCamera::on(Machine::default().ffmpeg(program))).await;
    let manifests = manifests("camera-1", "source: ffmpeg\ninput: -i x", STATE);
    let manifests = manifests.replace("stream: state", "stream: state\n          streamStall: 1000");
    bed.edge().apply(&manifests).await.unwrap();
    reason(&bed, "camera-1", DeviceState::Unhealthy, "no frame has come for 1s").await;
    let renewed = async {
        let first = loop {
            match children(&word).pop() {
                Some(first) => break first,
                None => sleep(LOOK).await,
            }
        };
        while lives(&first) || children(&word).is_empty() {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, renewed).await.expect("the first one is killed, and there is another one");
    bed.stop().await.unwrap();
    assert_eq!(children(&word), [""; 0], "none outlives the mapper");
}

#[tokio::test]
async fn garbage_from_ffmpeg_is_an_error_of_the_stream() {
    let (_folder, program) = program("head -c 100000 /dev/zero; exec sleep 1000");
    let (bed, _) = start(UsbCamera::on(Machine::default().ffmpeg(program))).await;
    bed.edge().apply(&manifests("camera-1", "source: ffmpeg\ninput: -i x", STATE)).await.unwrap();
    reason(&bed, "camera-1", DeviceState::Disconnected, "ffmpeg gives a head that does not end").await;
    bed.stop().await.unwrap();
}
