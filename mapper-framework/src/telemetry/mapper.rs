//! The mapper as a whole.

use std::path::Path;

use crate::model::DeviceId;

use super::event::event;

event! {
    /// edgecore can call the mapper.
    Listening<'a> { socket: &'a Path }
    log INFO "listening for edgecore" [socket = %socket.display()];
}

event! {
    /// The HTTP server answers.
    HttpListening<'a> { url: &'a str }
    log INFO "the page and the API are served" [url];
}

event! {
    /// The mapper was asked to stop, or cannot go on.
    Stopping {}
    log INFO "stopping" [];
}

event! {
    /// The mapper has stopped, with last values of so many devices not reported.
    ReportsCutOff { devices: usize }
    log WARN "stopped with devices whose last values were not reported in time" [unreported = devices];
    count reports.devices_unreported += devices as u64;
}

event! {
    /// The task of a device died.
    DeviceTaskDied<'a> { device: &'a DeviceId }
    log ERROR "the device's task died and is started again: this is a defect of the framework" [%device];
    count framework.task_deaths;
}
