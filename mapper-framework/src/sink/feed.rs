//! The way of samples into a target's queue.

use std::{fmt, sync::Arc};

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use crate::model::{ReportRules, Sample};

use super::{Record, Series, monitor::Monitor};

/// The way into a target's queue.
pub(super) struct Inlet {
    pub(super) monitor: Arc<Monitor>,
    pub(super) records: mpsc::Sender<Record>,
    /// Cancelled when all that waits for the target is given up.
    pub(super) given_up: CancellationToken,
    /// Cancelled when the worker has ended.
    pub(super) ended: CancellationToken,
}

impl Inlet {
    /// Whether some device asks for the target. The pool, which has it too, holds its lock meanwhile.
    pub(super) fn is_wanted(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }
}

/// Why a record finds no room before it has come to the worker.
const TOO_FAST: &str = "they come faster than they can be written to disk";

/// The way of one property's samples into one target's queue. The target lives as long as one of these does.
#[derive(Clone)]
pub(crate) struct Feed {
    pub(super) series: Arc<Series>,
    pub(super) inlet: Arc<Inlet>,
    /// Which samples are to go this way.
    pub(super) rules: ReportRules,
}

impl Feed {
    /// Hands on a sample. Never waits: what finds no room is lost, and counted.
    pub(crate) fn push(&self, sample: &Sample) {
        let record = Record::new(Arc::clone(&self.series), sample.value.clone(), sample.timestamp);
        let Inlet { monitor, records, .. } = &*self.inlet;
        let bytes = record.weight();
        monitor.count(|account| account.produce(1));
        if !monitor.share.reserve(bytes) {
            return monitor.dropped(1, TOO_FAST);
        }
        if let Err(refused) = records.try_send(record.with_quality(sample.quality)) {
            monitor.share.release(bytes);
            let reason = match refused {
                TrySendError::Full(_) => TOO_FAST,
                TrySendError::Closed(_) => "the target's worker has ended",
            };
            monitor.dropped(1, reason);
        }
    }

    /// Which samples are to go this way.
    pub(crate) fn rules(&self) -> &ReportRules {
        &self.rules
    }

    /// Whether the same samples go the same way by both.
    pub(crate) fn delivers_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inlet, &other.inlet) && self.series == other.series && self.rules == other.rules
    }

    /// What its records have in common.
    pub(crate) fn series(&self) -> &Arc<Series> {
        &self.series
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed({} to {})", self.series.property(), self.inlet.monitor.target)
    }
}
