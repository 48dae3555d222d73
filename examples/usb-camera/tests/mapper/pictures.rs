//! What a camera captures, and where it is found, on a fake.

use std::sync::Arc;

use mapper_framework::DeviceState;

use crate::{
    bed::{get, id, manifests, on, reason, size, twin},
    fake::{FakeCamera, FakeMachine, jpeg},
};

const STREAM: &[(&str, &str, &str)] = &[
    ("state", "STRING", "accessMode: ReadOnly"),
    ("BusInfo", "STRING", "accessMode: ReadOnly"),
    ("damagedFrames", "INT", "accessMode: ReadOnly"),
];

fn stream(device: &str, config: &str) -> String {
    let damaged = "    - name: damagedFrames\n      collectCycle: 200\n      reportCycle: 200\n      reportToCloud: true\n      visitors:\n        protocolName: usb-camera\n        configData:\n          ";
    manifests(device, config, STREAM)
        .replace(&format!("{damaged}writeConfirm: none"), &format!("{damaged}shows: damagedFrames"))
}

fn plugged(serial: &'static str, number: u32) -> (FakeMachine, Arc<FakeCamera>) {
    let (machine, camera) = (FakeMachine::new(), FakeCamera::new(serial));
    machine.plug(&camera, number);
    (machine, camera)
}

#[tokio::test]
async fn each_format_becomes_a_jpeg_of_the_granted_size() {
    for format in ["MJPG", "YUYV", "NV12"] {
        let (machine, camera) = plugged("A1", 0);
        // Another one is asked for than there is.
        camera.offers(&[format]);
        let (bed, address) = on(&machine).await;
        let config = "device: /dev/video0\nformat: JPEG\nwidth: 600\nheight: 500\nframeRate: 100";
        bed.edge().apply(&stream("camera-1", config)).await.unwrap();
        twin(&bed, "camera-1", "state", "streaming").await;
        let (_, jpeg) = get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await;
        assert_eq!(size(&jpeg), (640, 480), "{format}");
        assert!(jpeg.ends_with(&[0xff, 0xd9]), "what stands behind the picture is cut off");
        bed.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_format_that_nobody_decodes_leaves_the_settings() {
    let (machine, camera) = plugged("A1", 0);
    camera.offers(&[]);
    let (bed, _) = on(&machine).await;
    bed.edge().apply(&stream("camera-1", "device: /dev/video0")).await.unwrap();
    reason(&bed, "camera-1", DeviceState::Unhealthy, "this mapper takes MJPG, JPEG, YUYV and NV12").await;
    twin(&bed, "camera-1", "BusInfo", "usb-fake-A1").await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_picture_that_is_cut_short_costs_itself_only_and_is_counted() {
    let (machine, camera) = plugged("A1", 0);
    let (bed, address) = on(&machine).await;
    bed.edge().apply(&stream("camera-1", "device: /dev/video0\nframeRate: 100")).await.unwrap();
    twin(&bed, "camera-1", "state", "streaming").await;
    twin(&bed, "camera-1", "damagedFrames", "0").await;
    camera.gives(jpeg((640, 480))[..600].to_vec());
    twin(&bed, "camera-1", "damagedFrames", "1").await;
    camera.gives(Vec::new());
    twin(&bed, "camera-1", "damagedFrames", "2").await;
    let (_, jpeg) = get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await;
    assert_eq!(size(&jpeg), (640, 480));
    assert_eq!(bed.edge().twin(&id("camera-1"), "state").unwrap().value(), "streaming");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_camera_that_falls_silent_is_stalled_and_opened_anew() {
    let (machine, camera) = plugged("A1", 0);
    let (bed, _) = on(&machine).await;
    let manifests =
        stream("camera-1", "device: /dev/video0").replace("stream: state", "stream: state\n          streamStall: 300");
    bed.edge().apply(&manifests).await.unwrap();
    twin(&bed, "camera-1", "state", "streaming").await;
    camera.is_silent(true);
    twin(&bed, "camera-1", "state", "stalled").await;
    reason(&bed, "camera-1", DeviceState::Unhealthy, "no frame has come for 300ms").await;
    camera.is_silent(false);
    twin(&bed, "camera-1", "state", "streaming").await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_camera_is_found_again_under_another_number_by_its_id_and_by_its_serial_number() {
    for found in ["device: /dev/v4l/by-id/usb-Fake_0042-video-index0", "serial: \"0042\""] {
        let (machine, camera) = plugged("0042", 0);
        let other = FakeCamera::new("9999");
        machine.plug(&other, 1);
        let (bed, _) = on(&machine).await;
        bed.edge().apply(&stream("camera-1", found)).await.unwrap();
        bed.edge().apply(&stream("camera-2", "serial: \"9999\"")).await.unwrap();
        twin(&bed, "camera-1", "state", "streaming").await;
        twin(&bed, "camera-2", "BusInfo", "usb-fake-9999").await;
        twin(&bed, "camera-2", "state", "streaming").await;
        machine.unplug(&camera, 0);
        reason(&bed, "camera-1", DeviceState::Disconnected, "is the camera plugged in").await;
        twin(&bed, "camera-1", "state", "stopped").await;
        assert_eq!(bed.edge().twin(&id("camera-2"), "state").unwrap().value(), "streaming");
        machine.plug(&camera, 7);
        twin(&bed, "camera-1", "state", "streaming").await;
        twin(&bed, "camera-1", "BusInfo", "usb-fake-0042").await;
        bed.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_unplugged_camera_names_what_is_there_instead() {
    let (machine, _camera) = plugged("A1", 0);
    let (bed, _) = on(&machine).await;
    bed.edge().apply(&stream("camera-1", "serial: B2")).await.unwrap();
    reason(&bed, "camera-1", DeviceState::Disconnected, "no camera has the serial number \"B2\": there are A1").await;
    bed.stop().await.unwrap();
}
