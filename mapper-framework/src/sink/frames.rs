//! Frames of a stream on their way to a target. The newest one counts, so that nothing waits for its turn: a frame is pushed or it is not,
//! and no spool, no batch and no ledger knows of it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    model::{DeviceId, Property},
    stream::Frame,
};

use super::{
    Route, SinkError,
    connection::{Connection, Dialer},
};

/// A frame, whose it is, and where it goes.
#[derive(Debug)]
#[cfg_attr(not(any(feature = "sink-http", feature = "sink-mqtt")), allow(dead_code))]
pub(crate) struct PushedFrame {
    pub(crate) frame: Arc<Frame>,
    pub(crate) device: DeviceId,
    pub(crate) property: Arc<str>,
    pub(crate) route: Route,
}

/// Where the frames of a property go by one of its push methods. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct FrameRoute {
    dialer: Dialer,
    route: Route,
    device: DeviceId,
    property: Arc<str>,
    longest_pause: Duration,
}

impl FrameRoute {
    pub(super) fn new(
        dialer: Dialer,
        route: Route,
        device: &DeviceId,
        property: &Property,
        longest_pause: Duration,
    ) -> Self {
        Self { dialer, route, device: device.clone(), property: property.shared_name(), longest_pause }
    }

    /// The longest pause between two attempts: `sinks.backoff_max`.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.longest_pause
    }

    /// A line to there, which is not connected yet.
    pub(crate) fn line(self) -> FrameLine {
        FrameLine { route: self, connection: None }
    }
}

impl PartialEq for FrameRoute {
    fn eq(&self, other: &Self) -> bool {
        (&self.route, &self.device, &self.property) == (&other.route, &other.device, &other.property)
    }
}

impl fmt::Debug for FrameRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameRoute").field("route", &self.route).finish_non_exhaustive()
    }
}

/// The kind, and the host where it is known: `mqtt broker:1883`.
impl fmt::Display for FrameRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.route.target().kind();
        match self.dialer.kind.endpoint(self.route.target()) {
            Some(endpoint) => write!(f, "{kind} {endpoint}"),
            None => f.write_str(kind),
        }
    }
}

/// A line to a target, for one frame at a time.
pub(crate) struct FrameLine {
    route: FrameRoute,
    connection: Option<Connection>,
}

impl FrameLine {
    /// Pushes a frame, and connects before that if need be. Each of the two has the deadline `sinks.write_timeout`. When the future is
    /// dropped, the connection is cut.
    ///
    /// # Errors
    ///
    /// The frame has not arrived, as far as is known. The next one is tried on the same connection, or on a new one.
    pub(crate) async fn push(&mut self, frame: Arc<Frame>) -> Result<(), SinkError> {
        let FrameRoute { dialer, route, device, property, .. } = &self.route;
        let (device, property, route) = (device.clone(), Arc::clone(property), route.clone());
        let pushed = PushedFrame { frame, device, property, route };
        let (connection, outcome) = dialer.push(self.connection.take(), &pushed).await;
        self.connection = connection;
        outcome
    }

    /// Closes the connection, if there is one.
    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }
}
