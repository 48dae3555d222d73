//! Streams of frames.

use std::fmt::Display;

use crate::model::DeviceId;

use super::{Occurrence, event::event};

event! {
    /// The first frame of a session has come.
    StreamBegun<'a> { device: &'a DeviceId, format: &'a dyn Display, occurrence: Occurrence }
    first INFO "the stream begins" [%device, %format];
    again DEBUG "the stream begins again" [%device, %format];
    count streams.begun;
}

event! {
    /// The driver has no stream, or refuses to start it.
    StreamUnavailable<'a> { device: &'a DeviceId, error: &'a dyn Display, occurrence: Occurrence }
    first WARN "the device has no stream, though its manifest asks for one" [%device, %error];
    again DEBUG "the device still has no stream" [%device, %error];
    count streams.unavailable;
}

event! {
    /// No frame has come for too long.
    StreamStalled<'a> { device: &'a DeviceId, reason: &'a dyn Display, occurrence: Occurrence }
    first WARN "the stream is stalled: the device is connected to anew" [%device, %reason];
    again DEBUG "the stream is stalled again" [%device, %reason];
    count streams.stalled;
}

event! {
    /// Frames were not taken.
    FramesRefused<'a> { device: &'a DeviceId, count: u64, reason: &'a dyn Display, occurrence: Occurrence }
    first WARN "frames are refused" [%device, count, %reason];
    again DEBUG "frames are still refused" [%device, count, %reason];
    count streams.frames_refused += count;
}

event! {
    /// The stream was started or stopped by a method.
    StreamOrdered<'a> { device: &'a DeviceId, method: &'a str }
    log DEBUG "the stream is started or stopped" [%device, method];
}
