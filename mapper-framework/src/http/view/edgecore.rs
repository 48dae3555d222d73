//! The way to edgecore.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The way to edgecore.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Edgecore {
    /// `connecting`, `connected` or `disconnected`.
    pub(crate) link: String,
    /// Why there is no connection.
    pub(crate) reason: Option<String>,
    /// Since when the link is so.
    pub(crate) since: Option<String>,
    /// edgecore's socket.
    pub(crate) socket: String,
    /// By which way reports go, as configured: `dmi`, `eventbus` or `auto`.
    pub(crate) via: String,
    pub(crate) budget: Budget,
    /// How many devices have something to report.
    pub(crate) queued_devices: usize,
    /// For how long the device waits that waits for the longest; `null` if none does.
    pub(crate) oldest_waiting_seconds: Option<f64>,
    /// Set while the devices' cycles need more calls than edgecore takes.
    pub(crate) exceeded: Option<Exceeded>,
}

/// The calls that edgecore takes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Budget {
    /// As configured, in the long run.
    pub(crate) calls_per_second: f64,
    /// As configured, at once after a pause.
    pub(crate) burst: u32,
    /// What edgecore takes at present, as far as its refusals show.
    pub(crate) rate_per_second: f64,
    /// How many calls may be made now.
    pub(crate) available_calls: f64,
}

/// By how much the cycles exceed the budget.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exceeded {
    /// The calls that the cycles need.
    pub(crate) needed_per_second: f64,
    /// The calls that edgecore takes.
    pub(crate) accepted_per_second: f64,
    /// How old a twin gets.
    pub(crate) staleness_seconds: f64,
    /// What would make the reports fit.
    pub(crate) cure: String,
}
