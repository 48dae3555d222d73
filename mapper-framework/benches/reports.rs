//! What reaches edgecore of more reports than it takes: 100 devices, each worth one report a second, against a limit of 100 calls
//! at once and then one call per second.
//!
//! Run it with `cargo xtask bench reports`. It takes six minutes: first two of a fleet whose devices have nothing but values, as it was
//! measured with the Go framework, and then four of one whose devices have desired values and states as well. Twins and states are as old
//! as the budget makes them only when each device has had its second turn.

mod common;

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use common::{
    fleet::{self, Kind},
    process::{self, MapperProcess, Usage},
    table::{Table, megabytes},
};
use mapper_framework::{
    local_edge::{Counts, EdgeEvent, EdgeEvents, LocalEdge},
    model::DeviceId,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};

const DEVICES: usize = 100;
const TWINS: usize = DEVICES * fleet::PROPERTIES;

/// The time for which the figures of the Go framework are known.
const WINDOW: Duration = Duration::from_secs(30);

/// The second turn of the last device is over, of those that have values only.
const LONG: Duration = Duration::from_secs(115);

/// The same of those that have a state, too.
const LONGER: Duration = Duration::from_secs(230);

/// With a budget of one call per second, a device's turn comes when all others have had theirs; and a value is up to a cycle old
/// when it is sent.
const OLDEST: Duration = Duration::from_secs(DEVICES as u64 + 1);

/// By when every twin has its first value, and how old a state may become.
const FIRST_VALUES: Duration = Duration::from_secs(110);
const OLDEST_STATE: Duration = Duration::from_secs(2 * DEVICES as u64);

fn main() -> Result<()> {
    if let Some(folder) = process::folder_of_mapper() {
        return process::serve(&folder, fleet::mapper());
    }
    if !common::is_wanted() {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        values_only().await?;
        desired_values_and_states().await
    })
}

async fn values_only() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(folder.path()).await?;
    fleet::apply(&edge, DEVICES, Kind::Plain).await?;
    let (begun, mut events) = (Instant::now(), edge.events());
    let mapper = MapperProcess::start(folder.path())?;
    sleep_until(begun + WINDOW).await;
    print(&edge, &mapper.usage()?);
    let mut seen = Seen::default();
    seen.watch(begun, LONG, &edge, &mut events).await;
    let table = Table::new(&format!("reports: the same after {LONG:?}"));
    let (oldest, goal) = (seen.oldest_twin, format!("≤ {OLDEST:?}"));
    table.judge("age of the oldest twin, at its worst", seconds(oldest), goal, oldest <= OLDEST);
    judge_refused(&table, edge.counts());
    mapper.stop().await?;
    Ok(())
}

async fn desired_values_and_states() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(folder.path()).await?;
    fleet::apply(&edge, DEVICES, Kind::Controlled).await?;
    let (begun, mut events) = (Instant::now(), edge.events());
    let mapper = MapperProcess::start(folder.path())?;
    let mut seen = Seen::default();
    seen.watch(begun, LONG, &edge, &mut events).await;
    let properties = fleet::PROPERTIES;
    let table = Table::new(&format!(
        "reports: {DEVICES} devices of {properties} properties, a desired value and a state, {LONG:?}"
    ));
    let stored = format!("{} of {TWINS}", seen.twins.len());
    table.judge("twins ever stored", stored, format!("all {TWINS}"), seen.twins.len() == TWINS);
    let first = seen.first_values.map_or_else(|| "not by then".to_owned(), seconds);
    let goal = format!("≤ {FIRST_VALUES:?}");
    table.judge(
        "every twin has its first value after",
        first,
        goal,
        seen.first_values.is_some_and(|at| at <= FIRST_VALUES),
    );
    table.tell("age of the oldest twin, at its worst", seconds(seen.oldest_twin));
    table.tell("desired values that are echoed", format!("{} of {DEVICES}", echoed(&edge)));
    print_calls(&table, &edge, &seen);
    seen.watch(begun, LONGER, &edge, &mut events).await;
    let table = Table::new(&format!("reports: the same after {LONGER:?}"));
    let (oldest, goal) = (seen.oldest_state, format!("≤ {OLDEST_STATE:?}"));
    table.judge("age of the oldest state, at its worst", seconds(oldest), goal, oldest <= OLDEST_STATE);
    table.tell("age of the oldest twin, at its worst", seconds(seen.oldest_twin));
    print_calls(&table, &edge, &seen);
    mapper.stop().await?;
    Ok(())
}

/// What an edge has stored.
#[derive(Default)]
struct Seen {
    twins: HashSet<(DeviceId, String)>,
    /// When the last of the twins had its first value.
    first_values: Option<Duration>,
    states: HashMap<DeviceId, Instant>,
    calls_for_states: u64,
    oldest_state: Duration,
    oldest_twin: Duration,
}

impl Seen {
    /// Watches until so long after the beginning.
    async fn watch(&mut self, begun: Instant, until: Duration, edge: &LocalEdge, events: &mut EdgeEvents) {
        let end = begun + until;
        let mut ticks = interval(Duration::from_millis(500));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while Instant::now() < end {
            let event = tokio::select! {
                event = timeout_at(end, events.next()) => event.ok().flatten(),
                _ = ticks.tick() => {
                    self.oldest_twin = self.oldest_twin.max(oldest_twin(edge));
                    let states = (0..DEVICES).map(|number| self.states.get(&fleet::device(number)).unwrap_or(&begun));
                    let oldest = states.min().map(Instant::elapsed);
                    self.oldest_state = self.oldest_state.max(oldest.unwrap_or_default());
                    continue;
                }
            };
            match event {
                Some(EdgeEvent::TwinStored { device, property, .. }) => {
                    self.twins.insert((device, property));
                    if self.twins.len() == TWINS {
                        self.first_values.get_or_insert_with(|| begun.elapsed());
                    }
                }
                Some(EdgeEvent::StateStored { device, .. }) => {
                    self.states.insert(device, Instant::now());
                    self.calls_for_states += 1;
                }
                Some(_) => {}
                // The time is over, or the edge is.
                None => return,
            }
        }
    }
}

fn print(edge: &LocalEdge, usage: &Usage) {
    let table = Table::new(&format!("reports: {DEVICES} devices of {} properties, {WINDOW:?}", fleet::PROPERTIES));
    let stored = edge.twins().len();
    table.judge("twins ever stored (Go framework: 110)", stored, format!("all {TWINS}"), stored == TWINS);
    table.tell("calls accepted (Go framework: 128)", edge.counts().accepted());
    judge_refused(&table, edge.counts());
    table.tell("CPU (Go framework: 13.3 s)", format!("{:.2} s", usage.cpu.as_secs_f64()));
    table.tell("peak resident memory (Go framework: 211 MB)", megabytes(usage.peak));
}

fn print_calls(table: &Table, edge: &LocalEdge, seen: &Seen) {
    table.tell("calls accepted since the beginning", edge.counts().accepted());
    table.tell("of these for states", seen.calls_for_states);
    judge_refused(table, edge.counts());
}

fn judge_refused(table: &Table, counts: Counts) {
    let (refused, calls) = (counts.limited(), counts.accepted() + counts.limited());
    let met = refused * 50 < calls;
    table.judge("calls refused (Go framework: 28,872)", format!("{refused} of {calls}"), "< 2 %", met);
}

fn echoed(edge: &LocalEdge) -> usize {
    let twins = edge.twins();
    twins.iter().filter(|(_, property, twin)| property == fleet::DESIRED && twin.observed_desired() == "5").count()
}

/// How old the oldest twin is, of those whose value changes.
fn oldest_twin(edge: &LocalEdge) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let twins = edge.twins();
    let changing = twins.iter().filter(|(_, property, _)| property != fleet::DESIRED);
    let timestamps = changing.filter_map(|(_, _, twin)| twin.timestamp()?.try_into().ok());
    let age = timestamps.min().map(|millis| now.saturating_sub(Duration::from_millis(millis)));
    age.unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
