//! What four cameras cost: 1280×720, 30 frames a second of 100 kB each, first with nobody there, then with a reader for each, then with
//! twenty more that are slow: half of them never read, the others take 64 kB a second.
//!
//! A frame has the time at which the driver had it, so that a reader knows how long it was under way.
//!
//! Run it with `cargo xtask bench stream`. It takes a minute and a half.

mod common;

use std::{
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use common::{
    fleet,
    process::{self, MapperProcess, Usage},
    table::{Table, megabytes},
};
use mapper_framework::{
    ContentType, Device, Driver, DriverError, Format, Frame, FrameSender, Mapper, Property, Reading, Session,
    local_edge::LocalEdge,
};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

const CAMERAS: usize = 4;
const FRAMES_PER_SECOND: f64 = 30.0;
const FRAME_BYTES: usize = 100_000;

const SLOW: usize = 20;
/// What a slow reader that reads at all takes in a second.
const SLOW_BYTES: usize = 64 << 10;

/// From the start to the first figure, in which the readers' connections fill as well.
const WARM_UP: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(20);

/// How long a frame may be under way, from the driver to the last byte at its reader.
const GOAL: Duration = Duration::from_millis(5);

fn main() -> Result<()> {
    if let Some(folder) = process::folder_of_mapper() {
        let cameras = Mapper::builder(Cameras).package(mapper_framework::package!()).protocol(fleet::PROTOCOL);
        return process::serve(&folder, cameras);
    }
    if !common::is_wanted() {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(folder.path()).await?;
    edge.apply(&manifests()).await?;
    // Free a moment ago, and nobody else on this machine is about to take it.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut mapper = MapperProcess::start_with_http(folder.path(), port)?;
    mapper.wait_for_connects(CAMERAS).await?;

    sleep(WARM_UP).await;
    let begun = mapper.usage()?;
    sleep(WINDOW).await;
    let alone = Cost::since(&begun, &mapper.usage()?);
    let read = measure(&mapper, address).await?;
    let slow = slow_readers(address).await?;
    let crowded = measure(&mapper, address).await?;
    drop(slow);
    print(&alone, &read, &crowded);
    mapper.stop().await?;
    Ok(())
}

fn print(alone: &Cost, read: &Window, crowded: &Window) {
    let table = Table::new(&format!(
        "stream: {CAMERAS} cameras, {FRAMES_PER_SECOND} frames/s of {} kB, {CAMERAS} readers, then {SLOW} slow ones beside them",
        FRAME_BYTES / 1000
    ));
    for (name, window) in [("readers alone", read), ("beside slow readers", crowded)] {
        let p99 = window.percentile(99);
        table.judge(
            &format!("from driver to HTTP client, p99, {name}"),
            format!("{:.2} ms", p99.as_secs_f64() * 1e3),
            format!("<= {GOAL:?}"),
            p99 <= GOAL,
        );
        table
            .tell(&format!("the same, median, {name}"), format!("{:.2} ms", window.percentile(50).as_secs_f64() * 1e3));
        let figure = format!("{} of {}", window.lost, window.lost + window.ages.len() as u64);
        table.judge(&format!("frames lost, {name}"), figure, "0", window.lost == 0);
    }
    let costs = [alone, &read.cost, &crowded.cost];
    table.tell(
        "CPU of one core, no / 4 / 24 readers",
        costs.map(|cost| format!("{:.1}", cost.cpu * 100.0)).join(" / ") + " %",
    );
    table.tell("resident memory, no / 4 / 24 readers", costs.map(|cost| megabytes(cost.resident)).join(" / "));
}

/// What the mapper's process has taken in a window.
struct Cost {
    /// The share of one core.
    cpu: f64,
    /// In bytes, at the end.
    resident: u64,
}

impl Cost {
    fn since(before: &Usage, after: &Usage) -> Self {
        Self { cpu: (after.cpu - before.cpu).as_secs_f64() / WINDOW.as_secs_f64(), resident: after.resident }
    }
}

/// What the readers saw in a window.
struct Window {
    /// How old each frame was when its reader had it, sorted.
    ages: Vec<Duration>,
    lost: u64,
    cost: Cost,
}

impl Window {
    fn percentile(&self, percent: usize) -> Duration {
        self.ages.get(self.ages.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }
}

/// Reads each camera's stream for a window.
async fn measure(mapper: &MapperProcess, address: SocketAddr) -> Result<Window> {
    let mut readers = JoinSet::new();
    for camera in 0..CAMERAS {
        readers.spawn(read(open(address, camera).await?));
    }
    sleep(WARM_UP).await;
    let before = mapper.usage()?;
    sleep(WINDOW).await;
    let cost = Cost::since(&before, &mapper.usage()?);
    let (mut ages, mut lost) = (Vec::new(), 0);
    while let Some(seen) = readers.join_next().await {
        let seen = seen??;
        ages.extend(seen.ages);
        lost += seen.lost;
    }
    ages.sort_unstable();
    ensure!(!ages.is_empty(), "frames have come");
    Ok(Window { ages, lost, cost })
}

#[derive(Default)]
struct Seen {
    ages: Vec<Duration>,
    lost: u64,
}

/// Reads frames as a player does, through the warm-up and for a window.
async fn read(mut stream: BufReader<TcpStream>) -> Result<Seen> {
    let (begun, mut seen, mut last, mut bytes) = (Instant::now(), Seen::default(), None, Vec::new());
    while begun.elapsed() < WARM_UP + WINDOW {
        let head = next_head(&mut stream).await?;
        bytes.resize(head.length, 0);
        stream.read_exact(&mut bytes).await?;
        if last == Some(head.sequence) {
            // Sent again, since no other came for a while.
            continue;
        }
        let age = SystemTime::now().duration_since(head.taken).unwrap_or_default();
        if begun.elapsed() > WARM_UP {
            seen.ages.push(age);
            seen.lost += last.map_or(0, |last| (head.sequence - last).saturating_sub(1));
        }
        last = Some(head.sequence);
    }
    Ok(seen)
}

/// What stands above a picture.
struct Head {
    length: usize,
    sequence: u64,
    taken: SystemTime,
}

/// Reads up to the next picture. The time is the last line of its head, above an empty one; the head of the answer has none of these.
async fn next_head(stream: &mut BufReader<TcpStream>) -> Result<Head> {
    let mut head = Head { length: 0, sequence: 0, taken: UNIX_EPOCH };
    let mut line = String::new();
    while !line.trim_end().is_empty() || head.taken == UNIX_EPOCH {
        line.clear();
        ensure!(timeout(WARM_UP, stream.read_line(&mut line)).await?? > 0, "the stream goes on");
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", length)) => head.length = length.parse()?,
            Some(("X-Sequence", sequence)) => head.sequence = sequence.parse()?,
            Some(("X-Timestamp", time)) => head.taken = UNIX_EPOCH + Duration::try_from_secs_f64(time.parse()?)?,
            _ => {}
        }
    }
    Ok(head)
}

async fn open(address: SocketAddr, camera: usize) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).await?;
    let path = format!("/api/v2/devices/default/{}/stream.mjpeg", fleet::device(camera).name());
    // Of HTTP 1.0 is an answer without chunks.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").as_bytes()).await?;
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    ensure!(line.contains(" 200 "), "{line}");
    Ok(stream)
}

/// Readers that are slow for as long as they are kept.
async fn slow_readers(address: SocketAddr) -> Result<Vec<Slow>> {
    let mut all = Vec::with_capacity(SLOW);
    for number in 0..SLOW {
        let stream = open(address, number % CAMERAS).await?;
        all.push(if number < SLOW / 2 { Slow::Deaf(stream) } else { Slow::Lazy(tokio::spawn(read_slowly(stream))) });
    }
    Ok(all)
}

/// A slow reader.
#[expect(dead_code, reason = "it is only kept")]
enum Slow {
    Deaf(BufReader<TcpStream>),
    Lazy(JoinHandle<()>),
}

impl Drop for Slow {
    fn drop(&mut self) {
        if let Self::Lazy(task) = self {
            task.abort();
        }
    }
}

async fn read_slowly(mut stream: BufReader<TcpStream>) {
    let mut bytes = vec![0; SLOW_BYTES];
    while stream.read_exact(&mut bytes).await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
}

fn manifests() -> String {
    let protocol = fleet::PROTOCOL;
    let model = format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: camera, namespace: default}}\n\
         spec:\n  protocol: {protocol}\n  properties:\n  - {{name: state, type: STRING, accessMode: ReadOnly}}\n"
    );
    let device = |number| {
        format!(
            "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: {}, namespace: default}}\n\
             spec:\n  deviceModelRef: {{name: camera}}\n  protocol: {{protocolName: {protocol}, configData: {{}}}}\n  properties:\n  \
             - {{name: state, collectCycle: 1000, reportCycle: 1000, reportToCloud: true, \
             visitors: {{protocolName: {protocol}, configData: {{stream: state}}}}}}\n",
            fleet::device(number).name()
        )
    };
    model + &(0..CAMERAS).map(device).collect::<String>()
}

/// Cameras whose pictures cost a copy, as those of a real one do.
struct Cameras;

/// `spec.protocol.configData`
#[derive(Deserialize)]
struct Nothing {}

struct Camera;

impl Driver for Cameras {
    type Config = Nothing;
    type Session = Camera;

    async fn connect(&self, _: &Device, _: Nothing) -> Result<Camera, DriverError> {
        Ok(Camera)
    }
}

impl Session for Camera {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Err(DriverError::refused("there is nothing but a stream"))
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        frames.granted(Format::new("MJPG", 1280, 720).frames_per_second(FRAMES_PER_SECOND));
        thread::Builder::new().name("capture".to_owned()).spawn(move || capture(&frames))?;
        Ok(())
    }
}

fn capture(frames: &FrameSender) {
    let mut picture = vec![0x55; FRAME_BYTES];
    picture[..2].copy_from_slice(&[0xff, 0xd8]);
    picture[FRAME_BYTES - 2..].copy_from_slice(&[0xff, 0xd9]);
    let interval = Duration::from_secs_f64(1.0 / FRAMES_PER_SECOND);
    let mut due = Instant::now();
    while frames.send(Frame::new(ContentType::Jpeg, picture.clone()).size(1280, 720)) {
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
