//! Streams: their frames, what is shown of them, and what becomes of the device when none come.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, advance, timeout},
};

use super::rig::{MAX_FRAME, Rig, SECOND, id, keyed};
use crate::{
    Call, ContentType, Device, DeviceState, Driver, DriverError, Format, Frame, FrameSender, Property, Reading,
    Session, Subscriptions, Value,
    driver::erase,
    model::{DeviceInstance, DeviceModel, InstanceProperty, Method, ModelId, ModelProperty},
    runtime::NoFrames,
    watch::{Filter, Kind, What},
};

/// A camera whose frames the test sends.
#[derive(Clone)]
pub(super) struct Camera(Arc<watch::Sender<Stage>>);

#[derive(Default)]
pub(super) struct Stage {
    senders: Vec<Arc<FrameSender>>,
    calls: Vec<String>,
    refuses: Option<DriverError>,
}

impl Camera {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::default())))
    }

    fn note(&self, call: impl Into<String>) {
        self.0.send_modify(|stage| stage.calls.push(call.into()));
    }

    pub(super) fn count(&self, call: &str) -> usize {
        self.0.borrow().calls.iter().filter(|noted| *noted == call).count()
    }

    /// The sender of this session, once it is there.
    pub(super) async fn sender(&self, number: usize) -> Arc<FrameSender> {
        let mut stage = self.0.subscribe();
        let stage = timeout(3600 * SECOND, stage.wait_for(|stage| stage.senders.len() > number)).await;
        Arc::clone(&stage.expect("the stream is started").expect("the camera lives").senders[number])
    }
}

impl Driver for Camera {
    type Config = ();
    type Session = Camera;

    async fn connect(&self, _: &Device, (): ()) -> Result<Camera, DriverError> {
        self.note("connect");
        Ok(self.clone())
    }
}

impl Session for Camera {
    type Visitor = serde::de::IgnoredAny;

    async fn subscribe(&mut self, properties: &[Arc<Property<Self::Visitor>>]) -> Result<Subscriptions, DriverError> {
        properties.iter().for_each(|property| self.note(format!("subscribe {}", property.name())));
        Ok(Subscriptions::none())
    }

    async fn read(&mut self, property: &Property<Self::Visitor>) -> Result<Reading, DriverError> {
        self.note(format!("read {}", property.name()));
        Ok(1.into())
    }

    async fn call(&mut self, call: &Call<'_, Self::Visitor>) -> Result<Vec<Value>, DriverError> {
        self.note(format!("call {}", call.method().name));
        Ok(Vec::new())
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        if let Some(error) = self.0.borrow().refuses.clone() {
            return Err(error);
        }
        self.0.send_modify(|stage| stage.senders.push(Arc::new(frames)));
        Ok(())
    }

    async fn close(self) {
        self.note("close");
    }
}

const TWINS: [&str; 8] = ["state", "format", "framesPerSecond", "skipped", "time", "sequence", "sha256", "uri"];

fn model() -> DeviceModel {
    let property = |name: &str, data_type: &str| ModelProperty {
        name: name.into(),
        data_type: data_type.into(),
        access_mode: "ReadOnly".into(),
        ..ModelProperty::default()
    };
    let types = TWINS.map(|name| if name == "framesPerSecond" { "DOUBLE" } else { "STRING" });
    let twins = TWINS.iter().zip(types).map(|(name, data_type)| property(name, data_type));
    let properties = twins.chain([property("gain", "INT")]).collect();
    DeviceModel { id: ModelId::new("", "camera"), properties }
}

pub(super) fn camera(properties: Vec<InstanceProperty>) -> DeviceInstance {
    let method = |name: &str| Method { name: name.into(), description: String::new(), property_names: Vec::new() };
    DeviceInstance {
        id: id("a"),
        model: ModelId::new("", "camera"),
        protocol: "camera".into(),
        config: serde_json::Map::new(),
        properties,
        methods: vec![method("start"), method("stop"), method("pan")],
        state_report: None,
        problems: Vec::new(),
    }
}

/// All that can be shown of a stream, and a property of the driver.
fn all() -> Vec<InstanceProperty> {
    let twins = TWINS.iter().map(|name| keyed(name, &json!({"stream": name})));
    twins.chain([keyed("gain", &json!({}))]).collect()
}

/// The state only.
fn state_only(keys: &serde_json::Value) -> Vec<InstanceProperty> {
    vec![keyed("state", keys)]
}

async fn rig(properties: Vec<InstanceProperty>) -> (Rig, Camera) {
    let (rig, camera) = idle_rig().await;
    rig.add(self::camera(properties)).await;
    (rig, camera)
}

async fn idle_rig() -> (Rig, Camera) {
    let camera = Camera::new();
    let driver = camera.clone();
    let rig = Rig::with_driver(|_| erase(driver));
    rig.upsert_model(model()).await.expect("nothing is wrong with the model");
    (rig, camera)
}

fn jpeg() -> Frame {
    Frame::new(ContentType::Jpeg, vec![0xff, 0xd8, 0xff, 0xd9])
}

/// Waits until a property has this value.
pub(super) async fn until(rig: &Rig, property: &str, value: &str) {
    let filter = Filter::all().kinds([Kind::Sample]).device(id("a"));
    let mut watch = rig.handle.watch(filter).await.expect("the manager runs");
    if rig.value("a", property).await.is_some_and(|known| known.to_string() == value) {
        return;
    }
    let seen = async {
        while let Some(event) = watch.next().await {
            if matches!(event.what(), What::Sample(sample) if sample.property.name() == property && sample.value.to_string() == value)
            {
                return;
            }
        }
    };
    timeout(3600 * SECOND, seen).await.unwrap_or_else(|_| panic!("{property} never was {value}"));
}

async fn shown(rig: &Rig, property: &str) -> Option<String> {
    rig.value("a", property).await.map(|value| value.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_shown_by_properties_that_the_driver_does_not_see() {
    let (rig, camera) = rig(all()).await;
    let frames = camera.sender(0).await;
    frames.granted(Format::new("MJPG", 1280, 720).frames_per_second(25.0));
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
    for number in 0..=100 {
        assert!(frames.send(jpeg().number(number).at(time)));
        advance(Duration::from_millis(40)).await;
    }
    until(&rig, "state", "streaming").await;
    until(&rig, "sequence", "100").await;
    let shown = async |property| shown(&rig, property).await.expect("it is shown");
    assert_eq!(shown("format").await, "MJPG/1280x720");
    assert_eq!(shown("framesPerSecond").await, "25");
    assert_eq!(shown("time").await, "2023-11-14T22:13:20.250Z");
    assert_eq!(shown("skipped").await, "0");
    assert_eq!(shown("uri").await, "/api/v2/devices/default/a/stream.mjpeg");
    assert_eq!(shown("sha256").await, "32461d5bd1773012acef0ba15636752949bd7c2ce50f9172159d9f56cf0dd9af");
    assert_eq!(rig.state("a").await, DeviceState::Online);
    let stage = camera.0.borrow();
    let of_driver =
        stage.calls.iter().filter(|call| !["connect", "subscribe gain", "read gain"].contains(&call.as_str()));
    assert_eq!(of_driver.count(), 0, "{:?}", stage.calls);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_frame_a_device_that_is_only_a_stream_is_not_online() {
    let (rig, camera) = rig(state_only(&json!({"stream": "state"}))).await;
    let frames = camera.sender(0).await;
    until(&rig, "state", "stopped").await;
    assert_eq!(rig.state("a").await, DeviceState::Unknown);
    frames.send(jpeg());
    until(&rig, "state", "streaming").await;
    assert_eq!(rig.state("a").await, DeviceState::Online);
}

#[tokio::test(start_paused = true)]
async fn without_frames_the_device_is_unhealthy_and_its_session_is_opened_anew() {
    let (rig, camera) = rig(all()).await;
    let frames = camera.sender(0).await;
    frames.send(jpeg());
    until(&rig, "state", "streaming").await;
    let begun = Instant::now();
    until(&rig, "state", "stalled").await;
    assert_eq!(begun.elapsed().as_secs(), 5);
    let snapshot = rig.snapshot("a").await;
    assert_eq!(
        (snapshot.state, snapshot.reason.as_deref()),
        (DeviceState::Unhealthy, Some("no frame has come for 5s"))
    );
    let next = camera.sender(1).await;
    assert!(frames.is_closed() && !frames.send(jpeg()));
    assert_eq!((camera.count("close"), camera.count("connect")), (1, 2));
    assert_eq!(rig.state("a").await, DeviceState::Unhealthy, "reads alone do not make it sound");
    next.send(jpeg());
    until(&rig, "state", "streaming").await;
    let snapshot = rig.snapshot("a").await;
    assert_eq!((snapshot.state, snapshot.reason), (DeviceState::Online, None));
    assert_eq!((rig.stats().streams().stalled(), rig.stats().streams().begun()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn the_time_until_a_stream_is_stalled_follows_the_rate_and_the_manifest() {
    for (keys, rate, seconds) in [
        (json!({"stream": "state"}), 0.5, 20),
        (json!({"stream": "state"}), 30.0, 5),
        (json!({"stream": "state", "streamStall": 2000}), 0.5, 2),
    ] {
        let (rig, camera) = rig(state_only(&keys)).await;
        let frames = camera.sender(0).await;
        frames.granted(Format::new("MJPG", 640, 480).frames_per_second(rate));
        frames.send(jpeg());
        until(&rig, "state", "streaming").await;
        let begun = Instant::now();
        until(&rig, "state", "stalled").await;
        assert_eq!(begun.elapsed().as_secs(), seconds, "{keys} {rate}");
    }
}

#[tokio::test(start_paused = true)]
async fn frames_that_keep_coming_keep_the_session() {
    let (rig, camera) = rig(state_only(&json!({"stream": "state"}))).await;
    let frames = camera.sender(0).await;
    for _ in 0..60 {
        assert!(frames.send(jpeg()));
        advance(4 * SECOND).await;
    }
    assert_eq!((rig.state("a").await, camera.count("connect")), (DeviceState::Online, 1));
}

#[tokio::test(start_paused = true)]
async fn a_driver_without_a_stream_serves_the_rest_and_the_device_says_so() {
    let (rig, camera) = idle_rig().await;
    camera.0.send_modify(|stage| stage.refuses = Some(DriverError::unsupported("this driver has no stream")));
    rig.add(self::camera(all())).await;
    until(&rig, "gain", "1").await;
    until(&rig, "state", "stopped").await;
    let snapshot = rig.snapshot("a").await;
    let reason = snapshot.reason.expect("there is a reason");
    assert_eq!(snapshot.state, DeviceState::Unhealthy);
    assert!(reason.contains("visitors.configData.stream") && reason.ends_with("this driver has no stream"), "{reason}");
    advance(60 * SECOND).await;
    assert_eq!((camera.count("connect"), rig.stats().streams().unavailable()), (1, 1));
    rig.add(self::camera(vec![keyed("gain", &json!({}))])).await;
    let states = rig.states("a", SECOND).await;
    assert_eq!(states.last(), Some(&DeviceState::Online), "without the properties nothing is missing");
    assert_eq!(rig.handle.frames(&id("a")).await.err(), Some(NoFrames::NoStream));
    assert_eq!(rig.handle.frames(&id("b")).await.err(), Some(NoFrames::NoDevice));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_dies_costs_the_session() {
    let (rig, camera) = rig(all()).await;
    let frames = camera.sender(0).await;
    frames.send(jpeg());
    until(&rig, "state", "streaming").await;
    frames.fail(DriverError::disconnected("the camera was unplugged"));
    assert!(!frames.send(jpeg()));
    until(&rig, "state", "stopped").await;
    let next = camera.sender(1).await;
    next.send(jpeg());
    until(&rig, "state", "streaming").await;
    next.fail(std::io::Error::other("no room on the bus"));
    let again = camera.sender(2).await;
    let reason = rig.snapshot("a").await.reason;
    assert_eq!(reason.as_deref(), Some("the stream has ended: no room on the bus"));
    again.send(jpeg());
    until(&rig, "state", "streaming").await;
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_too_large_are_counted_and_named_as_the_reason() {
    let (rig, camera) = rig(state_only(&json!({"stream": "state"}))).await;
    let frames = camera.sender(0).await;
    for _ in 0..3 {
        assert!(frames.send(Frame::new(ContentType::Jpeg, vec![0xff; MAX_FRAME + 1])));
    }
    until(&rig, "state", "stalled").await;
    let reason = rig.snapshot("a").await.reason.expect("there is a reason");
    assert!(reason.starts_with("no frame has come for 5s: a frame has 1048577 bytes"), "{reason}");
    assert!(reason.contains("driver.max_frame_bytes"), "{reason}");
    assert_eq!(rig.stats().streams().frames_refused(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_stopped_and_started_by_methods_that_the_driver_is_not_asked_for() {
    let (rig, camera) = rig(all()).await;
    let frames = camera.sender(0).await;
    frames.send(jpeg());
    until(&rig, "state", "streaming").await;
    rig.handle.call(&id("a"), "stop", &[]).await.expect("it is stopped");
    assert!(frames.is_closed());
    assert_eq!(shown(&rig, "state").await.as_deref(), Some("stopped"));
    advance(60 * SECOND).await;
    assert_eq!((rig.state("a").await, camera.count("connect")), (DeviceState::Online, 1));
    let status = rig.handle.frames(&id("a")).await.expect("there is a stream").status();
    assert_eq!(status.reason.as_deref(), Some("the method stop was called"));
    rig.handle.call(&id("a"), "start", &[]).await.expect("it is started");
    let next = camera.sender(1).await;
    next.send(jpeg());
    until(&rig, "state", "streaming").await;
    rig.handle.call(&id("a"), "start", &[]).await.expect("it runs already");
    assert!(!next.is_closed());
    rig.handle.call(&id("a"), "pan", &[]).await.expect("the driver can");
    assert_eq!((camera.count("call stop"), camera.count("call start"), camera.count("call pan")), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_costs_its_property_and_names_the_allowed_values() {
    let (rig, _camera) = idle_rig().await;
    let wrong = vec![keyed("state", &json!({"stream": "status"})), keyed("gain", &json!({}))];
    let refusal = rig.upsert(self::camera(wrong)).await.expect_err("the key is wrong").to_string();
    assert!(refusal.contains("visitors.configData.stream: \"status\" is none of state, format, "), "{refusal}");
    until(&rig, "gain", "1").await;
}

#[tokio::test(start_paused = true)]
async fn readers_end_with_the_device() {
    let (rig, camera) = rig(all()).await;
    let frames = camera.sender(0).await;
    frames.send(jpeg());
    let mut reader = rig.handle.frames(&id("a")).await.expect("there is a stream");
    assert!(reader.next().await.is_some());
    rig.remove("a").await.expect("it is removed");
    assert!(timeout(3600 * SECOND, reader.next()).await.expect("it ends").is_none());
    assert!(frames.is_closed() && rig.outbox.pending(&id("a"), "state").is_none());
}
