//! Devices and their manifests.

use std::fmt::Display;

use crate::{
    model::{DeviceId, DeviceState, Doubt, ModelId, Problem},
    watch::What,
};

use super::event::event;

event! {
    /// edgecore has brought a new device.
    DeviceAdded<'a> { device: &'a DeviceId, properties: usize }
    log INFO "device added" [%device, properties];
    watch Device => What::DeviceAdded { device: device.clone() };
}

event! {
    /// edgecore has brought a device that is known, with another manifest.
    DeviceUpdated<'a> { device: &'a DeviceId }
    log INFO "device updated" [%device];
    watch Device => What::DeviceChanged { device: device.clone() };
}

event! {
    /// edgecore has removed a device.
    DeviceRemoved<'a> { device: &'a DeviceId }
    log INFO "device removed" [%device];
    watch Device => What::DeviceRemoved { device: device.clone() };
}

event! {
    /// A device was deleted while mapper and edgecore were apart.
    DeviceGone<'a> { device: &'a DeviceId }
    log WARN "edgecore no longer has this device, which was deleted while it was apart from the mapper: it is removed" [%device];
    count devices.vanished;
}

event! {
    /// edgecore names devices that are fewer, in a list that does not prove that the others are gone.
    AbsenceUnproven { devices: usize }
    log WARN "edgecore names fewer devices than the mapper has, in a list that is empty or not readable as a whole: the others are served on; \
              restart the mapper if they were deleted" [devices];
    count devices.unproven;
}

event! {
    /// edgecore has removed a device that is not there, which is as it should be.
    DeviceUnknown<'a> { device: &'a DeviceId }
    log DEBUG "device to be removed is not there" [%device];
}

event! {
    /// edgecore has removed a model that is not there, which is as it should be.
    ModelUnknown<'a> { model: &'a ModelId }
    log DEBUG "device model to be removed is not there" [%model];
}

event! {
    /// A device cannot start before its model is known.
    DeviceWaitsForModel<'a> { device: &'a DeviceId, model: &'a ModelId }
    log INFO "device waits for its model" [%device, %model];
}

event! {
    /// Part of a manifest is wrong, and is left out.
    ProblemFound<'a> { device: &'a DeviceId, problem: &'a Problem }
    log ERROR "part of the device is left out" [%device, %problem];
    count devices.problems;
}

event! {
    /// Part of a manifest works, and is probably not what was meant.
    FieldDoubted<'a> { device: &'a DeviceId, doubt: &'a Doubt }
    log WARN "part of the device's manifest is probably not what was meant" [%device, %doubt];
    count devices.doubts;
}

event! {
    /// edgecore drops every report of a device in such a namespace.
    NamespaceLost<'a> { device: &'a DeviceId, reason: &'a str }
    log ERROR "nothing of the device reaches the cloud" [%device, reason];
    count devices.problems;
}

event! {
    /// A message of edgecore's makes no device or model.
    MessageInvalid<'a> { reason: &'a dyn Display }
    log ERROR "edgecore sent what cannot be used" [%reason];
    count devices.problems;
}

event! {
    /// A device is in another state, or for another reason.
    StateChanged<'a> { device: &'a DeviceId, state: DeviceState, reason: Option<&'a str> }
    log INFO "device state" [%device, %state, reason];
    watch State => What::State { device: device.clone(), state, reason: reason.map(str::to_owned) };
}
