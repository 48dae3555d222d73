//! Writes, calls of methods, and desired values.

use std::fmt::Display;

use crate::{
    model::DeviceId,
    watch::{DesiredPhase, What},
};

use super::event::event;

event! {
    /// A write succeeded. What the property was known to have before, and was read to have after, is empty where it is not known.
    Written<'a> { device: &'a DeviceId, property: &'a str, old: &'a str, new: &'a str, origin: &'a str, read_back: &'a str }
    log INFO "written" [%device, property, old, new, origin, read_back];
    count writes.succeeded of device, property;
}

event! {
    /// A write failed, or nobody knows what came of it.
    WriteFailed<'a> {
        device: &'a DeviceId, property: &'a str, old: &'a str, new: &'a str, origin: &'a str, error: &'a dyn Display,
    }
    log WARN "a write failed" [%device, property, old, new, origin, %error];
    count writes.failed of device, property;
}

event! {
    /// A write was not made, since it is a dry run.
    WriteRehearsed<'a> { device: &'a DeviceId, property: &'a str, old: &'a str, new: &'a str, origin: &'a str }
    log INFO "dry run: not written" [%device, property, old, new, origin];
}

event! {
    /// Something stands in the way of a write: it waits.
    WriteWaits<'a> { device: &'a DeviceId, property: &'a str, new: &'a str, reason: &'a str }
    log WARN "a write waits" [%device, property, new, reason];
    count writes.waiting of device, property;
    watch Desired => desired_phase(device, property, new, DesiredPhase::Pending, Some(reason));
}

event! {
    /// A call of a method succeeded.
    MethodCalled<'a> { device: &'a DeviceId, method: &'a str, arguments: &'a str, results: &'a str, origin: &'a str }
    log INFO "called" [%device, method, arguments, results, origin];
    count writes.succeeded of device;
}

event! {
    /// A call of a method failed, or nobody knows what came of it.
    MethodFailed<'a> { device: &'a DeviceId, method: &'a str, arguments: &'a str, origin: &'a str, error: &'a dyn Display }
    log WARN "a call failed" [%device, method, arguments, origin, %error];
    count writes.failed of device;
}

event! {
    /// A desired value is new, and is to be written.
    DesiredPending<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str, reason: Option<&'a str> }
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Pending, reason);
}

event! {
    /// The device has taken the desired value, and is to be read.
    DesiredWritten<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str }
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Written, None);
}

event! {
    /// The device was found to have the desired value.
    DesiredConverged<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str }
    log INFO "the device has the desired value" [%device, property, desired];
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Converged, None);
}

event! {
    /// The device has taken the desired value, and reads otherwise.
    DesiredUnconfirmed<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str, reads: &'a str }
    log WARN "written, but the device reads otherwise" [%device, property, desired, reads];
    count writes.unconfirmed of device, property;
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Written, Some(&format!("the device reads {reads}")));
}

event! {
    /// The device has lost a desired value that is enforced.
    DesiredLost<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str, reads: &'a str }
    log WARN "the device has lost the desired value: it is written again" [%device, property, desired, reads];
    count writes.lost of device, property;
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Pending, Some(&format!("the device reads {reads}")));
}

event! {
    /// The desired value cannot be written, and is given up until it changes.
    DesiredRefused<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str, reason: &'a str }
    log ERROR "the desired value is refused" [%device, property, desired, reason];
    count writes.desired_refused of device, property;
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Refused, Some(reason));
}

event! {
    /// The desired value was not written in time, and is given up until it changes.
    DesiredExpired<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str }
    log WARN "the desired value has expired" [%device, property, desired];
    count writes.desired_expired of device, property;
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Expired, None);
}

event! {
    /// The desired value is not written until it changes.
    DesiredHeld<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str, phase: DesiredPhase, reason: &'a str }
    log WARN "the desired value is not written" [%device, property, desired, reason];
    count writes.desired_held of device, property;
    watch Desired => desired_phase(device, property, desired, phase, Some(reason));
}

event! {
    /// A mapper that ran before has left the desired value there.
    DesiredResumed<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str, phase: DesiredPhase }
    watch Desired => desired_phase(device, property, desired, phase, None);
}

event! {
    /// The desired value was taken back.
    DesiredWithdrawn<'a> { device: &'a DeviceId, property: &'a str, desired: &'a str }
    log INFO "the desired value is withdrawn" [%device, property, desired];
    watch Desired => desired_phase(device, property, desired, DesiredPhase::Withdrawn, None);
}

fn desired_phase(device: &DeviceId, property: &str, desired: &str, phase: DesiredPhase, reason: Option<&str>) -> What {
    let reason = reason.map(str::to_owned);
    What::Desired { device: device.clone(), property: property.into(), desired: desired.to_owned(), phase, reason }
}
