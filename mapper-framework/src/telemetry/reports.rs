//! Reports of twins and states to edgecore.

use std::{fmt::Display, time::Duration};

use crate::{model::DeviceId, watch::What};

use super::{Occurrence, event::event};

event! {
    /// edgecore accepted a report of a device's state, or of so many of its twins.
    ReportAccepted<'a> { device: &'a DeviceId, twins: usize }
    count reports.accepted of device;
    count reports.twins_reported of device += twins as u64;
}

event! {
    /// edgecore's limiter refused a call.
    ReportLimited {}
    log DEBUG "edgecore's limit is used up: slowing down" [];
    count reports.limited;
}

event! {
    /// edgecore refused a report for what it is. The device's reports wait for a pause, twice as long each time.
    ReportRefused<'a> { device: &'a DeviceId, error: &'a dyn Display, pause: Duration }
    log WARN "edgecore refused a report, which will be sent again after a pause" [%device, %error, ?pause];
    count reports.refused of device;
}

event! {
    /// edgecore accepted a report of a device of which it has refused the ones before.
    ReportsResumed<'a> { device: &'a DeviceId }
    log INFO "edgecore accepts reports of this device again" [%device];
}

event! {
    /// edgecore has no call for device states.
    StatesUnimplemented {}
    log INFO "this edgecore is older than v1.18 and takes no device states: none are reported" [];
}

event! {
    /// edgecore would accept the call and drop the twin.
    TwinHeldBack<'a> { device: &'a DeviceId, property: &'a str, reason: &'a dyn Display, occurrence: Occurrence }
    first ERROR "edgecore would drop this value silently: it is not reported" [%device, property, %reason];
    count reports.twins_held_back of device;
    watch Twin => What::TwinHeldBack { device: device.clone(), property: property.into(), reason: reason.to_string() };
}

event! {
    /// A call to edgecore is about to carry a twin.
    TwinReported<'a> { device: &'a DeviceId, property: &'a str, value: &'a str }
    watch Twin => What::TwinReported { device: device.clone(), property: property.into(), value: value.to_owned() };
}

event! {
    /// edgecore has accepted the call that carried a twin.
    TwinStored<'a> { device: &'a DeviceId, property: &'a str, value: &'a str }
    watch Twin => What::TwinStored { device: device.clone(), property: property.into(), value: value.to_owned() };
}
