//! The mapper with its own manifests, against an edgecore in this process, and over HTTP.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

use std::net::SocketAddr;

use mapper_framework::{
    DeviceState,
    model::DeviceId,
    testing::{DEADLINE, TestBed, driver_contract},
    watch::{Filter, Kind, What},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use usb_camera::UsbCamera;

const DEVICES: &str = concat!(include_str!("../devices/model.yaml"), "---\n", include_str!("../devices/instance.yaml"));

async fn bed() -> (TestBed, SocketAddr, DeviceId) {
    let builder = TestBed::builder(UsbCamera::default(), "usb-camera").config(|config| {
        config.common.http_port = 0;
        config.http.enabled = true;
    });
    let bed = builder.start().await;
    let address = bed.handle().http_address().expect("it listens before it registers");
    (bed, address, DeviceId::new("default", "camera-1"))
}

/// Sends a request, and returns the connection.
async fn request(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The head of an answer, in lower case, and its body.
async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let (mut stream, mut bytes) = (request(address, path).await, Vec::new());
    timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("it answers in time").unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("there is a head");
    (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), bytes.split_off(end + 4))
}

/// Width and height of a picture that decodes.
fn size(jpeg: &[u8]) -> (u16, u16) {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    decoder.decode().expect("it is a JPEG");
    let info = decoder.info().expect("it has a head");
    (info.width, info.height)
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
    let mut watch = bed.handle().watch(Filter::all().kinds([Kind::State]).device(id)).await.unwrap();
    let known = watch.snapshot().devices().first().and_then(|(_, device)| device.reason.clone());
    let is_disconnected = async {
        if let Some(reason) = known {
            return reason;
        }
        loop {
            let event = watch.next().await.expect("the mapper runs");
            if let What::State { state: DeviceState::Disconnected, reason, .. } = event.what() {
                return reason.as_deref().unwrap_or_default().to_owned();
            }
        }
    };
    let reason = timeout(DEADLINE, is_disconnected).await.expect("it is noticed in time");
    assert!(reason.contains("/nowhere/video0: ") && reason.contains("is the camera plugged in"), "{reason}");
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
