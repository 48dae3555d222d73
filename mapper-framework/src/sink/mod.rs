//! Where samples go besides the twin: brokers and databases.
//!
//! A property's `pushMethod` names its targets, any number of them. For each distinct target there is one worker with one
//! connection, which delivers in batches, at least once, and in order for each property. What cannot be delivered yet waits in a
//! bounded queue and then in a bounded log on disk, the spool. Per target the [`Ledger`] counts what has become of every record.
//!
//! | kind | Cargo feature | history |
//! | --- | --- | --- |
//! | `http` | `sink-http` | |
//! | `influxdb2` | `sink-influxdb2` | yes |
//! | `mqtt` | `sink-mqtt` | |
//! | `mysql` | `sink-mysql` | yes |
//! | `otel` | `sink-otel` | |
//! | `redis` | `sink-redis` | yes |
//! | `tdengine` | `sink-tdengine` | yes |
//!
//! A sink of your own implements [`SinkKind`] and [`Sink`], and is registered by [`MapperBuilder::sink`](crate::MapperBuilder::sink).
//!
//! # Payload
//!
//! mqtt, http and redis streams carry one JSON document for each record:
//!
//! ```json
//! {"version":1,"namespace":"plant","device":"boiler","property":"pressure","value":2.5,"type":"DOUBLE","unit":"bar",
//!  "timestamp":1700000000123,"quality":"good"}
//! ```
//!
//! | key | what |
//! | --- | --- |
//! | `version` | 1. A reader should refuse a version that it does not know; new keys come without a new version |
//! | `namespace`, `device`, `property` | the names |
//! | `value` | in its own JSON type: `INT` an integer, `FLOAT` and `DOUBLE` a number, `BOOLEAN` true or false, `STRING` text; `BYTES`, and `STREAM` where it is bytes, text in URL-safe base64 without padding, as in a twin |
//! | `type` | the property's type in KubeEdge's words: `INT`, `FLOAT`, `DOUBLE`, `STRING`, `BOOLEAN`, `BYTES`, `STREAM` |
//! | `unit` | from the device model; absent when it names none |
//! | `timestamp` | when the value was read, in milliseconds since 1970 UTC |
//! | `quality` | `good`, `uncertain` or `bad` |

#[allow(dead_code, reason = "which sinks are compiled decides")]
mod access;
mod budget;
#[allow(dead_code, reason = "which sinks are compiled decides")]
mod buffer;
mod clock;
mod codec;
mod connection;
mod contract;
mod disk;
mod doubt;
mod endpoint;
mod erased;
mod error;
mod feed;
#[cfg(feature = "sink-http")]
mod findings;
mod folder;
mod frames;
mod history;
mod inlet;
mod kinds;
mod ledger;
mod log;
mod monitor;
mod payload;
mod pool;
mod record;
mod registry;
mod shelf;
mod spell;
mod target;
#[cfg(feature = "_http")]
#[allow(dead_code, reason = "which sinks are compiled decides")]
mod web;
mod worker;

#[cfg(test)]
mod tests;

pub use crate::model::Credentials;
pub(crate) use access::Access;
pub use contract::{Outcome, Sink, SinkKind};
pub use endpoint::Endpoint;
pub(crate) use erased::{ErasedKind, ErasedSink, erase};
pub use error::{RouteError, SinkError};
pub(crate) use feed::Feed;
#[cfg(feature = "sink-http")]
pub(crate) use findings::post_findings;
pub(crate) use frames::{FrameLine, FrameRoute};
pub use history::{HistoryError, HistoryRequest, Point, Query};
pub(crate) use kinds::{all as all_kinds, for_frames as frame_kinds};
pub use ledger::Ledger;
pub use monitor::{SinkState, SinkStatus};
pub(crate) use pool::{MediaServer, Sinks};
pub use record::{Record, Series};
pub(crate) use registry::{routes, strangers, unique};
pub use target::{Route, Target};

/// Without HTTP a manifest that names an endpoint is refused, and nothing is found for one.
#[cfg(not(feature = "sink-http"))]
pub(crate) fn post_findings(
    findings: tokio::sync::mpsc::Receiver<crate::hook::Finding>,
    _config: &crate::config::SinksConfig,
    _telemetry: crate::telemetry::Telemetry,
) -> impl Future<Output = ()> + Send + use<> {
    async { drop(findings) }
}
