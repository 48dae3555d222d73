//! How much a sink keeps of what its client library can do: both write the same batches to the same server, in turn.

mod mqtt;
mod mysql;
mod redis;
mod tdengine;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use mapper_framework::{
    DataType, Device, Property,
    config::SinksConfig,
    model::PushMethod,
    sink::{Credentials, Outcome, Record, Series, Sink, SinkKind},
    testing::sinks::{self, BuiltinSink},
};
use tokio::time::Instant;

use crate::table::Table;

/// Records in a batch, which is what the framework writes at once by default.
const BATCH: usize = 500;

/// Records in a batch of a backlog.
const BULK: usize = 5_000;

/// Rounds of each side.
const ROUNDS: usize = 7;

/// What of the bare client's pace is to be kept, in percent, where the server is a real one.
const GOAL: Option<f64> = Some(90.0);

/// A bare client library, as somebody would use it who writes batches with it.
#[async_trait]
pub(crate) trait Bare {
    async fn write(&mut self, batch: &[Record]) -> Result<()>;
}

pub(crate) async fn run() -> Result<()> {
    let table = Table::new(&format!("sinks beside their bare client libraries, batches of {BATCH}"));
    redis::run(&table).await?;
    mqtt::run(&table).await?;
    mysql::run(&table).await?;
    tdengine::run(&table).await
}

/// A built-in sink, and what it writes.
struct Ours {
    sink: BuiltinSink,
    series: Arc<Series>,
    number: u64,
}

impl Ours {
    async fn open(method: PushMethod, credentials: &Credentials) -> Result<Self> {
        let name = method.kind().context("the method is one of a sink")?;
        let kind = sinks::builtin(name, &SinksConfig::default()).context("the sink is compiled")?;
        let property = Property::builder("pressure", DataType::Double).unit("bar").push_methods(vec![method]).build();
        let device = Device::builder("boiler").build();
        let routes = kind.routes(&device, &property).map_err(anyhow::Error::from)?;
        let series = sinks::series(&device, &property, routes.into_iter().next().context("a route")?);
        let Ok(sink) = kind.open(series.target(), credentials).await else { bail!("the sink cannot be opened") };
        Ok(Self { sink, series, number: 0 })
    }

    fn batches(&mut self, count: usize, records: usize) -> Vec<Vec<Record>> {
        (0..count).map(|_| batch(&self.series, &mut self.number, records)).collect()
    }
}

/// Writes the same number of records in batches of both sizes, and prints how much faster the larger ones are.
async fn compare_sizes(table: &Table, name: &str, method: PushMethod, credentials: &Credentials) -> Result<()> {
    let mut ours = Ours::open(method, credentials).await?;
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (of_small, of_large) = (ours.batches(2 * BULK / BATCH, BATCH), ours.batches(2, BULK));
        small.push(time_ours(&mut ours.sink, &of_small).await?);
        large.push(time_ours(&mut ours.sink, &of_large).await?);
    }
    let (small, large) = (rate(2 * BULK, &mut small), rate(2 * BULK, &mut large));
    table.tell(&format!("{name}, batches of {BULK} beside {BATCH}"), format!("{:.2} times", large / small));
    Ok(())
}

/// Records a second in the median round.
fn rate(records: usize, times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    records as f64 / times[times.len() / 2].as_secs_f64()
}

/// Writes so many batches in each round, and prints what the median round of each side comes to, and what is kept. That is judged where it
/// has a goal, in percent.
async fn compare(
    table: &Table,
    name: &str,
    batches: usize,
    method: PushMethod,
    credentials: &Credentials,
    bare: &mut dyn Bare,
    goal: Option<f64>,
) -> Result<()> {
    let mut sink = Ours::open(method, credentials).await.with_context(|| name.to_owned())?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (for_us, for_them) = (sink.batches(batches, BATCH), sink.batches(batches, BATCH));
        ours.push(time_ours(&mut sink.sink, &for_us).await?);
        theirs.push(time_theirs(bare, &for_them).await?);
    }
    let (ours, theirs) = (rate(batches * BATCH, &mut ours), rate(batches * BATCH, &mut theirs));
    table.tell(&format!("{name}, bare client"), format!("{theirs:.0} records/s"));
    table.tell(&format!("{name}, the sink"), format!("{ours:.0} records/s"));
    let kept = ours / theirs * 100.0;
    let (what, figure) = (format!("{name}, kept"), format!("{kept:.0} %"));
    match goal {
        Some(goal) => table.judge(&what, figure, format!(">= {goal} %"), kept >= goal),
        None => table.tell(&what, figure),
    }
    Ok(())
}

fn batch(series: &Arc<Series>, number: &mut u64, records: usize) -> Vec<Record> {
    let record = |_| {
        *number += 1;
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + *number);
        sinks::record(series, *number as f64 / 8.0, time)
    };
    (0..records).map(record).collect()
}

async fn time_ours(sink: &mut BuiltinSink, batches: &[Vec<Record>]) -> Result<Duration> {
    let began = Instant::now();
    for batch in batches {
        match sink.write(batch).await {
            Ok(outcomes) if outcomes.iter().all(|outcome| *outcome == Outcome::Accepted) => {}
            other => bail!("not all was accepted: {:?}", other.map(|outcomes| outcomes.first().cloned())),
        }
    }
    Ok(began.elapsed())
}

async fn time_theirs(bare: &mut dyn Bare, batches: &[Vec<Record>]) -> Result<Duration> {
    let began = Instant::now();
    for batch in batches {
        bare.write(batch).await?;
    }
    Ok(began.elapsed())
}
