//! Which samples twins and sinks get, unless a manifest says otherwise.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ReportConfig, SinksConfig};
use crate::model::{ReportRules, Strategy};

/// When a twin gets a sample (`reportStrategy` in a manifest).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReportStrategy {
    /// Each time.
    Always,
    /// When its value or its quality has changed.
    #[default]
    OnChange,
}

/// When a sink gets a sample (`pushStrategy` in a manifest).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum PushStrategy {
    /// Each time.
    #[default]
    Always,
    /// When its value or its quality has changed.
    OnChange,
    /// When the straight line between the samples that the sink got would lie too far from one that it did not get.
    SwingingDoor,
}

/// After which time of silence a value is sent in any case, unless somebody says otherwise.
pub(crate) const MAX_SILENCE: Duration = Duration::from_secs(300);

impl ReportConfig {
    /// What holds for twins.
    pub(crate) fn rules(&self) -> ReportRules {
        ReportRules {
            strategy: match self.strategy {
                ReportStrategy::Always => Strategy::Always,
                ReportStrategy::OnChange => Strategy::OnChange,
            },
            deadband: self.deadband,
            deadband_percent: self.deadband_percent,
            min_interval: self.min_interval,
            max_silence: Some(self.max_silence),
            error_bound: 0.0,
        }
    }
}

impl SinksConfig {
    /// What holds for sinks.
    pub(crate) fn rules(&self) -> ReportRules {
        ReportRules {
            strategy: match self.push_strategy {
                PushStrategy::Always => Strategy::Always,
                PushStrategy::OnChange => Strategy::OnChange,
                PushStrategy::SwingingDoor => Strategy::SwingingDoor,
            },
            deadband: self.push_deadband,
            deadband_percent: self.push_deadband_percent,
            min_interval: self.push_min_interval,
            max_silence: Some(self.push_max_silence),
            error_bound: self.push_error_bound,
        }
    }
}
