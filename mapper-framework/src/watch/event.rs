//! The events that can be watched.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use crate::model::{AnomalyRule, DeviceId, DeviceState, Sample, Value};

use super::Kind;

/// Something that has happened. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Event(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sequence: u64,
    time: SystemTime,
    what: What,
    /// Its text for those who follow it from outside, made for the first of them and shared by all.
    text: OnceLock<String>,
}

impl Event {
    pub(super) fn new(sequence: u64, time: SystemTime, what: What) -> Self {
        Self(Arc::new(Inner { sequence, time, what, text: OnceLock::new() }))
    }

    /// Its number. Numbers grow with time and are the same for all watches; a filter leaves some out.
    pub fn sequence(&self) -> u64 {
        self.0.sequence
    }

    /// When it happened, by the clock of the mapper.
    pub fn time(&self) -> SystemTime {
        self.0.time
    }

    /// What has happened.
    pub fn what(&self) -> &What {
        &self.0.what
    }

    /// Its text, which is made once, however many ask for it.
    pub(crate) fn text(&self, make: impl FnOnce(&Self) -> String) -> &str {
        self.0.text.get_or_init(|| make(self))
    }
}

/// What can happen. Sinks are named as in [`SinkStatus`](crate::sink::SinkStatus).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// This watch was not read for so long that events were dropped from it: those up to this one's number.
    #[non_exhaustive]
    Missed {
        /// How many events that the filter lets through.
        events: u64,
    },
    /// edgecore has brought a new device.
    #[non_exhaustive]
    DeviceAdded {
        /// The device.
        device: DeviceId,
    },
    /// edgecore has brought another manifest of a device.
    #[non_exhaustive]
    DeviceChanged {
        /// The device.
        device: DeviceId,
    },
    /// edgecore has removed a device.
    #[non_exhaustive]
    DeviceRemoved {
        /// The device.
        device: DeviceId,
    },
    /// A device is in another state, or for another reason.
    #[non_exhaustive]
    State {
        /// The device.
        device: DeviceId,
        /// Its state now.
        state: DeviceState,
        /// Why, where there is something to say.
        reason: Option<String>,
    },
    /// A value was read, or delivered by a device.
    Sample(Sample),
    /// A property can no longer be read, or what the device delivers of it cannot be used. One that comes and goes is an event every ten
    /// minutes.
    #[non_exhaustive]
    ReadFailed {
        /// The device.
        device: DeviceId,
        /// The property.
        property: Arc<str>,
        /// The error.
        reason: String,
    },
    /// A property that could not be read can be read again.
    #[non_exhaustive]
    ReadRecovered {
        /// The device.
        device: DeviceId,
        /// The property.
        property: Arc<str>,
    },
    /// A value broke a rule of the anomaly detection.
    #[non_exhaustive]
    Anomaly {
        /// The device.
        device: DeviceId,
        /// The property.
        property: Arc<str>,
        /// The rule, of several the worst.
        rule: AnomalyRule,
        /// The value.
        value: Value,
        /// What was wrong with it.
        detail: String,
        /// [`Occurrence::First`] if the value before was sound, or broke another rule.
        occurrence: Occurrence,
    },
    /// A desired value has come closer to the device, or will never get there.
    #[non_exhaustive]
    Desired {
        /// The device.
        device: DeviceId,
        /// The property.
        property: Arc<str>,
        /// The desired value, as the manifest has it.
        desired: String,
        /// Where it stands.
        phase: DesiredPhase,
        /// Why, unless the device has it.
        reason: Option<String>,
    },
    /// A call to edgecore carries a twin.
    #[non_exhaustive]
    TwinReported {
        /// The device.
        device: DeviceId,
        /// The property.
        property: Arc<str>,
        /// The reported value, as edgecore gets it.
        value: String,
    },
    /// edgecore has accepted the call that carried a twin. DMI confirms no more than that.
    #[non_exhaustive]
    TwinStored {
        /// The device.
        device: DeviceId,
        /// The property.
        property: Arc<str>,
        /// The reported value, as edgecore has it.
        value: String,
    },
    /// A twin was not reported, since edgecore would drop it silently.
    #[non_exhaustive]
    TwinHeldBack {
        /// The device.
        device: DeviceId,
        /// The property.
        property: Arc<str>,
        /// What edgecore would not take.
        reason: String,
    },
    /// A sink is connected.
    #[non_exhaustive]
    SinkUp {
        /// The target.
        target: String,
    },
    /// A sink cannot be written to, or for another reason than before. Its records wait.
    #[non_exhaustive]
    SinkDown {
        /// The target.
        target: String,
        /// Why.
        reason: String,
    },
    /// A sink has refused a record for good.
    #[non_exhaustive]
    SinkRejected {
        /// The target.
        target: String,
        /// The device of the record.
        device: DeviceId,
        /// The property of the record.
        property: Arc<str>,
        /// The target's reason.
        reason: String,
    },
    /// Records for a sink are lost: there was no room for them, or they were damaged on disk.
    #[non_exhaustive]
    SinkLost {
        /// The target.
        target: String,
        /// How many.
        records: u64,
        /// Why.
        reason: String,
    },
    /// edgecore has registered the mapper.
    EdgeConnected,
    /// The connection to edgecore has ended, or cannot be made. The mapper keeps trying.
    #[non_exhaustive]
    EdgeDisconnected {
        /// Why.
        reason: String,
    },
    /// The cycles need more calls than edgecore accepts: twins are reported less often.
    #[non_exhaustive]
    BudgetExceeded {
        /// Calls a second that the cycles need.
        needed: f64,
        /// Calls a second that edgecore accepts.
        accepted: f64,
        /// How old a reported value gets.
        staleness: Duration,
    },
}

/// Whether something has just begun or goes on. What goes on is counted each time, and logged when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Occurrence {
    /// It begins, or has another reason than before.
    First,
    /// It goes on as before.
    Again,
}

impl Occurrence {
    pub(crate) fn first_if(first: bool) -> Self {
        if first { Self::First } else { Self::Again }
    }
}

/// Where a desired value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DesiredPhase {
    /// The device does not have it yet, and it is to be written.
    Pending,
    /// The device has taken it, and was not read to have it.
    Written,
    /// The device has it.
    Converged,
    /// It cannot be written, and is given up until it changes.
    Refused,
    /// It was not written in time, and is given up until it changes.
    Expired,
    /// It is not written until it changes.
    Held,
    /// It was taken back.
    Withdrawn,
}

impl DesiredPhase {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Written => "written",
            Self::Converged => "converged",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Held => "held",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl fmt::Display for DesiredPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl What {
    /// Its kind; `None` for [`Missed`](Self::Missed), which every filter lets through.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Missed { .. } => return None,
            Self::DeviceAdded { .. } | Self::DeviceChanged { .. } | Self::DeviceRemoved { .. } => Kind::Device,
            Self::State { .. } => Kind::State,
            Self::Sample(_) => Kind::Sample,
            Self::ReadFailed { .. } | Self::ReadRecovered { .. } => Kind::Read,
            Self::Anomaly { .. } => Kind::Anomaly,
            Self::Desired { .. } => Kind::Desired,
            Self::TwinReported { .. } | Self::TwinStored { .. } | Self::TwinHeldBack { .. } => Kind::Twin,
            Self::SinkUp { .. } | Self::SinkDown { .. } | Self::SinkRejected { .. } | Self::SinkLost { .. } => {
                Kind::Sink
            }
            Self::EdgeConnected | Self::EdgeDisconnected { .. } => Kind::Edge,
            Self::BudgetExceeded { .. } => Kind::Budget,
        })
    }

    /// The device that it is about, if it is about one.
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::DeviceAdded { device }
            | Self::DeviceChanged { device }
            | Self::DeviceRemoved { device }
            | Self::State { device, .. }
            | Self::ReadFailed { device, .. }
            | Self::ReadRecovered { device, .. }
            | Self::Anomaly { device, .. }
            | Self::Desired { device, .. }
            | Self::TwinReported { device, .. }
            | Self::TwinStored { device, .. }
            | Self::TwinHeldBack { device, .. }
            | Self::SinkRejected { device, .. } => Some(device),
            Self::Sample(sample) => Some(&sample.device),
            Self::Missed { .. }
            | Self::SinkUp { .. }
            | Self::SinkDown { .. }
            | Self::SinkLost { .. }
            | Self::EdgeConnected
            | Self::EdgeDisconnected { .. }
            | Self::BudgetExceeded { .. } => None,
        }
    }

    /// The property that it is about, if it is about one.
    pub fn property(&self) -> Option<&str> {
        match self {
            Self::Sample(sample) => Some(sample.property.name()),
            Self::ReadFailed { property, .. }
            | Self::ReadRecovered { property, .. }
            | Self::Anomaly { property, .. }
            | Self::Desired { property, .. }
            | Self::TwinReported { property, .. }
            | Self::TwinStored { property, .. }
            | Self::TwinHeldBack { property, .. }
            | Self::SinkRejected { property, .. } => Some(property),
            _ => None,
        }
    }
}
