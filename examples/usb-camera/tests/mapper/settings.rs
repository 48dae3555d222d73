//! A camera's settings as properties, on a fake.

use mapper_framework::{DeviceState, model::DeviceId, testing::driver_contract};
use usb_camera::UsbCamera;

use crate::{
    bed::{get, id, manifests, on, reason, size, twin},
    fake::{FakeCamera, FakeMachine},
};

const SETTINGS: &[(&str, &str, &str)] = &[
    ("state", "STRING", "accessMode: ReadOnly"),
    ("Brightness", "INT", "minimum: \"-64\"\nmaximum: \"64\""),
    ("PowerLineFrequency", "STRING", ""),
    ("WhiteBalanceTemperatureAuto", "BOOLEAN", ""),
    ("WhiteBalanceTemperature", "INT", ""),
    ("ExposureAuto", "INT", ""),
    ("ZoomAbsolute", "INT", ""),
    ("BusInfo", "STRING", "accessMode: ReadOnly"),
    ("Input", "STRING", "accessMode: ReadOnly"),
    ("Framerate", "DOUBLE", ""),
    ("ImageTrigger", "STRING", ""),
];

fn camera(serial: &'static str, number: u32) -> (FakeMachine, std::sync::Arc<FakeCamera>, String) {
    let (machine, camera) = (FakeMachine::new(), FakeCamera::new(serial));
    machine.plug(&camera, number);
    let config = format!("device: /dev/video{number}\nwidth: 640\nheight: 480\nframeRate: 30");
    (machine, camera, config)
}

fn camera_1() -> DeviceId {
    id("camera-1")
}

#[tokio::test]
async fn settings_are_read_and_written_while_the_camera_streams() {
    let (machine, camera, config) = camera("A1", 0);
    let (bed, _) = on(&machine).await;
    bed.edge().apply(&manifests("camera-1", &config, SETTINGS)).await.unwrap();
    for (name, value) in [
        ("state", "streaming"),
        ("Brightness", "0"),
        ("PowerLineFrequency", "50_Hz"),
        ("WhiteBalanceTemperatureAuto", "true"),
        ("ExposureAuto", "3"),
        ("BusInfo", "usb-fake-A1"),
        ("Input", "Camera_1"),
        ("Framerate", "30"),
        ("ImageTrigger", "/api/v2/devices/default/camera-1/snapshot.jpg"),
    ] {
        twin(&bed, "camera-1", name, value).await;
    }
    let id = camera_1();
    bed.edge().set_desired(&id, "Brightness", "-20").await.unwrap();
    twin(&bed, "camera-1", "Brightness", "-20").await;
    bed.handle().write(&id, "PowerLineFrequency", "60 hz").await.unwrap();
    twin(&bed, "camera-1", "PowerLineFrequency", "60_Hz").await;
    assert_eq!((camera.value("Brightness"), camera.value("Power Line Frequency")), (-20, 2));
    // After the call a new frame has come.
    bed.handle().write(&id, "ImageTrigger", "now").await.unwrap();
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_camera_would_refuse_is_refused_with_what_it_takes() {
    let (machine, camera, config) = camera("A1", 0);
    let (bed, _) = on(&machine).await;
    bed.edge().apply(&manifests("camera-1", &config, SETTINGS)).await.unwrap();
    twin(&bed, "camera-1", "ZoomAbsolute", "100").await;
    for (name, value, told) in [
        ("ZoomAbsolute", "501", "expected a whole number from 100 to 500"),
        ("ZoomAbsolute", "130", "it goes in steps of 50: write 100 or 150"),
        ("PowerLineFrequency", "400 Hz", "expected one of 0 (Disabled), 1 (50_Hz), 2 (60_Hz)"),
        ("ExposureAuto", "0", "expected one of 1 (Manual_Mode), 3 (Aperture_Priority_Mode)"),
        ("WhiteBalanceTemperature", "5000", "is not active now: switch off the automatic"),
        ("Framerate", "0", "expected frames in a second"),
    ] {
        let error = bed.handle().write(&camera_1(), name, value).await.expect_err(told).to_string();
        assert!(error.contains(told), "{name} = {value}: {error}");
    }
    bed.handle().write(&camera_1(), "WhiteBalanceTemperatureAuto", "false").await.unwrap();
    bed.handle().write(&camera_1(), "WhiteBalanceTemperature", "5000").await.unwrap();
    assert_eq!((camera.value("White Balance Temperature"), camera.value("Zoom, Absolute")), (5000, 100));
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_brightness_that_the_camera_does_not_take_is_refused_with_what_it_is_instead() {
    let (machine, camera, config) = camera("A1", 0);
    let (bed, _) = on(&machine).await;
    bed.edge().apply(&manifests("camera-1", &config, &[("Brightness", "INT", "")])).await.unwrap();
    twin(&bed, "camera-1", "Brightness", "0").await;
    let error = bed.handle().write(&camera_1(), "Brightness", "500").await.expect_err("it is too bright").to_string();
    assert!(error.contains("Brightness cannot be 500: it is 64 now, the nearest"), "{error}");
    assert_eq!(camera.value("Brightness"), 64);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn another_rate_opens_the_stream_anew_and_outlives_the_session() {
    let (machine, camera, config) = camera("A1", 0);
    let (bed, _) = on(&machine).await;
    bed.edge().apply(&manifests("camera-1", &config, SETTINGS)).await.unwrap();
    twin(&bed, "camera-1", "Framerate", "30").await;
    bed.handle().write(&camera_1(), "Framerate", "90").await.unwrap();
    // The nearest that the camera has.
    twin(&bed, "camera-1", "Framerate", "100").await;
    twin(&bed, "camera-1", "state", "streaming").await;
    machine.unplug(&camera, 0);
    reason(&bed, "camera-1", DeviceState::Disconnected, "is the camera plugged in").await;
    machine.plug(&camera, 0);
    bed.until("it streams again", |edge| {
        let value = |name| edge.twin(&camera_1(), name).map(|twin| twin.value().to_owned());
        value("state").as_deref() == Some("streaming") && value("Framerate").as_deref() == Some("100")
    })
    .await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn bounds_of_the_model_that_differ_and_settings_that_are_not_there_are_named() {
    let (machine, _camera, config) = camera("A1", 0);
    let (bed, _) = on(&machine).await;
    let properties = [
        ("ZoomAbsolute", "INT", "minimum: \"0\"\nmaximum: \"255\""),
        // The camera does not say its bounds.
        ("Brightness", "INT", "minimum: \"0\"\nmaximum: \"255\""),
        ("differences", "STRING", "accessMode: ReadOnly"),
        ("Focus", "INT", ""),
    ];
    let manifests = manifests("camera-1", &config, &properties);
    let shows = "    - name: differences\n      collectCycle: 200\n      reportCycle: 200\n      reportToCloud: true\n      visitors:\n        protocolName: usb-camera\n        configData:\n          ";
    let manifests = manifests.replace(&format!("{shows}writeConfirm: none"), &format!("{shows}shows: differences"));
    bed.edge().apply(&manifests).await.unwrap();
    twin(&bed, "camera-1", "differences", "ZoomAbsolute:0..255/100..500").await;
    let error = bed.handle().read(&camera_1(), "Focus").await.expect_err("it has none").to_string();
    assert!(error.contains("the camera has no setting \"Focus\"; it has: Brightness, "), "{error}");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_camera_that_hangs_in_a_call_hangs_no_other_and_has_one_thread() {
    let (machine, stuck, config) = camera("A1", 0);
    let sound = FakeCamera::new("B2");
    machine.plug(&sound, 2);
    let (bed, _) = on(&machine).await;
    let brightness = [("Brightness", "INT", "")];
    bed.edge().apply(&manifests("camera-1", &config, &brightness)).await.unwrap();
    twin(&bed, "camera-1", "Brightness", "0").await;
    stuck.hangs(true);
    bed.edge().apply(&manifests("camera-2", &config.replace("video0", "video2"), &brightness)).await.unwrap();
    reason(&bed, "camera-1", DeviceState::Disconnected, "thread for the settings of this camera has not ended").await;
    bed.handle().write(&id("camera-2"), "Brightness", "7").await.unwrap();
    twin(&bed, "camera-2", "Brightness", "7").await;
    stuck.hangs(false);
    bed.edge().set_desired(&camera_1(), "Brightness", "3").await.unwrap();
    twin(&bed, "camera-1", "Brightness", "3").await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_capture_that_hangs_is_not_laid_to_the_settings_alone() {
    let (machine, stuck, config) = camera("A1", 0);
    let (bed, _) = on(&machine).await;
    let manifests = manifests("camera-1", &config, &[("state", "STRING", "accessMode: ReadOnly")]);
    bed.edge().apply(&manifests.replace("stream: state", "stream: state\n          streamStall: 300")).await.unwrap();
    twin(&bed, "camera-1", "state", "streaming").await;
    stuck.capture_hangs(true);
    reason(&bed, "camera-1", DeviceState::Disconnected, "another capture, or thread for the settings, of this camera")
        .await;
    stuck.capture_hangs(false);
    twin(&bed, "camera-1", "state", "streaming").await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_driver_that_lets_one_file_be_open_gives_it_to_the_stream_and_settings_say_so() {
    let (machine, camera, config) = camera("A1", 0);
    camera.opens_once();
    let (bed, address) = on(&machine).await;
    bed.edge().apply(&manifests("camera-1", &config, SETTINGS)).await.unwrap();
    twin(&bed, "camera-1", "state", "streaming").await;
    let (_, jpeg) = get(address, "/api/v2/devices/default/camera-1/snapshot.jpg").await;
    assert_eq!(size(&jpeg), (640, 480));
    let error = bed.handle().write(&camera_1(), "Brightness", "1").await.expect_err("the stream has it").to_string();
    assert!(error.contains("its driver lets one program open it at a time"), "{error}");
    twin(&bed, "camera-1", "BusInfo", "usb-fake-A1").await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn two_devices_with_one_camera_do_not_share_it_and_the_second_one_says_so() {
    let (machine, _camera, config) = camera("A1", 0);
    let (bed, _) = on(&machine).await;
    let brightness = [("Brightness", "INT", "")];
    bed.edge().apply(&manifests("camera-1", &config, &brightness)).await.unwrap();
    twin(&bed, "camera-1", "Brightness", "0").await;
    let again = config.replace("/dev/video0", "/dev/v4l/by-id/usb-Fake_A1-video-index0");
    bed.edge().apply(&manifests("camera-2", &again, &brightness)).await.unwrap();
    reason(&bed, "camera-2", DeviceState::Disconnected, "look whether another device names the same camera").await;
    bed.edge().delete_device(&camera_1()).await.unwrap();
    twin(&bed, "camera-2", "Brightness", "0").await;
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn the_driver_keeps_the_contract_on_a_camera() {
    let (machine, camera, _) = camera("A1", 0);
    // So that all of its settings can be written.
    camera.sets("White Balance, Automatic", 0);
    let yaml = usb_camera::scaffold::manifests(&machine.machine(), std::path::Path::new("/dev/video0")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("camera.yaml"), yaml).unwrap();
    driver_contract::check(UsbCamera::on(machine.machine()), folder.path()).await;
}
