//! Which edgecore the double is like.

use std::path::Path;
#[cfg(feature = "eventbus")]
use std::time::Duration;

use super::{
    LocalEdge, LocalEdgeError,
    quirks::{Authority, Limit, Quirks},
};

/// Sets up a [`LocalEdge`]; by default one like KubeEdge v1.23.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct LocalEdgeBuilder {
    quirks: Quirks,
}

impl LocalEdgeBuilder {
    /// Sets whether a restart forgets the mappers, as before v1.23; not by default.
    pub fn forgets_mappers_on_restart(mut self, forgets: bool) -> Self {
        self.quirks.forgets_mappers = forgets;
        self
    }

    /// Answers `ReportDeviceStates` with `UNIMPLEMENTED`, as before v1.18.
    pub fn without_device_states(mut self) -> Self {
        self.quirks.device_states = false;
        self
    }

    /// Sends each device once more, unchanged but for its twins, after each of its reports, as older edgecores do.
    pub fn updates_after_every_report(mut self) -> Self {
        self.quirks.updates_after_reports = true;
        self
    }

    /// Calls mappers with their bare socket path as `:authority`, as grpc-go 1.53 does (KubeEdge v1.16). By default the path
    /// is percent-encoded, as by grpc-go 1.67 (v1.21 and later).
    pub fn raw_path_authority(mut self) -> Self {
        self.quirks.authority = Authority::Raw;
        self
    }

    /// Sets the budget that all calls of all mappers share; 100 at once and then one per second by default.
    pub fn limiter(mut self, burst: u32, per_second: f64) -> Self {
        self.quirks.limit = Some(Limit { burst, per_second });
        self
    }

    /// Takes any number of calls. No edgecore does: a mapper that needs this will not work on a node.
    pub fn without_limiter(mut self) -> Self {
        self.quirks.limit = None;
        self
    }

    /// Gives the node an event bus: an MQTT broker on a free port of the loopback device, at
    /// [`LocalEdge::event_bus`], to which the edge is connected while it runs. By default there is none.
    #[cfg(feature = "eventbus")]
    pub fn event_bus(mut self) -> Self {
        self.quirks.bus.exists = true;
        self
    }

    /// Sets how long the edge works on each message of the event bus, one at a time; zero by default. A real node needs 1 to
    /// 50 ms.
    #[cfg(feature = "eventbus")]
    pub fn event_bus_takes(mut self, each: Duration) -> Self {
        self.quirks.bus.takes = each;
        self
    }

    /// Subscribes to topics without a namespace only, as before v1.16.2: on the event bus no device can be addressed, and
    /// nothing is answered.
    #[cfg(feature = "eventbus")]
    pub fn without_namespaces_on_the_event_bus(mut self) -> Self {
        self.quirks.bus.namespaces = false;
        self
    }

    /// Starts the edge on `dmi.sock` in a folder, which is created if it is not there. The socket of an earlier run is replaced.
    ///
    /// # Errors
    ///
    /// The folder or the socket cannot be created, or the socket's path is longer than 107 bytes.
    pub async fn start(self, folder: impl AsRef<Path>) -> Result<LocalEdge, LocalEdgeError> {
        LocalEdge::start(self.quirks, folder.as_ref()).await
    }
}
