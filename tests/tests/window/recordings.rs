//! What ffmpeg makes of recordings, and a client of HTTP of their files.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime},
};

use integration_tests::{Tool, ffmpeg};
use mapper_framework::{
    ContentType, Device, Driver, DriverError, Format, Frame, FrameSender, Property, Reading, Session,
    model::DeviceId,
    testing::{DEADLINE, TestBed},
};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    sync::watch,
    time::{interval, timeout},
};

/// A camera whose frames the test sends.
#[derive(Clone, Default)]
struct Camera(Arc<watch::Sender<Option<Arc<FrameSender>>>>);

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
        Err(DriverError::refused("there is nothing but a stream"))
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        frames.granted(Format::new("MJPG", 320, 240).frames_per_second(10.0));
        self.0.send_replace(Some(Arc::new(frames)));
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
    - {name: clip, type: STRING, accessMode: ReadOnly}
    - {name: skipped, type: INT, accessMode: ReadOnly}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: door}
spec:
  deviceModelRef: {name: camera}
  protocol: {protocolName: camera}
  properties:
    - name: clip
      collectCycle: 100
      reportCycle: 100
      reportToCloud: true
      visitors: {protocolName: camera, configData: {stream: file, streamStall: 600000}}
    - name: skipped
      collectCycle: 100
      reportCycle: 100
      reportToCloud: true
      visitors: {protocolName: camera, configData: {stream: skipped}}
  methods: [{name: snapshot, propertyNames: []}]
";

/// Runs a program of ffmpeg's, and returns what it prints.
async fn run(program: &std::path::Path, arguments: &[&str]) -> Vec<u8> {
    let command = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(DEADLINE, command).await.expect("it ends").unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Pictures of a moving test card, each its own.
async fn pictures(program: &std::path::Path, size: &str, count: &str) -> Vec<Vec<u8>> {
    let card = format!("testsrc=size={size}:rate=10");
    let arguments =
        ["-v", "error", "-f", "lavfi", "-i", &card, "-frames:v", count, "-c:v", "mjpeg", "-f", "image2pipe", "-"];
    let stream = run(program, &arguments).await;
    // Within a picture no byte of the kind of a marker stands before that of a beginning.
    let begins = stream.windows(3).enumerate().filter(|(_, three)| *three == [0xff, 0xd8, 0xff]).map(|(at, _)| at);
    let begins: Vec<_> = begins.chain([stream.len()]).collect();
    begins.windows(2).map(|pair| stream[pair[0]..pair[1]].to_vec()).collect()
}

/// Each picture by the digest of its pixels, with the number of its interval.
async fn digests(program: &std::path::Path, file: &str) -> Vec<(u64, String)> {
    let text = run(program, &["-v", "error", "-i", file, "-f", "framemd5", "-"]).await;
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    fields.map(|fields| (fields[2].parse().unwrap(), fields[5].to_owned())).collect()
}

/// The head of an answer, in lower case, and its body.
async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("it answers in time").unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("there is a head");
    (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), bytes.split_off(end + 4))
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_finds_in_a_recording_the_frames_that_were_captured_at_their_times() {
    let (Tool::At(ffmpeg), Tool::At(ffprobe)) = (ffmpeg("ffmpeg"), ffmpeg("ffprobe")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let pictures = pictures(&ffmpeg, "320x240", "60").await;
    assert_eq!(pictures.len(), 60);
    let camera = Camera::default();
    let bed = TestBed::builder(camera.clone(), "camera").config(|config| {
        config.common.http_port = 0;
        config.http.enabled = true;
    });
    let bed = bed.start().await;
    let address = bed.handle().http_address().expect("it listens");
    bed.edge().apply(MANIFESTS).await.unwrap();
    let mut sender = camera.0.subscribe();
    let sender = timeout(DEADLINE, sender.wait_for(Option::is_some)).await.unwrap().unwrap().clone().unwrap();
    // Ten in a second by their times, sent as fast as a disk may take them. Two of them were never captured.
    let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_636_800);
    let mut pace = interval(Duration::from_millis(20));
    let was_captured = |number: usize| !(10..12).contains(&number);
    for (number, picture) in pictures.iter().enumerate().filter(|(number, _)| was_captured(*number)) {
        let time = begin + Duration::from_millis(100) * u32::try_from(number).unwrap();
        pace.tick().await;
        assert!(sender.send(Frame::new(ContentType::Jpeg, picture.clone()).at(time).size(320, 240)));
    }
    // Another size ends the file.
    let other = self::pictures(&ffmpeg, "160x120", "1").await.remove(0);
    sender.send(Frame::new(ContentType::Jpeg, other).at(begin + Duration::from_secs(6)));
    let door = DeviceId::new("default", "door");
    let uri = "/api/v2/devices/default/door/files/20260501T120000.000000Z-clip.avi";
    bed.until("the file is whole", |edge| edge.twin(&door, "clip").is_some_and(|twin| twin.value() == uri)).await;

    let (head, video) = get(address, uri).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: video/x-msvideo"), "{head}");
    let file = folder.path().join("clip.avi");
    std::fs::write(&file, &video).unwrap();
    let file = file.to_str().unwrap();
    let shown = ["-v", "error", "-show_streams", "-show_entries", "packet=pts_time,size", "-of", "json", file];
    let probed: Json = serde_json::from_slice(&run(&ffprobe, &shown).await).unwrap();
    let stream = &probed["streams"][0];
    assert_eq!(
        (&stream["codec_name"], &stream["width"], &stream["height"]),
        (&"mjpeg".into(), &320.into(), &240.into())
    );
    assert_eq!(stream["r_frame_rate"], "10/1");
    // By what is decoded each frame is known again, and stands in the interval of its time.
    let recorded = digests(&ffmpeg, file).await;
    assert_eq!(recorded.len(), probed["packets"].as_array().unwrap().len());
    let source = folder.path().join("source.mjpeg");
    std::fs::write(&source, pictures.concat()).unwrap();
    let source = digests(&ffmpeg, source.to_str().unwrap()).await;
    assert_eq!(source.len(), 60);
    for (interval, digest) in &recorded {
        let number = source.iter().position(|(_, captured)| captured == digest).expect("it was captured");
        assert_eq!(*interval, number as u64, "frame {number} stands at its time");
        let packet = probed["packets"].as_array().unwrap().iter().find(|packet| {
            let time: f64 = packet["pts_time"].as_str().unwrap().parse().unwrap();
            (time - number as f64 / 10.0).abs() < 1e-6
        });
        assert_eq!(packet.map(|it| it["size"].as_str().unwrap().to_owned()), Some(pictures[number].len().to_string()));
    }
    // A slow disk may cost some, and each of them is counted.
    let skipped = (58 - recorded.len()).to_string();
    bed.until("all are accounted for", |edge| edge.twin(&door, "skipped").is_some_and(|twin| twin.value() == skipped))
        .await;

    // A picture by order, a list of both, and nothing else.
    let ordered = bed.handle().call(&door, "snapshot", &[]).await.unwrap();
    let picture = ordered[0].to_string();
    let (head, bytes) = get(address, &picture).await;
    assert!(head.contains("content-type: image/jpeg") && bytes.starts_with(&[0xff, 0xd8]), "{head}");
    let (_, list) = get(address, "/api/v2/devices/default/door/files").await;
    let list: Json = serde_json::from_slice(&list).unwrap();
    let uris: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, [uri, picture.as_str()], "{list}");
    assert_eq!(list["items"][0]["time"], "2026-05-01T12:00:00.000Z");
    for missing in ["..%2f..%2fwrites.memory", "%2e%2e", ".lock-clip", "20260501T120006.000000Z-clip.avi"] {
        let (head, body) = get(address, &format!("/api/v2/devices/default/door/files/{missing}")).await;
        assert!(head.starts_with("http/1.1 404"), "{missing}: {head}{}", String::from_utf8_lossy(&body));
    }
    assert!(get(address, "/api/v2/devices/default/nobody/files").await.0.starts_with("http/1.1 404"));
    bed.stop().await.unwrap();
}
