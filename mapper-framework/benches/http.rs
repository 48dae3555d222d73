//! What it costs to be looked at: 10,000 samples a second, first with nobody there, then with 50 event streams, five of which never read, a
//! scrape each second, and a client that asks for one device after the other.
//!
//! Run it with `cargo xtask bench http`. It takes a minute.

mod common;

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use common::{
    fleet,
    process::{self, MapperProcess},
    table::{Table, megabytes},
};
use mapper_framework::local_edge::LocalEdge;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

const DEVICES: usize = 1000;
const STREAMS: usize = 50;
const DEAF: usize = 5;

/// From the last device's connect to the first figure.
const WARM_UP: Duration = Duration::from_secs(5);

const WINDOW: Duration = Duration::from_secs(20);

/// How long an answer about one device may take.
const GOAL: Duration = Duration::from_millis(20);

/// What a window has cost.
struct Figures {
    samples: f64,
    skipped: u64,
    cpu: f64,
    peak: u64,
}

fn main() -> Result<()> {
    if let Some(folder) = process::folder_of_mapper() {
        return process::serve(&folder, fleet::mapper());
    }
    if !common::is_wanted() {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(folder.path()).await?;
    fleet::apply(&edge, DEVICES, fleet::Kind::Plain).await?;
    // Free a moment ago, and nobody else on this machine is about to take it.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut mapper = MapperProcess::start_with_http(folder.path(), port)?;
    mapper.wait_for_connects(DEVICES).await?;
    tokio::time::sleep(WARM_UP).await;
    let alone = measure(&mut mapper).await?;

    let mut clients = JoinSet::new();
    for number in 0..STREAMS {
        let stream = follow(address).await?;
        clients.spawn(if number < DEAF { hold(stream, WINDOW * 2) } else { read_on(stream, WINDOW * 2) });
    }
    let mut asked = JoinSet::new();
    asked.spawn(ask_again(address, Duration::from_secs(1), |_| "/metrics".to_owned()));
    asked.spawn(ask_again(address, Duration::from_millis(10), |turn| {
        format!("/api/v2/devices/default/{}/properties", fleet::device(turn % DEVICES).name())
    }));
    let watched = measure(&mut mapper).await?;
    let (mut scrapes, mut answers) = (Vec::new(), Vec::new());
    while let Some(times) = asked.join_next().await {
        let times = times??;
        let of = if times.len() > 100 { &mut answers } else { &mut scrapes };
        *of = times;
    }
    clients.abort_all();
    print(&alone, &watched, &mut scrapes, &mut answers);
    mapper.stop().await?;
    Ok(())
}

fn print(alone: &Figures, watched: &Figures, scrapes: &mut [Duration], answers: &mut [Duration]) {
    let title = format!(
        "http: {DEVICES} devices of {} properties, {STREAMS} streams of all events, {DEAF} of which never read",
        fleet::PROPERTIES
    );
    let table = Table::new(&title);
    table.judge(
        "ticks skipped, alone / watched",
        format!("{} / {}", alone.skipped, watched.skipped),
        "0",
        watched.skipped == 0,
    );
    let ratio = watched.samples / alone.samples;
    table.judge(
        "samples, watched against alone",
        format!("{:.2} %", ratio * 100.0),
        "100 % ± 0.5",
        (ratio - 1.0).abs() < 0.005,
    );
    let p99 = percentile(answers);
    table.judge(
        "properties of one device, p99",
        format!("{:.1} ms", p99.as_secs_f64() * 1e3),
        format!("< {GOAL:?}"),
        p99 < GOAL,
    );
    table.tell("a scrape, p99", format!("{:.1} ms", percentile(scrapes).as_secs_f64() * 1e3));
    table.tell("CPU of one core, alone / watched", format!("{:.1} / {:.1} %", alone.cpu * 100.0, watched.cpu * 100.0));
    table.tell(
        "peak resident memory, alone / watched",
        format!("{} / {}", megabytes(alone.peak), megabytes(watched.peak)),
    );
}

fn percentile(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}

async fn measure(mapper: &mut MapperProcess) -> Result<Figures> {
    let (begun, counted, usage) = (Instant::now(), mapper.counted().await?, mapper.usage()?);
    tokio::time::sleep(WINDOW).await;
    let (after, used, passed) = (mapper.counted().await?, mapper.usage()?, begun.elapsed().as_secs_f64());
    Ok(Figures {
        samples: (after.get("reads.samples") - counted.get("reads.samples")) as f64 / passed,
        skipped: after.get("reads.ticks_skipped") - counted.get("reads.ticks_skipped"),
        cpu: (used.cpu - usage.cpu).as_secs_f64() / passed,
        peak: used.peak,
    })
}

async fn request(address: SocketAddr, path: &str, close: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: {close}\r\n\r\n").as_bytes())
        .await?;
    Ok(stream)
}

/// A stream of all events, with its first bytes read.
async fn follow(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = request(address, "/api/v2/events", "keep-alive").await?;
    ensure!(stream.read(&mut [0; 512]).await? > 0, "the stream begins");
    Ok(stream)
}

type Client = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn hold(stream: TcpStream, time: Duration) -> Client {
    Box::pin(async move {
        tokio::time::sleep(time).await;
        drop(stream);
    })
}

fn read_on(mut stream: TcpStream, time: Duration) -> Client {
    Box::pin(async move {
        let mut buffer = vec![0; 64 << 10];
        let read = async { while matches!(stream.read(&mut buffer).await, Ok(1..)) {} };
        tokio::time::timeout(time, read).await.ok();
    })
}

/// Asks again and again while the window lasts. Returns how long each answer took.
async fn ask_again(address: SocketAddr, pause: Duration, path: impl Fn(usize) -> String) -> Result<Vec<Duration>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while begun.elapsed() < WINDOW {
        ticks.tick().await;
        let (asked, mut answer) = (Instant::now(), Vec::new());
        request(address, &path(times.len()), "close").await?.read_to_end(&mut answer).await?;
        times.push(asked.elapsed());
        let head = answer.get(..15).context("an answer")?;
        ensure!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    Ok(times)
}
