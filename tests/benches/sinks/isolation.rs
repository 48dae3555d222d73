//! Whether a sink that hangs holds up another.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use anyhow::Result;
use integration_tests::servers::RedisServer;
use mapper_framework::{
    Change, Device, Driver, DriverError, Property, Reading, Session,
    sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target},
    testing::TestBed,
};
use tokio::time::{Interval, interval};

use crate::table::Table;

/// How long each of the two runs takes.
const TIME: Duration = Duration::from_secs(20);

/// By how much the other sink may be late.
const GOAL: Duration = Duration::from_millis(10);

pub(crate) async fn run() -> Result<()> {
    let Some(mut redis) = RedisServer::start().await else { return Ok(()) };
    let table = Table::new("a sink that hangs beside one that works, 1,000 samples/s to both");
    let beside_one_that_works = delays(&redis).await?;
    redis.freeze().await;
    let beside_one_that_hangs = delays(&redis).await?;
    redis.kill().await;
    let late = beside_one_that_hangs.saturating_sub(beside_one_that_works);
    table.tell("from read to write, beside one that works, p99", format!("{beside_one_that_works:.2?}"));
    table.tell("from read to write, beside one that hangs, p99", format!("{beside_one_that_hangs:.2?}"));
    table.judge("later by", format!("{late:.2?}"), format!("< {GOAL:?}"), late < GOAL);
    Ok(())
}

/// The time from reading to writing that 99 of 100 samples stay below.
async fn delays(redis: &RedisServer) -> Result<Duration> {
    let watch = Watch::default();
    let bed = TestBed::builder(Ticker, "ticker")
        .sink(watch.clone())
        .config(|config| config.sinks.batch_linger = Duration::ZERO)
        .start()
        .await;
    bed.edge().apply(&manifests(redis.port())).await?;
    tokio::time::sleep(TIME).await;
    bed.stop().await?;
    let mut delays = watch.0.lock().map(|delays| delays.clone()).unwrap_or_default();
    delays.sort_unstable();
    Ok(delays.get(delays.len() * 99 / 100).copied().unwrap_or_default())
}

fn manifests(port: u16) -> String {
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: ticker}}\n\
         spec: {{protocol: ticker, properties: [{{name: tick, type: INT, accessMode: ReadOnly}}]}}\n---\n\
         apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: ticker}}\n\
         spec:\n  deviceModelRef: {{name: ticker}}\n  protocol: {{protocolName: ticker}}\n  \
         properties: [{{name: tick, collectCycle: 86400000, pushMethod: \
         {{dbMethod: {{redis: {{redisClientConfig: {{addr: \"127.0.0.1:{port}\"}}}}}}}}}}]\n"
    )
}

/// A device that delivers a thousand readings a second.
struct Ticker;

struct Ticking(Interval);

impl Driver for Ticker {
    type Config = ();
    type Session = Ticking;

    async fn connect(&self, _: &Device, (): ()) -> Result<Ticking, DriverError> {
        Ok(Ticking(interval(Duration::from_millis(10))))
    }
}

impl Session for Ticking {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Ok(0.into())
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        self.0.tick().await;
        Ok((0..10).map(|number| Change::new("tick", number)).collect())
    }
}

/// A sink that looks at the clock.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<Duration>>>);

impl SinkKind for Watch {
    type Sink = Watch;

    fn name(&self) -> &str {
        "watch"
    }

    fn routes(&self, _: &Device, _: &Property) -> Result<Vec<Route>, RouteError> {
        Ok(vec![Route::to(Target::new("watch", &()))])
    }

    async fn open(&self, _: &Target, _: &Credentials) -> Result<Watch, SinkError> {
        Ok(self.clone())
    }
}

impl Sink for Watch {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let now = SystemTime::now();
        let delays = batch.iter().map(|record| now.duration_since(record.timestamp()).unwrap_or_default());
        if let Ok(mut all) = self.0.lock() {
            all.extend(delays);
        }
        Ok(Outcome::accepted(batch.len()))
    }
}
