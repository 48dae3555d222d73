//! A target of samples.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sink::SinkStatus;

/// A target of samples.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sink {
    /// Its name: the kind, and where it is.
    pub(crate) target: String,
    /// The kind, such as `redis`.
    pub(crate) kind: String,
    /// `connecting`, `up` or `down`.
    pub(crate) state: String,
    /// Why it cannot be written to.
    pub(crate) reason: Option<String>,
    pub(crate) ledger: Ledger,
    /// How many of the records under way lie on disk.
    pub(crate) spooled_records: u64,
    /// In how many bytes.
    pub(crate) spooled_bytes: u64,
}

/// What has become of the records of a target: `produced = delivered + rejected + dropped + inFlight`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ledger {
    /// Handed over by devices, and found in the spool at the start.
    pub(crate) produced: u64,
    /// The target has them.
    pub(crate) delivered: u64,
    /// The target will never take them.
    pub(crate) rejected: u64,
    /// Lost: there was no room, or they were damaged on disk.
    pub(crate) dropped: u64,
    /// In the queue, in the spool, or being written.
    pub(crate) in_flight: u64,
    /// Written again, since nobody knows whether the target has them.
    pub(crate) repeated: u64,
}

impl From<&SinkStatus> for Sink {
    fn from(status: &SinkStatus) -> Self {
        let ledger = status.ledger();
        Self {
            target: status.target().to_string(),
            kind: status.target().kind().to_owned(),
            state: status.state().as_str().to_owned(),
            reason: status.reason().map(str::to_owned),
            ledger: Ledger {
                produced: ledger.produced(),
                delivered: ledger.delivered(),
                rejected: ledger.rejected(),
                dropped: ledger.dropped(),
                in_flight: ledger.in_flight(),
                repeated: ledger.repeated(),
            },
            spooled_records: status.spooled_records(),
            spooled_bytes: status.spooled_bytes(),
        }
    }
}
