//! How much a sink keeps of what its client library can do: both write the same batches to the same server, in turn.

mod mqtt;
mod mysql;
mod redis;

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

/// Rounds of each side.
const ROUNDS: usize = 7;

/// What of the bare client's pace is to be kept, in percent.
const GOAL: f64 = 80.0;

/// A bare client library, as somebody would use it who writes batches with it.
#[async_trait]
pub(crate) trait Bare {
    async fn write(&mut self, batch: &[Record]) -> Result<()>;
}

pub(crate) async fn run() -> Result<()> {
    let table = Table::new(&format!("sinks beside their bare client libraries, batches of {BATCH}"));
    redis::run(&table).await?;
    mqtt::run(&table).await?;
    mysql::run(&table).await
}

/// Writes so many batches in each round, and prints what the median round of each side comes to.
async fn compare(
    table: &Table,
    name: &str,
    batches: usize,
    method: PushMethod,
    credentials: &Credentials,
    bare: &mut dyn Bare,
) -> Result<()> {
    let kind = sinks::builtin(name, &SinksConfig::default()).context("the sink is compiled")?;
    let property = Property::builder("pressure", DataType::Double).unit("bar").push_methods(vec![method]).build();
    let device = Device::builder("boiler").build();
    let route = kind.routes(&device, &property).map_err(anyhow::Error::from)?.into_iter().next().context("a route")?;
    let series = sinks::series(&device, &property, route);
    let Ok(mut sink) = kind.open(series.target(), credentials).await else { bail!("{name} cannot be opened") };
    let (mut ours, mut theirs, mut number) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let batches: Vec<_> = (0..2 * batches).map(|_| batch(&series, &mut number)).collect();
        let (for_us, for_them) = batches.split_at(batches.len() / 2);
        ours.push(time_ours(&mut sink, for_us).await?);
        theirs.push(time_theirs(bare, for_them).await?);
    }
    let rate = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        (batches * BATCH) as f64 / times[times.len() / 2].as_secs_f64()
    };
    let (ours, theirs) = (rate(&mut ours), rate(&mut theirs));
    let kept = ours / theirs * 100.0;
    table.tell(&format!("{name}, bare client"), format!("{theirs:.0} records/s"));
    table.tell(&format!("{name}, the sink"), format!("{ours:.0} records/s"));
    table.judge(&format!("{name}, kept"), format!("{kept:.0} %"), format!(">= {GOAL} %"), kept >= GOAL);
    Ok(())
}

fn batch(series: &Arc<Series>, number: &mut u64) -> Vec<Record> {
    let record = |_| {
        *number += 1;
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + *number);
        sinks::record(series, *number as f64 / 8.0, time)
    };
    (0..BATCH).map(record).collect()
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
