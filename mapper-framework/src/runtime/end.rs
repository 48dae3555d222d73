//! Why a session has ended.

use std::fmt;

use crate::driver::DriverError;

/// Why a session has ended, and with that what follows.
#[derive(Debug)]
pub(super) enum End {
    /// The device is removed, or the mapper stops.
    Stopped,
    /// The device is to be connected to in another way.
    Reconfigured,
    /// The driver has found the connection closed. After a session that has worked, that is no failure: many devices close idle
    /// connections.
    Closed(String),
    /// The connection can no longer be trusted: a deadline was missed, or the driver panicked.
    Lost(String),
    /// The connection looks sound, and yet the device does not answer on it.
    Silent(String),
}

impl End {
    /// The end of a session on which nothing more will be delivered.
    pub(super) fn of_deliveries(error: &DriverError) -> Self {
        if error.is_disconnected() { Self::Closed(error.to_string()) } else { Self::Lost(error.to_string()) }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the device is stopped"),
            Self::Reconfigured => f.write_str("the device is connected to anew"),
            Self::Closed(reason) | Self::Lost(reason) | Self::Silent(reason) => f.write_str(reason),
        }
    }
}
