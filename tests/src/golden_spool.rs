//! A spool whose records are always the same, written by a mapper and read by one: what an older version has written, a newer one
//! must read.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use mapper_framework::{
    Change, Device, Driver, DriverError, Property, Reading, Session, Value,
    model::Quality,
    sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target},
    testing::TestBed,
};

/// How many records there are: one of each type.
const RECORDS: u64 = 6;

/// The device that the records are of.
const MANIFESTS: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: golden, namespace: plant}
spec:
  protocol: golden
  properties:
    - {name: int, type: INT, accessMode: ReadOnly, unit: pcs, description: A whole number}
    - {name: float, type: FLOAT, accessMode: ReadOnly, unit: °C}
    - {name: double, type: DOUBLE, accessMode: ReadOnly}
    - {name: string, type: STRING, accessMode: ReadOnly}
    - {name: boolean, type: BOOLEAN, accessMode: ReadOnly}
    - {name: bytes, type: BYTES, accessMode: ReadOnly}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: golden-1, namespace: plant}
spec:
  deviceModelRef: {name: golden}
  protocol: {protocolName: golden}
  properties: [{name: int}, {name: float}, {name: double}, {name: string}, {name: boolean}, {name: bytes}]
";

/// Has a mapper write the records into a spool in `folder`, since its sink is away.
///
/// # Errors
///
/// The folder cannot be written, or a record did not get there.
pub async fn write(folder: &Path) -> Result<()> {
    let (bed, _) = start(folder, false).await;
    bed.edge().apply(MANIFESTS).await?;
    bed.until_sinks("all records wait", |sinks| sinks.iter().any(|sink| sink.ledger().produced() == RECORDS)).await;
    bed.stop().await?;
    let (targets, files): (Vec<_>, Vec<_>) = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .partition(|path| path.is_dir());
    ensure!(targets.len() == 1, "{} holds the spool of one target", folder.display());
    // What the mapper remembers of its writes lies there as well; it has made none.
    files.iter().try_for_each(fs::remove_file)?;
    Ok(())
}

/// Has a mapper without a device read the spool in `folder`, and gives a line for each record.
///
/// # Errors
///
/// The mapper ends with one.
pub async fn read(folder: &Path) -> Result<Vec<String>> {
    let (bed, arrived) = start(folder, true).await;
    bed.until_sinks("all records are delivered", |sinks| sinks.iter().any(|sink| sink.ledger().delivered() == RECORDS))
        .await;
    bed.stop().await?;
    Ok(std::mem::take(&mut *arrived.0.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// What [`read`] gives of a sound spool.
#[must_use]
pub fn expected() -> Vec<String> {
    readings().into_iter().map(|(property, value, quality, at)| line(property, &value, quality, at)).collect()
}

async fn start(spool: &Path, is_there: bool) -> (TestBed, Arrived) {
    let arrived = Arrived::default();
    let bed = TestBed::builder(Golden::default(), "golden")
        .config(|config| spool.clone_into(&mut config.spool.dir))
        .sink(Kind { is_there, arrived: arrived.clone() })
        .start()
        .await;
    (bed, arrived)
}

/// Property, value, quality and milliseconds since 1970 of each record.
fn readings() -> [(&'static str, Value, Quality, i64); RECORDS as usize] {
    let at = 1_700_000_000_000;
    [
        ("int", Value::Int(-42), Quality::Good, at),
        ("float", Value::Float(20.25), Quality::Uncertain, at + 1),
        ("double", Value::Double(-1e-3), Quality::Bad, at + 2),
        ("string", Value::String("größe \"9\"\n".into()), Quality::Good, at + 3),
        ("boolean", Value::Boolean(true), Quality::Good, at + 4),
        ("bytes", Value::from(vec![0, 255, 10]), Quality::Good, at + 5),
    ]
}

fn line(property: &str, value: &Value, quality: Quality, timestamp_ms: i64) -> String {
    format!("{timestamp_ms} {property} {value:?} {}", quality.as_str())
}

/// Delivers the readings once.
#[derive(Default)]
struct Golden(Arc<AtomicBool>);

impl Driver for Golden {
    type Config = ();
    type Session = Self;

    async fn connect(&self, _: &Device, (): ()) -> Result<Self, DriverError> {
        Ok(Self(Arc::clone(&self.0)))
    }
}

impl Session for Golden {
    type Visitor = ();

    /// What is read has the time of the read; only what is delivered is always the same.
    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Err(DriverError::failed("the values are delivered"))
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        if self.0.swap(true, Relaxed) {
            std::future::pending::<()>().await;
        }
        let reading = |(property, value, quality, at): (&str, Value, Quality, i64)| {
            let at = UNIX_EPOCH + Duration::from_millis(at.unsigned_abs());
            Change::new(property, Reading::new(value).at(at).quality(quality))
        };
        Ok(readings().map(reading).into())
    }
}

/// What has arrived, a line for each record.
#[derive(Clone, Debug, Default)]
struct Arrived(Arc<Mutex<Vec<String>>>);

/// A kind of sink with one target, which may be away.
#[derive(Debug)]
struct Kind {
    is_there: bool,
    arrived: Arrived,
}

impl SinkKind for Kind {
    type Sink = Arrived;

    fn name(&self) -> &str {
        "golden"
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let target = Target::new("golden", &serde_json::json!({"address": "127.0.0.1:1"}));
        Ok(vec![Route::to(target).with(&property.name())])
    }

    async fn open(&self, _: &Target, _: &Credentials) -> Result<Arrived, SinkError> {
        if self.is_there { Ok(self.arrived.clone()) } else { Err(SinkError::disconnected("it is away")) }
    }
}

impl Sink for Arrived {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        for record in batch {
            let detail: String = record.route()?;
            let line = line(&detail, record.value(), record.quality(), record.timestamp_ms());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
        Ok(Outcome::accepted(batch.len()))
    }
}
