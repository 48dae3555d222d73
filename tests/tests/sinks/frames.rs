//! Frames of a stream, pushed to real brokers and web servers, and taken there by Python's own libraries.

use std::time::{Duration, SystemTime};

use humantime_serde::re::humantime::parse_rfc3339;
use integration_tests::{
    ChildGuard, Tool,
    camera::{Camera, PROTOCOL, id, until_online, until_unhealthy},
    servers::{Mosquitto, MosquittoOptions},
};
use mapper_framework::{
    config::{Config, MqttVersion},
    testing::TestBed,
};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tokio::process::Command;

const BYTES: usize = 100_000;

/// A camera with fifty pictures in a second, each of its own bytes.
fn camera() -> Camera {
    Camera::new(Duration::from_millis(20), (1280, 720), |number| Camera::noise(number, BYTES))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What Python has got, line by line.
struct Frames(ChildGuard);

impl Frames {
    fn start(arguments: &[String]) -> Option<Self> {
        let Tool::At(python) = integration_tests::python() else { return None };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/frames.py");
        Some(Self(ChildGuard::spawn(Command::new(python).arg("-u").arg(script).args(arguments))))
    }

    /// A subscriber by MQTT 5, or by 3.1.1.
    async fn subscribe(broker: &Mosquitto, version: MqttVersion) -> Option<Self> {
        let mut arguments = vec!["mqtt".to_owned(), broker.port().to_string()];
        arguments.extend((version == MqttVersion::V3).then(|| "3".to_owned()));
        let mut frames = Self::start(&arguments)?;
        frames.0.wait_for_line(|line| line == "subscribed").await;
        Some(frames)
    }

    /// A web server that answers so, and then always by 204; and its port.
    async fn serve(answers: &[u16]) -> Option<(Self, u16)> {
        let mut frames =
            Self::start(&[vec!["http".to_owned()], answers.iter().map(u16::to_string).collect()].concat())?;
        let line = frames.0.wait_for_line(|line| line.starts_with("port ")).await;
        let port = line["port ".len()..].parse().expect("a port");
        Some((frames, port))
    }

    async fn next(&mut self) -> Json {
        let line = self.0.wait_for_line(|line| line.starts_with('{')).await;
        serde_json::from_str(&line).expect("a line of JSON")
    }

    /// Makes sure that what comes next is new.
    async fn next_after_now(&mut self) -> Json {
        self.0.forget_lines();
        self.next().await
    }
}

async fn bed(change: impl FnOnce(&mut Config)) -> TestBed {
    let builder = TestBed::builder(camera(), PROTOCOL).config(|config| {
        config.sinks.backoff_max = Duration::from_secs(1);
        change(config);
    });
    builder.start().await
}

fn push_to(broker: &Mosquitto, qos: u8) -> String {
    format!(
        "pushMethod: {{mqtt: {{address: 'tcp://127.0.0.1:{}', topic: 'video/{{device}}', qos: {qos}}}}}, ",
        broker.port()
    )
}

/// The number of the frame, which is what the camera made of this number.
fn checked(frame: &Json, sequence: &Json) -> u64 {
    let number = sequence.as_str().and_then(|text| text.parse().ok()).expect("a number");
    assert_eq!(frame["sha256"], digest(&Camera::noise(number, BYTES)), "byte for byte");
    number
}

#[tokio::test]
async fn a_foreign_subscriber_gets_frames_as_they_are_at_the_rate_that_was_asked_for() {
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(mut frames) = Frames::subscribe(&broker, MqttVersion::V5).await else { return };
    let bed = bed(|config| config.sinks.mqtt.version = MqttVersion::V5).await;
    let fields = push_to(&broker, 1) + "reportToCloud: true, ";
    let before = SystemTime::now();
    bed.edge().apply(&Camera::manifests("{stream: frame, frameEvery: 200}", &fields)).await.expect("applied");
    let mut numbers = Vec::new();
    let mut times = Vec::new();
    for _ in 0..10 {
        let frame = frames.next().await;
        assert_eq!(
            (&frame["topic"], &frame["content_type"], &frame["qos"]),
            (&"video/camera".into(), &"image/jpeg".into(), &1.into())
        );
        let user = &frame["user"];
        let of =
            ["namespace", "device", "property", "width", "height"].map(|name| user[name].as_str().expect("a text"));
        assert_eq!(of, ["default", "camera", "live", "1280", "720"]);
        let time = parse_rfc3339(user["time"].as_str().expect("a text")).expect("RFC 3339");
        assert!(time + Duration::from_millis(1) >= before && time <= SystemTime::now(), "{user}");
        numbers.push(checked(&frame, &user["sequence"]));
        times.push(time);
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    // By the camera's clock, whenever they arrive. Each is up to one picture old, and a machine that stands still spoils some and not most.
    let gaps = times.windows(2).map(|two| two[1].duration_since(two[0]).expect("in order"));
    let mut gaps: Vec<Duration> = gaps.collect();
    gaps.sort_unstable();
    assert!(gaps[gaps.len() / 2] >= Duration::from_millis(150), "{times:?}");
    until_online(&bed).await;
    assert!(bed.edge().twin(&id(), "live").is_none(), "a frame is never a twin");
    assert!(bed.handle().sinks().is_empty(), "and no record");
    let streams = bed.handle().stats().streams();
    assert!(streams.frames_pushed() >= 10 && streams.pushes_failed() == 0, "{streams:?}");
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn by_mqtt_3_1_1_the_same_bytes_come_under_the_same_topic() {
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(mut frames) = Frames::subscribe(&broker, MqttVersion::V3).await else { return };
    let bed = bed(|_| {}).await;
    let manifests = Camera::manifests("{stream: frame, frameEvery: 0}", &push_to(&broker, 0));
    bed.edge().apply(&manifests).await.expect("applied");
    let first = frames.next().await;
    assert_eq!((&first["topic"], &first["qos"], &first["bytes"]), (&"video/camera".into(), &0.into(), &BYTES.into()));
    let known: Vec<_> = (1..500).map(|number| digest(&Camera::noise(number, BYTES))).collect();
    assert!(known.iter().any(|known| first["sha256"] == **known), "byte for byte");
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_broker_that_dies_or_hangs_costs_frames_and_nothing_else() {
    let Some(mut broker) = Mosquitto::start().await else { return };
    let Some(mut frames) = Frames::subscribe(&broker, MqttVersion::V5).await else { return };
    let bed = bed(|config| {
        config.sinks.mqtt.version = MqttVersion::V5;
        config.sinks.write_timeout = Duration::from_secs(2);
    })
    .await;
    let manifests = Camera::manifests("{stream: frame, frameEvery: 50}", &push_to(&broker, 1));
    bed.edge().apply(&manifests).await.expect("applied");
    frames.next().await;
    until_online(&bed).await;
    broker.kill().await;
    let reason = until_unhealthy(&bed, "frames do not arrive").await;
    assert!(reason.contains(&format!("mqtt 127.0.0.1:{}", broker.port())), "{reason}");
    broker.restart().await;
    let frame = frames.next_after_now().await;
    checked(&frame, &frame["user"]["sequence"]);
    until_online(&bed).await;
    broker.freeze().await;
    let reason = until_unhealthy(&bed, "frames do not arrive").await;
    assert!(reason.contains("sinks.write_timeout"), "{reason}");
    let streaming = bed.edge().twin(&id(), "state").map(|twin| twin.value().to_owned());
    assert_eq!(streaming.as_deref(), Some("streaming"), "capture goes on");
    broker.thaw().await;
    // The newest ones come: what was captured while it hung is gone.
    until_online(&bed).await;
    let frame = frames.next_after_now().await;
    checked(&frame, &frame["user"]["sequence"]);
    bed.stop().await.expect("stopped");
}

/// Every second picture is one of 20 MB.
fn large() -> Camera {
    Camera::new(Duration::from_millis(50), (8000, 6000), |number| {
        Camera::noise(number, if number % 2 == 0 { 20_000_000 } else { BYTES })
    })
}

async fn small_ones_arrive_beside_large_ones(settings: &'static str, qos: u8, reason: &str) {
    let options = MosquittoOptions { settings, ..MosquittoOptions::default() };
    let Some(broker) = Mosquitto::start_with(options).await else { return };
    let Some(mut frames) = Frames::subscribe(&broker, MqttVersion::V5).await else { return };
    let builder = TestBed::builder(large(), PROTOCOL).config(|config| {
        config.driver.max_frame_bytes = 32 << 20;
        config.sinks.mqtt.version = MqttVersion::V5;
        config.sinks.mqtt.max_packet_bytes = 64 << 20;
        config.sinks.backoff_max = Duration::from_secs(1);
    });
    let bed = builder.start().await;
    let manifests = Camera::manifests("{stream: frame, frameEvery: 0}", &push_to(&broker, qos));
    bed.edge().apply(&manifests).await.expect("applied");
    until_unhealthy(&bed, reason).await;
    for _ in 0..3 {
        let frame = frames.next_after_now().await;
        assert_eq!(frame["bytes"], BYTES);
        checked(&frame, &frame["user"]["sequence"]);
    }
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_frame_that_the_broker_says_is_too_large_is_skipped_and_said() {
    small_ones_arrive_beside_large_ones("max_packet_size 1000000", 0, "larger than the 1000000 of the broker").await;
}

#[tokio::test]
async fn a_frame_that_the_broker_refuses_as_too_large_costs_a_connection_and_no_other_frame() {
    small_ones_arrive_beside_large_ones("message_size_limit 1000000", 1, "refuses it as too large").await;
}

#[tokio::test]
async fn a_foreign_web_server_gets_a_post_for_each_frame_and_what_it_refuses_is_not_sent_again() {
    let Some((mut frames, port)) = Frames::serve(&[204, 500, 413]).await else { return };
    let bed = bed(|config| config.sinks.http.headers = "X-Plant: north".to_owned()).await;
    let push = format!("pushMethod: {{http: {{hostName: 127.0.0.1, port: {port}, requestPath: /frames}}}}, ");
    bed.edge().apply(&Camera::manifests("{stream: frame, frameEvery: 100}", &push)).await.expect("applied");
    let mut numbers = Vec::new();
    for status in [204, 500, 413, 204, 204] {
        let frame = frames.next().await;
        assert_eq!((&frame["path"], &frame["status"]), (&"/frames".into(), &status.into()));
        let headers = &frame["headers"];
        let of = ["content-type", "x-width", "x-height", "x-namespace", "x-device", "x-plant"];
        let of = of.map(|name| headers[name].as_str().expect("a header"));
        assert_eq!(of, ["image/jpeg", "1280", "720", "default", "camera", "north"]);
        let seconds: f64 = headers["x-timestamp"].as_str().and_then(|text| text.parse().ok()).expect("a number");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64();
        assert!((now - 60.0..now + 1.0).contains(&seconds), "{headers}");
        numbers.push(checked(&frame, &headers["x-sequence"]));
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    until_online(&bed).await;
    let streams = bed.handle().stats().streams();
    assert_eq!(streams.pushes_failed(), 2);
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn what_cannot_take_frames_is_a_problem_of_the_device_and_its_other_properties_run() {
    let bed = bed(|_| {}).await;
    let push = "pushMethod: {dbMethod: {redis: {redisClientConfig: {addr: '127.0.0.1:6379'}}}}, ";
    bed.edge().apply(&Camera::manifests("{stream: frame}", push)).await.expect("applied");
    let reason = until_unhealthy(&bed, "redis takes no frames").await;
    assert!(reason.contains("pushMethod.mqtt or pushMethod.http"), "{reason}");
    bed.until("the others run", |edge| edge.twin(&id(), "state").is_some_and(|twin| twin.value() == "streaming")).await;
    bed.stop().await.expect("stopped");
}
