//! The mapper with its own manifests, against an edgecore in this process, and over HTTP.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod bed;
mod fake;
mod foreign;
mod hardware;
mod pictures;
mod scaffolding;
mod settings;
mod signals;

use std::net::SocketAddr;

use bed::{get, reason, request, size};
use mapper_framework::{
    DeviceState,
    model::DeviceId,
    testing::{DEADLINE, TestBed, driver_contract},
};
use tokio::{io::AsyncReadExt, time::timeout};
use usb_camera::UsbCamera;

const DEVICES: &str =
    concat!(include_str!("../../devices/model.yaml"), "---\n", include_str!("../../devices/instance.yaml"));

async fn bed() -> (TestBed, SocketAddr, DeviceId) {
    let (bed, address) = bed::start(UsbCamera::default()).await;
    (bed, address, bed::id("camera-1"))
}

#[tokio::test]
async fn the_test_card_is_a_device_with_twins_a_snapshot_and_methods() {
    let (bed, address, id) = bed().await;
    bed.edge().apply(DEVICES).await.unwrap();
    let twin = |name: &'static str, value: &'static str| {
        let id = id.clone();
        bed.until(name, move |edge| edge.twin(&id, name).is_some_and(|twin| twin.value() == value))
    };
    twin("state", "streaming").await;
    twin("format", "YUYV/320x240").await;
    twin("uri", "/api/v2/devices/default/camera-1/stream.mjpeg").await;
    twin("wantedFrameRate", "5").await;
    bed.until("a frame has a digest", |edge| edge.twin(&id, "sha256").is_some_and(|twin| twin.value().len() == 64))
        .await;
    bed.until("it is online", |edge| edge.state(&id) == Some("online")).await;
    let (head, jpeg) = get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: image/jpeg"), "{head}");
    assert_eq!(size(&jpeg), (320, 240));
    bed.handle().call(&id, "snapshot", &[]).await.unwrap();
    let recorded = |ending: &'static str| {
        let id = id.clone();
        bed.until(ending, move |edge| edge.twin(&id, "clip").is_some_and(|twin| twin.value().ends_with(ending)))
    };
    recorded("-clip.jpg").await;
    bed.handle().call(&id, "record", &[]).await.unwrap();
    recorded("-clip.avi").await;
    bed.handle().call(&id, "stop", &[]).await.unwrap();
    twin("state", "stopped").await;
    assert!(get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await.0.starts_with("http/1.1 409"));
    bed.handle().call(&id, "start", &[]).await.unwrap();
    twin("state", "streaming").await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn the_live_stream_has_one_picture_after_the_other() {
    let (bed, address, id) = bed().await;
    bed.edge().apply(DEVICES).await.unwrap();
    bed.until("it streams", |edge| edge.twin(&id, "state").is_some_and(|twin| twin.value() == "streaming")).await;
    let mut live = request(address, "/api/v2/devices/default/camera-1/stream.mjpeg").await;
    let (mut bytes, mut boundaries) = (Vec::new(), 0);
    let read = async {
        // One before each picture, and one after the last.
        while boundaries < 4 {
            assert!(live.read_buf(&mut bytes).await.unwrap() > 0, "the stream goes on");
            boundaries = bytes.windows(9).filter(|end| *end == b"--frame\r\n").count();
        }
    };
    timeout(DEADLINE, read).await.expect("three pictures come in time");
    let begin = bytes.windows(2).position(|two| two == [0xff, 0xd8]).unwrap();
    assert_eq!(size(&bytes[begin..]), (320, 240));
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn an_unplugged_camera_is_disconnected_with_the_cure() {
    let (bed, _address, id) = bed().await;
    let manifests = DEVICES.replace("source: test", "source: v4l2\n      device: /nowhere/video0");
    bed.edge().apply(&manifests).await.unwrap();
    let reason = reason(&bed, id.name(), DeviceState::Disconnected, "is the camera plugged in").await;
    assert!(reason.contains("/nowhere/video0: "), "{reason}");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_of_pictures_is_a_camera_and_its_next_session_gets_its_turn() {
    let (bed, address, id) = bed().await;
    bed.edge().apply(DEVICES).await.unwrap();
    bed.until("it streams", |edge| edge.twin(&id, "state").is_some_and(|twin| twin.value() == "streaming")).await;
    let (_, jpeg) = get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jpg"), &jpeg).unwrap();
    let source = format!("source: folder\n      folder: {}", folder.path().display());
    bed.edge().apply(&DEVICES.replace("source: test", &source)).await.unwrap();
    bed.until("it gives the picture", |edge| {
        edge.twin(&id, "format").is_some_and(|twin| twin.value() == "JPEG/320x240")
    })
    .await;
    let (_, again) = get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await;
    assert_eq!(again, jpeg);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn the_driver_keeps_the_contract() {
    driver_contract::check(UsbCamera::default(), concat!(env!("CARGO_MANIFEST_DIR"), "/devices")).await;
}
