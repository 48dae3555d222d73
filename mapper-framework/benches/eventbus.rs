//! Reports over edgecore's event bus beside reports by calls, on one fleet: 100 devices of ten properties, of which each has another value
//! every second. The edge takes a millisecond for each message.
//!
//! Run it with `cargo xtask bench eventbus`. It takes three minutes.

mod common;

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use common::{
    fleet::{self, Kind},
    process::{self, MapperProcess},
    table::{Table, megabytes},
};
use mapper_framework::{
    local_edge::{EdgeEvent, EdgeEvents, LocalEdge, StoredTwin},
    model::DeviceId,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

const DEVICES: usize = 100;
const TWINS: usize = DEVICES * fleet::PROPERTIES;

/// How many devices are more than the edge can take, at ten twins for each message.
const MANY: usize = 1500;

/// What the edge takes for a message.
const EACH: Duration = Duration::from_millis(1);

/// How long a fleet is watched, and until when its values are the first ones.
const WINDOW: Duration = Duration::from_secs(30);
const WARMED_UP: Duration = Duration::from_secs(5);

const OLDEST: Duration = Duration::from_secs(2);
const PER_SECOND: f64 = 1000.0;

/// How often the broker and edgecore are stopped.
const FAULTS: usize = 5;

fn main() -> Result<()> {
    if let Some(folder) = process::folder_of_mapper() {
        return process::serve(&folder, fleet::mapper());
    }
    if !common::is_wanted() {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        by_calls().await?;
        over_the_bus().await?;
        at_its_limit().await?;
        with_faults().await
    })
}

/// A fleet on an edge, and its mapper.
struct Bench {
    edge: LocalEdge,
    mapper: MapperProcess,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start(devices: usize, is_over_bus: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let edge = LocalEdge::builder().event_bus().event_bus_takes(EACH).start(folder.path()).await?;
        fleet::apply(&edge, devices, Kind::Plain).await?;
        let bus = edge.event_bus().filter(|_| is_over_bus);
        let mapper = MapperProcess::start_over(folder.path(), bus)?;
        Ok(Self { edge, mapper, _folder: folder })
    }
}

async fn by_calls() -> Result<()> {
    let mut bench = Bench::start(DEVICES, false).await?;
    let seen = watch(&bench.edge).await;
    let table =
        Table::new(&format!("eventbus: {DEVICES} devices of {} properties by calls, {WINDOW:?}", fleet::PROPERTIES));
    table.tell("age of the oldest twin, at its worst", seconds(seen.oldest));
    table.tell("twins stored a second", format!("{:.0}", seen.per_second));
    print_usage(&table, &mut bench.mapper)?;
    bench.mapper.stop().await?;
    Ok(())
}

async fn over_the_bus() -> Result<()> {
    let mut bench = Bench::start(DEVICES, true).await?;
    let seen = watch(&bench.edge).await;
    let table = Table::new(&format!("eventbus: the same over the event bus, {WINDOW:?}"));
    let goal = format!("≤ {OLDEST:?}");
    table.judge("age of the oldest twin, at its worst", seconds(seen.oldest), goal, seen.oldest <= OLDEST);
    table.tell("twins stored a second, of 1,000 that change", format!("{:.0}", seen.per_second));
    table.tell("calls, of which one is the registration", bench.edge.counts().accepted());
    print_usage(&table, &mut bench.mapper)?;
    bench.mapper.stop().await?;
    Ok(())
}

async fn at_its_limit() -> Result<()> {
    let mut bench = Bench::start(MANY, true).await?;
    let seen = watch(&bench.edge).await;
    let table = Table::new(&format!("eventbus: {MANY} devices, an edge that takes {EACH:?} for each message"));
    let (figure, goal) = (format!("{:.0}", seen.per_second), format!("≥ {PER_SECOND:.0}"));
    table.judge("twins stored a second", figure, goal, seen.per_second >= PER_SECOND);
    table.tell("age of the oldest twin, at its worst", seconds(seen.oldest));
    print_usage(&table, &mut bench.mapper)?;
    bench.mapper.stop().await?;
    Ok(())
}

/// Stops the broker and edgecore in the middle of the work, and then the fleet: what each twin is last reported to be has to be there.
async fn with_faults() -> Result<()> {
    let bench = Bench::start(DEVICES, true).await?;
    let mut back = Vec::new();
    for round in 0..2 * FAULTS {
        sleep(Duration::from_secs(2)).await;
        if round % 2 == 0 {
            bench.edge.stop_broker().await;
            sleep(Duration::from_millis(500)).await;
            bench.edge.start_broker().await?;
        } else {
            bench.edge.stop().await;
            sleep(Duration::from_millis(500)).await;
            bench.edge.restart().await?;
        }
        let begun = Instant::now();
        let before = values(&bench.edge);
        bench
            .edge
            .wait_until(|edge| edge.twins().all(|(device, property, twin)| is_newer(&before, device, property, twin)))
            .await;
        back.push(begun.elapsed());
    }
    let table = Table::new(&format!("eventbus: the broker stopped {FAULTS} times, and edgecore {FAULTS} times"));
    let worst = back.into_iter().max().context("there were faults")?;
    table.tell("until every twin has another value, at worst", seconds(worst));
    let (stopped, edge) = (Instant::now(), bench.edge);
    let counted = bench.mapper.stop().await?;
    table.tell("the mapper has stopped after", seconds(stopped.elapsed()));
    let lost = counted.get("reports.devices_unreported");
    table.judge("devices whose last values were not stored", lost, 0, lost == 0);
    let stored = edge.twins().len();
    table.judge("twins stored", format!("{stored} of {TWINS}"), format!("all {TWINS}"), stored == TWINS);
    Ok(())
}

/// What an edge got in the window.
struct Seen {
    oldest: Duration,
    per_second: f64,
}

async fn watch(edge: &LocalEdge) -> Seen {
    let mut events = edge.events();
    let begun = Instant::now();
    let end = begun + WINDOW;
    drop(timeout_at(begun + WARMED_UP, forever(&mut events)).await);
    let before = edge.counts().stored_twins();
    let mut ticks = interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut oldest = Duration::ZERO;
    while Instant::now() < end {
        ticks.tick().await;
        oldest = oldest.max(oldest_twin(edge));
    }
    let time = (WINDOW - WARMED_UP).as_secs_f64();
    Seen { oldest, per_second: (edge.counts().stored_twins() - before) as f64 / time }
}

/// Reads events until there are no more.
async fn forever(events: &mut EdgeEvents) {
    while events.next().await.is_some_and(|event| !matches!(event, EdgeEvent::Crashed { .. })) {}
}

fn values(edge: &LocalEdge) -> HashMap<(DeviceId, String), u64> {
    edge.twins().into_iter().map(|(device, property, twin)| ((device, property), twin.times_stored())).collect()
}

fn is_newer(before: &HashMap<(DeviceId, String), u64>, device: &DeviceId, property: &str, twin: &StoredTwin) -> bool {
    before.get(&(device.clone(), property.to_owned())).is_some_and(|times| twin.times_stored() > *times)
}

/// How old the oldest value is: each is the time at which it was read.
fn oldest_twin(edge: &LocalEdge) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let twins = edge.twins();
    let read = twins.iter().filter_map(|(_, _, twin)| Duration::try_from_secs_f64(twin.value().parse().ok()?).ok());
    read.min().map(|read| now.saturating_sub(read)).unwrap_or_default()
}

fn print_usage(table: &Table, mapper: &mut MapperProcess) -> Result<()> {
    let usage = mapper.usage()?;
    table.tell("CPU", format!("{:.2} s", usage.cpu.as_secs_f64()));
    table.tell("peak resident memory", megabytes(usage.peak));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
