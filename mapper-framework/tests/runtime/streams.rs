//! Streams over HTTP: the newest picture, and live pictures, with readers that do not read.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use mapper_framework::{
    ContentType, Device, Driver, DriverError, Format, Frame, FrameSender, Property, Reading, Session,
    config::{Config, ReadWithoutToken},
    model::DeviceId,
    testing::{DEADLINE, TestBed},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

/// A camera whose frames the test sends.
#[derive(Clone, Default)]
struct Camera {
    sender: Arc<watch::Sender<Option<Arc<FrameSender>>>>,
    /// The frames whose bytes are in memory.
    alive: Arc<AtomicUsize>,
    sent: Arc<Mutex<u64>>,
}

/// The bytes of a frame, which are counted while they are in memory.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, SeqCst);
    }
}

impl Camera {
    /// Sends a picture of this length. Its last byte counts the pictures.
    fn send(&self, length: usize) -> u8 {
        let sender = self.sender.borrow().clone().expect("the stream is started");
        let mut sent = self.sent.lock().unwrap();
        *sent += 1;
        let mark = (*sent % 251) as u8;
        let mut bytes = vec![0; length];
        (bytes[0], bytes[1], bytes[length - 1]) = (0xff, 0xd8, mark);
        self.alive.fetch_add(1, SeqCst);
        let bytes = Bytes::from_owner(Counted(bytes, Arc::clone(&self.alive)));
        assert!(sender.send(Frame::new(ContentType::Jpeg, bytes).number(*sent)));
        mark
    }

    async fn is_started(&self) {
        let mut sender = self.sender.subscribe();
        let started = timeout(DEADLINE, sender.wait_for(Option::is_some)).await;
        drop(started.expect("the stream is started").expect("the camera lives"));
    }
}

impl Driver for Camera {
    type Config = ();
    type Session = Camera;

    async fn connect(&self, _: &Device, (): ()) -> Result<Camera, DriverError> {
        Ok(self.clone())
    }
}

impl Session for Camera {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Ok(1.into())
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        frames.granted(Format::new("MJPG", 1280, 720).frames_per_second(30.0));
        self.sender.send_replace(Some(Arc::new(frames)));
        Ok(())
    }
}

const MANIFESTS: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: camera}
spec:
  protocol: camera
  properties:
    - {name: state, type: STRING, accessMode: ReadOnly}
    - {name: gain, type: INT, accessMode: ReadOnly}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: blind}
spec:
  deviceModelRef: {name: camera}
  protocol: {protocolName: camera}
  properties: [{name: gain, reportToCloud: true}]
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: door}
spec:
  deviceModelRef: {name: camera}
  protocol: {protocolName: camera}
  properties:
    - {name: state, reportToCloud: true, visitors: {protocolName: camera, configData: {stream: state, streamStall: 600000}}}
  methods: [{name: stop, propertyNames: []}, {name: start, propertyNames: []}]
";

const SNAPSHOT: &str = "/api/v2/devices/default/door/snapshot.jpg";
const LIVE: &str = "/api/v2/devices/default/door/stream.mjpeg";

async fn bed(change: impl FnOnce(&mut Config)) -> (TestBed, SocketAddr, Camera) {
    let camera = Camera::default();
    let builder = TestBed::builder(camera.clone(), "camera").config(|config| {
        config.common.http_port = 0;
        config.http.enabled = true;
        change(config);
    });
    let bed = builder.start().await;
    bed.edge().apply(MANIFESTS).await.unwrap();
    camera.is_started().await;
    let address = bed.handle().http_address().expect("it listens before it registers");
    (bed, address, camera)
}

async fn connect(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The head of an answer, in lower case, and its body.
async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let (mut stream, mut bytes) = (connect(address, path).await, Vec::new());
    timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("it answers in time").unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("there is a head");
    (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), bytes.split_off(end + 4))
}

/// The status of an answer, and the detail of its problem.
async fn problem(address: SocketAddr, path: &str) -> (u16, String) {
    let (head, body) = get(address, path).await;
    assert!(head.contains("application/problem+json"), "{head}");
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(problem["status"], status);
    (status, problem["detail"].as_str().unwrap().to_owned())
}

/// A client that reads live pictures.
struct Live {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Live {
    async fn open(address: SocketAddr) -> Self {
        let mut live = Self { stream: connect(address, LIVE).await, bytes: Vec::new() };
        let head = live.until(b"\r\n\r\n").await;
        let head = String::from_utf8_lossy(&head).to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("cache-control: no-store"), "{head}");
        assert!(head.contains("content-type: multipart/x-mixed-replace; boundary=frame"), "{head}");
        live
    }

    /// Reads until these bytes have come, and returns all before them.
    async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.bytes.windows(end.len()).position(|window| window == end) {
                let rest = self.bytes.split_off(at + end.len());
                let mut found = std::mem::replace(&mut self.bytes, rest);
                found.truncate(at);
                return found;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        self.bytes.reserve(64 << 10);
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.bytes)).await;
        assert!(read.expect("more comes in time").unwrap() > 0, "the stream goes on");
    }

    /// The headers of the next picture, and its last byte. Chunks of HTTP stand between them, which have no part in it.
    async fn next(&mut self) -> (String, u8) {
        let head = self.until(b"\r\n\r\n").await;
        let head = String::from_utf8_lossy(&head).into_owned();
        let length: usize =
            head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
        self.until(&[0xff, 0xd8]).await;
        let rest = length - 2;
        while self.bytes.len() < rest {
            self.more().await;
        }
        let mark = self.bytes[rest - 1];
        self.bytes.drain(..rest);
        self.until(b"--frame\r\n").await;
        (head, mark)
    }
}

#[tokio::test]
async fn the_newest_picture_is_shown_with_its_number_and_time() {
    let (bed, address, camera) = bed(|_| {}).await;
    for (device, has_stream) in [("door", true), ("blind", false)] {
        let (_, body) = get(address, &format!("/api/v2/devices/default/{device}")).await;
        let device: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(device["stream"], has_stream, "{device}");
    }
    camera.send(100);
    let mark = camera.send(200);
    let (head, body) = get(address, SNAPSHOT).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: image/jpeg"), "{head}");
    assert!(
        head.contains("cache-control: no-store") && head.contains("x-sequence: 2") && head.contains("x-timestamp: ")
    );
    assert_eq!((body.len(), body[199]), (200, mark));
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_first_picture_is_waited_for() {
    let (bed, address, camera) = bed(|_| {}).await;
    let (answer, mark) = tokio::join!(get(address, SNAPSHOT), async { camera.send(50) });
    assert_eq!(answer.1.last(), Some(&mark));
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn live_pictures_come_as_they_are_sent_and_go_on_over_a_change_of_size() {
    let (bed, address, camera) = bed(|_| {}).await;
    camera.send(40);
    let mut live = Live::open(address).await;
    live.until(b"--frame\r\n").await;
    let (head, mark) = live.next().await;
    assert!(head.contains("X-Sequence: 1\r\n") && head.contains("X-Timestamp: "), "{head}");
    assert_eq!(mark, 1);
    for length in [40, 70_000, 12, 300_000, 2_000_000] {
        let sent = camera.send(length);
        assert_eq!(live.next().await.1, sent, "{length}");
    }
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn who_never_reads_holds_nobody_up_and_takes_a_bounded_memory() {
    const LENGTH: usize = 400_000;
    let (bed, address, camera) = bed(|_| {}).await;
    camera.send(LENGTH);
    let mut lazy = Vec::new();
    for _ in 0..8 {
        lazy.push(connect(address, LIVE).await);
    }
    let mut live = Live::open(address).await;
    live.until(b"--frame\r\n").await;
    live.next().await;
    let mut most = 0;
    for _ in 0..200 {
        let sent = camera.send(LENGTH);
        assert_eq!(live.next().await.1, sent, "no picture is skipped by who reads");
        most = most.max(camera.alive.load(SeqCst));
    }
    // One of each reader, one in the slot, and one that is being put there.
    assert!(most <= lazy.len() + 3, "{most} pictures were in memory");
    drop((lazy, live));
    bed.stop().await.unwrap();
    assert_eq!(camera.alive.load(SeqCst), 0);
}

#[tokio::test]
async fn a_thousand_pictures_at_once_and_one_that_is_too_large_do_no_harm() {
    let (bed, address, camera) = bed(|config| config.driver.max_frame_bytes = 1_000_000).await;
    let marks: Vec<_> = (0..1000).map(|_| camera.send(1000)).collect();
    camera.send(1_000_001);
    let (_, body) = get(address, SNAPSHOT).await;
    assert_eq!((body.len(), body.last()), (1000, marks.last()));
    assert!(camera.alive.load(SeqCst) <= 2, "{:?}", camera.alive);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_problem_with_its_cure() {
    let (bed, address, camera) = bed(|_| {}).await;
    let door = DeviceId::new("default", "door");
    let (status, detail) = problem(address, "/api/v2/devices/default/nobody/snapshot.jpg").await;
    assert!(status == 404 && detail.contains("there is no device default/nobody"), "{detail}");
    let (status, detail) = problem(address, "/api/v2/devices/default/blind/stream.mjpeg").await;
    assert!(
        status == 404 && detail.contains("device default/blind has no stream: give one of its properties"),
        "{detail}"
    );
    // A stream that has begun, and of which no picture comes.
    let (status, detail) = problem(address, SNAPSHOT).await;
    assert!(status == 503 && detail.contains("no frame of device default/door has come within 5s"), "{detail}");
    let png = Frame::new(ContentType::Png, b"\x89PNG".to_vec());
    assert!(camera.sender.borrow().clone().unwrap().send(png));
    for path in [SNAPSHOT, LIVE] {
        let (status, detail) = problem(address, path).await;
        assert!(status == 409 && detail.contains("are image/png, and no image/jpeg: have its driver send"), "{detail}");
    }
    bed.handle().call(&door, "stop", &[]).await.unwrap();
    for path in [SNAPSHOT, LIVE] {
        let (status, detail) = problem(address, path).await;
        assert!(status == 409 && detail.ends_with("is stopped: the method stop was called"), "{detail}");
    }
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn live_streams_are_bounded_and_end_with_the_device() {
    let (bed, address, camera) = bed(|_| {}).await;
    let mark = camera.send(100);
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Live::open(address).await);
    }
    let (status, detail) = problem(address, LIVE).await;
    assert!(status == 503 && detail.contains("as many streams as the mapper serves at a time"), "{detail}");
    bed.edge().delete_device(&DeviceId::new("default", "door")).await.unwrap();
    for mut live in streams {
        timeout(DEADLINE, live.stream.read_to_end(&mut live.bytes)).await.expect("it ends in time").unwrap();
        assert!(live.bytes.contains(&mark));
    }
    assert_eq!(problem(address, LIVE).await.0, 404);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn pictures_need_a_token_where_reads_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "alice correct-horse-battery\n").unwrap();
    let change = |config: &mut Config| {
        config.http.token = file;
        config.http.read_without_token = ReadWithoutToken::Never;
    };
    let (bed, address, camera) = bed(change).await;
    camera.send(100);
    for path in [SNAPSHOT, LIVE] {
        assert_eq!(problem(address, path).await.0, 401);
    }
    bed.stop().await.unwrap();
}
