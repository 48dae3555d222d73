//! Sessions, and what drivers do in their calls.

use std::{fmt::Display, time::Duration};

use crate::model::DeviceId;

use super::{Occurrence, event::event, milliseconds};

event! {
    /// A session was opened.
    SessionOpened<'a> { device: &'a DeviceId, occurrence: Occurrence }
    first INFO "connected" [%device];
    again DEBUG "connected again" [%device];
    count sessions.opened of device;
}

event! {
    /// An attempt to open a session failed.
    ConnectFailed<'a> {
        device: &'a DeviceId,
        error: &'a dyn Display,
        attempt: u32,
        pause: Duration,
        occurrence: Occurrence,
    }
    first WARN "cannot connect, and will try again" [%device, attempt, pause_ms = milliseconds(pause), %error];
    again DEBUG "still cannot connect" [%device, attempt, pause_ms = milliseconds(pause), %error];
    count sessions.connects_failed of device;
}

event! {
    /// A session cannot be used any more.
    SessionLost<'a> { device: &'a DeviceId, reason: &'a dyn Display, occurrence: Occurrence }
    first WARN "session lost, and will connect again" [%device, %reason];
    again DEBUG "session lost again" [%device, %reason];
    count sessions.lost of device;
}

event! {
    /// The device closed a session that had worked. No failure: many devices close a connection on which nothing is asked for a while.
    SessionRenewed<'a> { device: &'a DeviceId, reason: &'a dyn Display }
    log DEBUG "the device has closed its session, and is connected to anew" [%device, %reason];
    count sessions.renewed of device;
}

event! {
    /// A call into the driver took too long, and was dropped.
    DeadlineMissed<'a> { device: &'a DeviceId, operation: &'a str, deadline: Duration, occurrence: Occurrence }
    first WARN "the driver missed its deadline" [%device, operation, deadline_ms = milliseconds(deadline)];
    again DEBUG "the driver missed its deadline again" [%device, operation, deadline_ms = milliseconds(deadline)];
    count sessions.deadlines_missed of device;
}

event! {
    /// A call into the driver panicked.
    DriverPanicked<'a> { device: &'a DeviceId, operation: &'a str, panic: &'a str, occurrence: Occurrence }
    first ERROR "the driver panicked" [%device, operation, panic];
    again DEBUG "the driver panicked again" [%device, operation, panic];
    count sessions.driver_panics of device;
}

event! {
    /// A call into the driver has not returned from a poll for a while.
    DriverBlocks<'a> { device: &'a DeviceId, operation: &'a str, after: Duration }
    log WARN "the driver blocks a worker thread, and all devices on it: it needs spawn_blocking"
        [%device, operation, after_ms = milliseconds(after)];
    count sessions.driver_blocks of device;
}

event! {
    /// A call that blocked has returned. It was counted when it began to.
    DriverUnblocked<'a> { device: &'a DeviceId, operation: &'a str, took: Duration }
    log INFO "the driver has given back the worker thread that it blocked" [%device, operation, took_ms = milliseconds(took)];
}

event! {
    /// Nobody looks whether drivers block.
    WatchdogMissing<'a> { error: &'a dyn Display }
    log WARN "no thread can be started: a driver that blocks will not be noticed" [%error];
    count framework.task_deaths;
}

event! {
    /// Sessions did not close in time when the mapper stopped.
    ClosingCutOff { devices: usize, patience: Duration }
    log WARN "sessions have not closed in time, and are cut off" [devices, patience_ms = milliseconds(patience)];
    count sessions.deadlines_missed += devices as u64;
}
