//! edgecore's event bus: twins and states by the MQTT broker of the node.
//!
//! edgecore's module `eventBus` is a client of that broker. What it finds on these topics goes the same inner way as a report over DMI, without
//! a limit of calls, and edgecore answers when it is stored.
//!
//! | topic | from | payload |
//! | --- | --- | --- |
//! | `$hw/events/device/<namespace>/<device>/twin/update` | mapper | `event_id`, `timestamp`, `twin` |
//! | `$hw/events/device/<namespace>/<device>/twin/update/result` | edgecore | `event_id`, and `twin`, or `code` and `reason` |
//! | `$hw/events/device//twin/update/result` | edgecore | `code` 400: some message held what is outside of the alphabet. It names none |
//! | `$hw/events/device/<namespace>/<device>/state/update` | mapper | `event_id`, `timestamp`, `state` |
//! | `$hw/events/device/<namespace>/<device>/state/update/result` | edgecore | `device.state`, and another `event_id` |

mod connection;
mod message;

pub(crate) use connection::{BusSettings, EventBus};
pub(crate) use message::{Received, TwinValue, Verdict};
