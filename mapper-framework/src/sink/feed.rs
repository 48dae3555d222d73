//! The way of samples into a target's queue.

use std::{fmt, sync::Arc};

use crate::model::{ReportRules, Sample};

use super::{Record, Series, inlet::Inlet};

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
        self.inlet.take(record.with_quality(sample.quality));
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
