//! Reads, and what devices deliver by themselves.

use std::fmt::Display;

use crate::{model::DeviceId, watch::What};

use super::{Occurrence, event::event};

event! {
    /// A round of reads, or a delivery, left out ticks: the one before took longer than the cycle.
    TicksSkipped<'a> { device: &'a DeviceId, count: u64 }
    log DEBUG "ticks skipped: a read takes longer than its cycle" [%device, count];
    count reads.ticks_skipped of device += count;
}

event! {
    /// A property could not be read.
    ReadFailed<'a> { device: &'a DeviceId, property: &'a str, error: &'a dyn Display, occurrence: Occurrence }
    first WARN "reads fail" [%device, property, %error];
    count reads.failed of device, property;
    watch Read => (occurrence == Occurrence::First).then(|| What::ReadFailed {
        device: device.clone(), property: property.into(), reason: error.to_string()
    });
}

event! {
    /// A property that could not be read can be read again.
    ReadRecovered<'a> { device: &'a DeviceId, property: &'a str, occurrence: Occurrence }
    first INFO "reads succeed again" [%device, property];
    watch Read => (occurrence == Occurrence::First).then(|| What::ReadRecovered {
        device: device.clone(), property: property.into()
    });
}

event! {
    /// Properties begin to fail together by one error. Each is counted with its [`ReadFailed`].
    RoundFailed<'a> { device: &'a DeviceId, properties: usize, error: &'a dyn Display }
    log WARN "a round of reads fails as a whole" [%device, properties, %error];
    count reads.rounds_failed of device;
}

event! {
    /// All properties that failed together can be read again.
    RoundRecovered<'a> { device: &'a DeviceId }
    log INFO "rounds of reads succeed again" [%device];
}

event! {
    /// The driver delivered a property that the device does not have.
    ReadingUnknown<'a> { device: &'a DeviceId, property: &'a str, occurrence: Occurrence }
    first WARN "the driver delivers a property that the device does not have: it is ignored" [%device, property];
    count reads.failed of device;
}
