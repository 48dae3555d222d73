//! Recording by the manifest: files of a stream, over sessions, changes and failures of the disk.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::time::{Instant, advance, sleep};

use super::{
    rig::{Rig, SECOND, id, keyed},
    streams::{Camera, camera, until},
};
use crate::{
    ContentType, DeviceState, Format, Frame, FrameSender,
    driver::erase,
    model::{DeviceModel, InstanceProperty, Method, ModelId, ModelProperty},
    recording::Recordings,
};

/// A rig whose files lie in a folder of its own, and whose wall clock follows the paused one.
struct Scene {
    rig: Rig,
    camera: Camera,
    folder: TempDir,
    /// When its wall clock began.
    origin: Instant,
}

fn model() -> DeviceModel {
    let property = |name: &str, data_type: &str| ModelProperty {
        name: name.into(),
        data_type: data_type.into(),
        access_mode: "ReadWrite".into(),
        ..ModelProperty::default()
    };
    let mut properties: Vec<_> = ["state", "clip", "copy"].map(|name| property(name, "STRING")).into();
    properties.iter_mut().for_each(|property| property.access_mode = "ReadOnly".into());
    properties.extend(["saveFrame", "saveVideo"].map(|name| property(name, "STREAM")));
    DeviceModel { id: ModelId::new("", "camera"), properties }
}

fn recorded(keys: &Json) -> Vec<InstanceProperty> {
    let mut visitor = keys.clone();
    visitor["stream"] = json!("file");
    vec![keyed("state", &json!({"stream": "state", "streamStall": 3_600_000})), keyed("clip", &visitor)]
}

impl Scene {
    async fn new() -> Self {
        let (folder, camera, origin) = (tempfile::tempdir().expect("there is room"), Camera::new(), Instant::now());
        let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_636_800);
        let recordings = Recordings::new(folder.path().join("recordings"), true);
        let recordings = recordings.with_clock(move || begin + origin.elapsed());
        let rig = Rig::with_recordings(erase(camera.clone()), recordings);
        rig.upsert_model(model()).await.expect("nothing is wrong with the model");
        Self { rig, camera, folder, origin }
    }

    async fn serve(&self, properties: Vec<InstanceProperty>) {
        let method = |name: &str, properties: &[&str]| Method {
            name: name.into(),
            description: String::new(),
            property_names: properties.iter().map(|name| (*name).to_owned()).collect(),
        };
        let mut device = camera(properties);
        device.methods =
            vec![method("start", &[]), method("stop", &[]), method("snapshot", &[]), method("record", &["clip"])];
        self.rig.add(device).await;
    }

    /// Sends so many frames, ten in a second, at the paused clock's times.
    async fn film(&self, sender: &FrameSender, frames: u32) {
        for _ in 0..frames {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_636_800) + self.origin.elapsed();
            sender.send(Frame::new(ContentType::Jpeg, picture(640)).at(time));
            sleep(SECOND / 10).await;
        }
    }

    fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        let entries = fs::read_dir(self.device_folder()).into_iter().flatten();
        names.extend(entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()));
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    fn device_folder(&self) -> PathBuf {
        self.folder.path().join("recordings/default/a")
    }

    async fn call(&self, method: &str, arguments: &[(&str, &str)]) -> Result<String, String> {
        let answer = self.rig.handle.call(&id("a"), method, arguments).await.map_err(|error| error.to_string())?;
        Ok(answer.iter().map(ToString::to_string).collect())
    }
}

fn picture(width: u16) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 1, 224];
    bytes.extend(width.to_be_bytes());
    bytes.extend([3; 200]);
    bytes.extend([0xff, 0xd9]);
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_recorded_over_its_sessions_and_the_property_shows_the_last_file() {
    let scene = Scene::new().await;
    scene.serve(recorded(&json!({"recordSegment": 1000}))).await;
    let frames = scene.camera.sender(0).await;
    frames.granted(Format::new("MJPG", 640, 480).frames_per_second(10.0));
    scene.film(&frames, 25).await;
    until(&scene.rig, "clip", "/api/v2/devices/default/a/files/20260501T120001.000000Z-clip.avi").await;
    frames.fail(crate::DriverError::disconnected("the cable is cut"));
    let frames = scene.camera.sender(1).await;
    scene.film(&frames, 25).await;
    scene.rig.remove("a").await.expect("it is removed");
    // It is removed at once, and its task ends a little later.
    while scene.files().iter().any(|name| name.ends_with(".part")) {
        sleep(SECOND).await;
    }
    assert!(scene.files().len() >= 5, "{:?}", scene.files());
}

#[tokio::test(start_paused = true)]
async fn a_mapper_that_stops_while_it_records_leaves_a_whole_file() {
    let scene = Scene::new().await;
    scene.serve(recorded(&json!({}))).await;
    let frames = scene.camera.sender(0).await;
    scene.film(&frames, 25).await;
    assert!(scene.files().iter().all(|name| name.ends_with(".part")), "{:?}", scene.files());
    let Scene { rig, folder, .. } = scene;
    rig.stop().await;
    let folder = folder.path().join("recordings/default/a");
    let video = fs::read(folder.join("20260501T120000.000000Z-clip.avi")).expect("it is whole");
    assert_eq!(&video[4..8], &u32::try_from(video.len() - 8).expect("it is small").to_le_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_manifest_interrupts_only_what_it_changes() {
    let scene = Scene::new().await;
    let both = |every: u32| {
        let mut properties = recorded(&json!({}));
        properties.push(keyed("copy", &json!({"stream": "file", "recordEvery": every})));
        properties
    };
    scene.serve(both(0)).await;
    let frames = scene.camera.sender(0).await;
    scene.film(&frames, 10).await;
    scene.serve(both(200)).await;
    scene.film(&frames, 10).await;
    let files = scene.files();
    let of = |property: &str| files.iter().filter(|name| name.contains(property)).collect::<Vec<_>>();
    assert_eq!((of("clip").len(), of("copy").len()), (1, 2), "{files:?}");
    assert!(of("copy")[0].ends_with(".avi") && of("copy")[1].ends_with(".part"), "{files:?}");
    assert_eq!(scene.camera.count("connect"), 1, "the session goes on");
    scene.serve(recorded(&json!({}))).await;
    scene.film(&frames, 10).await;
    assert_eq!(scene.files().iter().filter(|name| name.ends_with(".part")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_written_makes_the_device_unhealthy_until_it_can() {
    let scene = Scene::new().await;
    let in_the_way = scene.folder.path().join("recordings");
    fs::write(&in_the_way, b"a file").expect("there is room");
    scene.serve(recorded(&json!({}))).await;
    let frames = scene.camera.sender(0).await;
    scene.film(&frames, 50).await;
    let snapshot = scene.rig.snapshot("a").await;
    let reason = snapshot.reason.expect("there is a reason");
    assert_eq!(snapshot.state, DeviceState::Unhealthy);
    assert!(reason.contains("frames are not recorded: cannot make the folder"), "{reason}");
    assert!(frames.send(Frame::new(ContentType::Jpeg, picture(640))), "the stream itself goes on");
    fs::remove_file(&in_the_way).expect("it is there");
    scene.film(&frames, 700).await;
    let snapshot = scene.rig.snapshot("a").await;
    assert_eq!((snapshot.state, snapshot.reason), (DeviceState::Online, None));
    let stats = scene.rig.stats().streams();
    assert!(stats.recording_failed() >= 1 && stats.frames_unrecorded() >= 45, "{stats:?}");
    assert!(!scene.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_records_by_order_is_well_again_without_an_order_and_a_wrong_frame_is_a_matter_of_its_order() {
    let scene = Scene::new().await;
    let in_the_way = scene.folder.path().join("recordings");
    fs::write(&in_the_way, b"a file").expect("there is room");
    scene.serve(recorded(&json!({"recordMode": "onDemand"}))).await;
    let frames = scene.camera.sender(0).await;
    scene.film(&frames, 50).await;
    assert_eq!(scene.rig.snapshot("a").await.state, DeviceState::Unhealthy);
    fs::remove_file(&in_the_way).expect("it is there");
    scene.film(&frames, 700).await;
    assert_eq!(scene.rig.snapshot("a").await.state, DeviceState::Online);
    assert!(frames.send(Frame::new(ContentType::H264, vec![0, 0, 0, 1])));
    let refusal = scene.call("snapshot", &[]).await.expect_err("it is no picture");
    assert!(refusal.contains("only image/jpeg is recorded"), "{refusal}");
    assert_eq!(scene.rig.snapshot("a").await.state, DeviceState::Online);
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_is_ordered_is_the_next_one_or_the_newest_where_none_comes() {
    let scene = Scene::new().await;
    scene.serve(recorded(&json!({"recordMode": "onDemand"}))).await;
    let frames = scene.camera.sender(0).await;
    scene.film(&frames, 10).await;
    sleep(SECOND).await;
    let (taken, ()) = tokio::join!(scene.call("snapshot", &[]), scene.film(&frames, 1));
    assert!(taken.as_ref().is_ok_and(|uri| uri.contains("T120002.000000Z")), "{taken:?}");
    let taken = scene.call("snapshot", &[]).await;
    assert!(taken.as_ref().is_ok_and(|uri| uri.contains("T120002.000001Z")), "the same one again: {taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_method_takes_a_picture_and_another_records_for_its_seconds() {
    let scene = Scene::new().await;
    scene.serve(recorded(&json!({"recordMode": "onDemand"}))).await;
    let frames = scene.camera.sender(0).await;
    scene.film(&frames, 10).await;
    assert_eq!(scene.files(), [""; 0]);
    let (taken, ()) = tokio::join!(scene.call("snapshot", &[]), scene.film(&frames, 2));
    let taken = taken.expect("a picture is taken");
    assert!(
        taken.starts_with("/api/v2/devices/default/a/files/20260501T1200") && taken.ends_with("-clip.jpg"),
        "{taken}"
    );
    assert_eq!(scene.files().len(), 1);
    let (ordered, ()) = tokio::join!(scene.call("record", &[("clip", "2")]), scene.film(&frames, 50));
    let ordered = ordered.expect("it is recorded");
    assert!(ordered.ends_with("-clip.avi"), "{ordered}");
    let files = scene.files();
    assert_eq!(files.len(), 2);
    assert!(files.iter().any(|name| ordered.ends_with(name.as_str())), "{files:?}");
    let refusal = scene.call("record", &[("clip", "a while")]).await.expect_err("it is no number");
    assert!(refusal.contains("a number of seconds from 1 to 3600"), "{refusal}");
    let bare = vec![keyed("state", &json!({"stream": "state", "streamStall": 3_600_000}))];
    scene.serve(bare).await;
    let refusal = scene.call("snapshot", &[]).await.expect_err("nothing records");
    assert!(refusal.contains("give the device a property with stream: file"), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn properties_of_the_go_framework_record_side_by_side() {
    let scene = Scene::new().await;
    let keys = json!({"format": "jpg", "outputDir": "/tmp/images", "frameCount": 3, "frameInterval": 1_000_000});
    let video = json!({"format": "mp4", "outputDir": "/tmp/videos", "frameCount": 5, "videoNum": 2});
    let mut save = keyed("saveFrame", &keys);
    save.desired = "1".to_owned();
    scene.serve(vec![save, keyed("saveVideo", &video)]).await;
    let frames = scene.camera.sender(0).await;
    scene.film(&frames, 30).await;
    let files = scene.files();
    let of = |property: &str| files.iter().filter(|name| name.contains(property)).count();
    assert_eq!((of("saveFrame.jpg"), of("saveVideo.avi")), (3, 2), "{files:?}");
    assert_eq!(scene.camera.count("write saveFrame"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_jpeg_is_said_once_and_does_not_stop_the_stream() {
    let scene = Scene::new().await;
    scene.serve(recorded(&json!({}))).await;
    let frames = scene.camera.sender(0).await;
    for _ in 0..20 {
        assert!(frames.send(Frame::new(ContentType::H264, vec![0, 0, 0, 1])));
        advance(SECOND / 10).await;
        sleep(SECOND / 10).await;
    }
    let reason = scene.rig.snapshot("a").await.reason.expect("there is a reason");
    assert!(reason.contains("the frames are video/H264, and only image/jpeg is recorded"), "{reason}");
    assert_eq!(scene.rig.stats().streams().recording_failed(), 1);
    scene.film(&frames, 2).await;
    assert_eq!(scene.rig.state("a").await, DeviceState::Online);
    assert!(frames.send(Frame::new(ContentType::H264, vec![0, 0, 0, 1])));
    sleep(SECOND / 10).await;
    assert_eq!(scene.rig.stats().streams().recording_failed(), 2, "another time");
}
