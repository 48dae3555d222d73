//! The mapper as a whole.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The mapper as a whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mapper {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The version of mapper-framework.
    pub(crate) framework_version: String,
    pub(crate) protocol: String,
    pub(crate) started: String,
    /// The clock of the mapper.
    pub(crate) now: String,
    pub(crate) uptime_seconds: f64,
    pub(crate) devices: States,
    pub(crate) sinks: SinkStates,
    /// The link to edgecore: `connecting`, `connected` or `disconnected`.
    pub(crate) edgecore: String,
    /// How many problems there are, see `/api/v2/problems`.
    pub(crate) problems: usize,
    /// `enabled`, `dryRun` or `readOnly`.
    pub(crate) writes: String,
    /// Whether there is a way to write over TCP: a token or client certificates are configured.
    pub(crate) writable: bool,
}

/// How many devices are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct States {
    pub(crate) total: usize,
    pub(crate) ok: usize,
    pub(crate) online: usize,
    pub(crate) offline: usize,
    pub(crate) disconnected: usize,
    pub(crate) unhealthy: usize,
    pub(crate) unknown: usize,
}

/// How many targets of samples are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SinkStates {
    pub(crate) total: usize,
    pub(crate) connecting: usize,
    pub(crate) up: usize,
    pub(crate) down: usize,
}
