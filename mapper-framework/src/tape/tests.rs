//! A recording that is written, torn, read and answered from.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::{
    AccessMode, Call, Change, DataType, Device, Driver, DriverError, Property, Reading, Reads, Session, Subscriptions,
    Tap, Value,
    driver::{Deadline, ErasedDriver, ErasedProperty, ErasedSession, Results, erase},
    model::{Credentials, Method, Quality},
    telemetry::Telemetry,
};

/// Each read gives the next number, and every third one fails.
#[derive(Default)]
struct Counter(AtomicU8);

#[derive(Deserialize)]
struct Config {
    password: String,
}

impl Driver for Counter {
    type Config = Config;
    type Session = Counted;

    async fn connect(&self, device: &Device, config: Config) -> Result<Counted, DriverError> {
        let (here, mut there) = duplex(64);
        let mut wire = Tap::new(here);
        wire.write_all(format!("PASS {}\r\n", config.password).as_bytes()).await?;
        let credentials = device.credentials();
        let (user, token) = (credentials.username().unwrap(), credentials.token().unwrap().expose());
        wire.write_all(format!("USER {user} {token}\r\n").as_bytes()).await?;
        there.write_all(b"OK").await?;
        let mut answer = [0; 2];
        wire.read_exact(&mut answer).await?;
        match self.0.fetch_add(1, Relaxed) {
            0 => Err(DriverError::refused(format_args!("{} is wrong", config.password))),
            _ => Ok(Counted { next: 0, changes: 0 }),
        }
    }
}

struct Counted {
    next: i64,
    changes: u8,
}

impl Session for Counted {
    type Visitor = ();

    async fn subscribe(&mut self, properties: &[Arc<Property<()>>]) -> Result<Subscriptions, DriverError> {
        Ok(properties.iter().filter(|property| property.name() == "door").collect())
    }

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        self.next += 1;
        match self.next % 3 {
            0 => Err(DriverError::failed(format_args!("number {} is missing", self.next))),
            1 => Ok(Reading::new(self.next).quality(Quality::Uncertain)),
            _ => Ok(self.next.into()),
        }
    }

    async fn read_many(&mut self, reads: &mut Reads<'_, ()>) -> Result<(), DriverError> {
        if self.next > 100 {
            return std::future::pending().await;
        }
        for property in reads.properties() {
            let result = self.read(property).await;
            reads.set(property, result);
        }
        Ok(())
    }

    async fn write(&mut self, _: &Property<()>, value: &Value) -> Result<(), DriverError> {
        match value {
            Value::Int(7) => Err(DriverError::refused("not seven")),
            _ => Ok(()),
        }
    }

    async fn call(&mut self, _: &Call<'_, ()>) -> Result<Vec<Value>, DriverError> {
        std::future::pending().await
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        tokio::time::sleep(Duration::from_secs(10)).await;
        self.changes += 1;
        Ok(vec![Change::new("door", self.changes % 2 == 1), Change::failed("door", DriverError::failed("stuck"))])
    }
}

fn device() -> Device {
    let config = json!({"password": "hunter2"});
    let number = Property::builder("number", DataType::Int).access_mode(AccessMode::ReadWrite);
    Device::builder("counter")
        .protocol("count")
        .config(config.as_object().cloned().unwrap())
        .property(number.collect_cycle(Duration::from_secs(2)).build())
        .property(Property::builder("door", DataType::Boolean).build())
        .credentials(Credentials::none().with_username("operator").with_token("swordfish"))
        .build()
}

fn bound(driver: &dyn ErasedDriver) -> Vec<ErasedProperty> {
    device().properties().map(|property| driver.bind(property).unwrap()).collect()
}

/// What two reads give, as text.
async fn read(session: &mut Box<dyn ErasedSession>, properties: &[ErasedProperty]) -> Vec<String> {
    let mut results = Results::new(properties.len());
    let round = session.read_many(properties, &mut results, &Deadline::after(Duration::MAX)).await;
    let read = |result: Option<Result<Reading, DriverError>>| match result {
        Some(Ok(reading)) => format!("{} {}", reading.get_value(), reading.get_quality()),
        Some(Err(error)) => error.to_string(),
        None => format!("nothing: {round:?}"),
    };
    results.into_vec().into_iter().map(read).collect()
}

/// Does the same with a driver that is recorded and with one that is replayed, and says what came of it.
async fn story(driver: &dyn ErasedDriver) -> Vec<String> {
    let properties = bound(driver);
    let mut story = vec![driver.connect(&device()).await.err().unwrap().to_string()];
    let mut session = driver.connect(&device()).await.unwrap();
    story.push(format!("{:?}", session.subscribe(&properties).await.unwrap()));
    for _ in 0..3 {
        story.extend(read(&mut session, &properties[..1]).await);
    }
    for value in [5, 7] {
        story.push(format!("{:?}", session.write(&properties[0], &Value::Int(value)).await));
    }
    let began = tokio::time::Instant::now();
    story.push(format!("{:?}", session.changed().await.unwrap()));
    story.push(format!("{} s", began.elapsed().as_secs()));
    story.push(session.state().await.unwrap().to_string());
    session.close().await;
    story
}

fn recorder(path: &Path, most_bytes: u64, telemetry: &Telemetry) -> Arc<Recorder> {
    Arc::new(Recorder::create(path, "count", "counter 1", most_bytes, telemetry.clone()).unwrap())
}

/// A recorded story, and its file.
async fn recorded() -> (Vec<String>, TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.tape");
    let recorder = recorder(&path, u64::MAX, &Telemetry::default());
    let story = story(&*recording(erase(Counter::default()), Arc::clone(&recorder))).await;
    recorder.finish().unwrap();
    (story, folder, path)
}

fn replayed(path: &Path) -> Arc<dyn ErasedDriver> {
    replaying(erase(Counter::default()), Tape::read(path, "count").unwrap(), 1.0)
}

#[tokio::test(start_paused = true)]
async fn a_recording_answers_as_the_driver_has() {
    let (was, _folder, path) = recorded().await;
    let mut is = story(&*replayed(&path)).await;
    // No secret is in the recording.
    assert_eq!((was[0].as_str(), is[0].as_str()), ("hunter2 is wrong", "*** is wrong"));
    is[0].clone_from(&was[0]);
    assert_eq!(was, is);
    assert!(was.iter().any(|line| line == "10 s") && was.iter().any(|line| line == "number 3 is missing"), "{was:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_recorded_is_a_clear_error() {
    let (_, _folder, path) = recorded().await;
    let driver = replayed(&path);
    let properties = bound(&*driver);
    assert!(driver.connect(&device()).await.is_err());
    let mut session = driver.connect(&device()).await.unwrap();
    for _ in 0..3 {
        read(&mut session, &properties[..1]).await;
    }
    assert_eq!(read(&mut session, &properties[..1]).await, [r#"the recording has no further read of "number""#]);
    let error = session.write(&properties[0], &Value::Int(9)).await.unwrap_err().to_string();
    assert_eq!(error, r#"the recording has no further write of 9 to "number""#);
    let error = driver.connect(&device()).await.err().unwrap().to_string();
    assert_eq!(error, "the recording has no further connect to default/counter");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_cut_off_has_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.tape");
    let recorder = recorder(&path, u64::MAX, &Telemetry::default());
    let cut_off = async |driver: &dyn ErasedDriver| {
        let properties = bound(driver);
        drop(driver.connect(&device()).await);
        let mut session = driver.connect(&device()).await.unwrap();
        while tokio::time::timeout(Duration::from_secs(5), read(&mut session, &properties[..1])).await.is_ok() {}
        let reset = Method { name: "reset".into(), description: String::new(), property_names: Vec::new() };
        let called = tokio::time::timeout(Duration::from_secs(5), session.call(&reset, Vec::new())).await;
        assert!(called.is_err(), "{called:?}");
        session.close().await;
    };
    cut_off(&*recording(erase(Counter::default()), Arc::clone(&recorder))).await;
    recorder.finish().unwrap();
    // Ends as well.
    cut_off(&*replayed(&path)).await;
}

#[tokio::test(start_paused = true)]
async fn a_torn_file_is_read_up_to_the_tear_and_a_secret_is_nowhere_in_it() {
    let (_, folder, path) = recorded().await;
    let bytes = fs::read(&path).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*bytes), &mut text).unwrap();
    assert!(text.contains("manifests") && !["hunter2", "swordfish"].iter().any(|it| text.contains(it)), "{text}");
    // The bytes of the login, redacted, and its refusal.
    for login in [&b"PASS *******\r\n"[..], b"USER ******** *********\r\n"] {
        assert!(text.contains(&entry::base64(login)), "{text}");
    }
    assert!(text.contains("*** is wrong"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let whole = Tape::read(&path, "count").unwrap();
    assert!(!whole.is_torn);
    let torn = folder.path().join("torn.tape");
    fs::write(&torn, &bytes[..bytes.len() - 20]).unwrap();
    let read = Tape::read(&torn, "count").unwrap();
    assert!(read.is_torn && !read.entries.is_empty() && read.entries.len() < whole.entries.len());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_recording_of_this_mapper_is_refused() {
    let (_, folder, path) = recorded().await;
    let said = |path: &Path, protocol| Tape::read(path, protocol).unwrap_err().to_string();
    assert!(said(&path, "modbus").contains("is of the protocol \"count\", and this mapper serves \"modbus\""));
    let refusal = Recorder::create(&path, "count", "c", 1, Telemetry::default()).err().unwrap().to_string();
    assert!(refusal.contains("exists, and is left"), "{refusal}");
    assert!(said(folder.path(), "count").contains("Is a directory"));
    let other = folder.path().join("other");
    fs::write(&other, "kind: Device").unwrap();
    assert!(said(&other, "count").contains("is no recording of a mapper"));
    // Whatever else it has.
    write_gzip(&other, &json!({"format": FORMAT, "version": 2}).to_string());
    let refusal = said(&other, "count");
    assert!(refusal.ends_with(
        "has version 2 of the format, and this mapper reads up to 1: update it, or take the mapper that has recorded it"
    ));
    write_gzip(&other, &json!({"format": FORMAT, "version": 1}).to_string());
    assert!(said(&other, "count").contains("is no recording of a mapper"));
}

fn write_gzip(path: &Path, line: &str) {
    let mut gzip = flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, format!("{line}\n").as_bytes()).unwrap();
    gzip.finish().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_devices_of_a_recording_are_served_faster() {
    let (_, _folder, path) = recorded().await;
    let tape = Tape::read(&path, "count").unwrap();
    let manifests = tape.manifests(10.0);
    assert!(manifests.contains("collectCycle: 200\n") && !manifests.contains("hunter2"), "{manifests}");
    assert!(tape.manifests(1.0).contains("collectCycle: 2000\n"));
    assert_eq!(tape.duration().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_recording_ends_where_it_is_large_enough() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.tape");
    let telemetry = Telemetry::default();
    let recorder = recorder(&path, 1, &telemetry);
    story(&*recording(erase(Counter::default()), recorder)).await;
    assert!(Tape::read(&path, "count").unwrap_err().to_string().contains("holds no device"));
    let counts = telemetry.stats().tape();
    assert_eq!((counts.full(), counts.failed()), (1, 0));
    assert!(counts.entries_lost() > 10, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_to_be_read_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (path, telemetry) = (folder.path().join("story.tape"), Telemetry::default());
    let recorder = recorder(&path, u64::MAX, &telemetry);
    let keep = |bytes: String| recorder.keep("default/counter", 1, Duration::ZERO, entry::Event::Sent { bytes });
    keep("A".repeat(LONGEST));
    drop(story(&*recording(erase(Counter::default()), Arc::clone(&recorder))).await);
    recorder.finish().unwrap();
    assert_eq!(telemetry.stats().tape().entries_lost(), 1);
    assert!(!Tape::read(&path, "count").unwrap().is_torn);
}

#[tokio::test]
async fn what_was_recorded_goes_to_the_file_though_nothing_follows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.tape");
    let recorder = recorder(&path, u64::MAX, &Telemetry::default());
    drop(recording(erase(Counter::default()), Arc::clone(&recorder)).connect(&device()).await);
    let is_there = async {
        while Tape::read(&path, "count").is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_there).await.unwrap();
    assert!(Tape::read(&path, "count").unwrap().is_torn, "it goes on");
}
