//! How long rows are kept: older ones are deleted beside the delivery, over a connection of their own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mysql_async::{Conn, Opts, Result, prelude::Queryable as _};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::telemetry::{Damper, Telemetry, sinks::RetentionFailed};

use super::{
    connection::{is_missing_table, sink_error},
    layout::quoted,
};

/// The most rows that one statement deletes, so that it holds its locks for a moment only.
const ROWS: u64 = 1_000;

/// What is left to others between two statements.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest time from one round to the next.
const ROUND: Duration = Duration::from_secs(600);

/// Where rows are deleted, and how old they become.
pub(super) struct Retention {
    pub(super) options: Opts,
    pub(super) database: String,
    /// Not zero.
    pub(super) keep: Duration,
    /// The target, as the log names it.
    pub(super) target: String,
    pub(super) telemetry: Telemetry,
}

/// The tables from which old rows are deleted, by their quoted names, until this is dropped.
pub(super) struct Keeper {
    tables: Arc<Mutex<BTreeSet<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Keeper {
    pub(super) fn start(retention: Retention) -> Self {
        let tables = Arc::<Mutex<BTreeSet<String>>>::default();
        let task = tokio::spawn(retention.run(Arc::clone(&tables)));
        Self { tables, _task: AbortOnDropHandle::new(task) }
    }

    /// These are written to.
    pub(super) fn note<'a>(&self, names: impl Iterator<Item = &'a String>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if !tables.contains(name) {
                tables.insert(name.clone());
            }
        }
    }
}

impl Retention {
    async fn run(self, tables: Arc<Mutex<BTreeSet<String>>>) {
        let round = (self.keep / 10).clamp(Duration::from_secs(1), ROUND);
        let mut damper = Damper::default();
        loop {
            sleep(round).await;
            let names: Vec<_> = tables.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
            if names.is_empty() {
                continue;
            }
            match self.delete_from(names).await {
                Ok(()) => _ = damper.ends(),
                Err(error) => {
                    let (reason, occurrence) = (sink_error(error).to_string(), damper.begins());
                    self.telemetry.emit(RetentionFailed { target: &self.target, reason: &reason, occurrence });
                }
            }
        }
    }

    async fn delete_from(&self, tables: Vec<String>) -> Result<()> {
        let mut client = Conn::new(self.options.clone()).await?;
        client.query_drop(format!("USE {}", quoted(&self.database))).await?;
        for table in tables {
            match self.delete_old(&mut client, &table).await {
                Err(error) if !is_missing_table(&error) => return Err(error),
                _ => {}
            }
        }
        client.disconnect().await
    }

    async fn delete_old(&self, client: &mut Conn, table: &str) -> Result<()> {
        if client.exec_first::<mysql_async::Row, _, _>(find_index(table), ()).await?.is_none() {
            client.query_drop(add_index(table)).await?;
        }
        let seconds = i64::try_from(self.keep.as_secs().max(1)).unwrap_or(i64::MAX);
        loop {
            client.exec_drop(delete(table), (seconds, ROWS)).await?;
            if client.affected_rows() < ROWS {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }
}

/// An index that begins with the time. Without one each round would read the whole table.
fn find_index(table: &str) -> String {
    format!("SHOW INDEX FROM {table} WHERE `Column_name` = 'ts' AND `Seq_in_index` = 1")
}

/// InnoDB makes it while rows are inserted.
fn add_index(table: &str) -> String {
    format!("CREATE INDEX `ts` ON {table} (`ts`)")
}

/// By the server's clock: that of a node that has lost the time would delete all, or nothing.
fn delete(table: &str) -> String {
    format!("DELETE FROM {table} WHERE `ts` < UTC_TIMESTAMP(3) - INTERVAL ? SECOND ORDER BY `ts` LIMIT ?")
}
