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
    /// A frame has arrived where it was pushed to.
    FramePushed { }
    count streams.frames_pushed;
}

event! {
    /// A frame was not taken where it was pushed to, or nobody was there.
    FramePushFailed<'a> {
        device: &'a DeviceId,
        property: &'a str,
        target: &'a str,
        reason: &'a str,
        occurrence: Occurrence,
    }
    first WARN "frames do not arrive: newer ones are tried" [%device, property, target, reason];
    again DEBUG "frames still do not arrive" [%device, property, target, reason];
    count streams.pushes_failed;
}

event! {
    /// Frames arrive, after none did.
    FramesArrive<'a> { device: &'a DeviceId, property: &'a str, target: &'a str, occurrence: Occurrence }
    first INFO "frames arrive again" [%device, property, target];
    again DEBUG "frames arrive" [%device, property, target];
}

event! {
    /// A media server has the first frame of a publication.
    PublicationBegun<'a> { device: &'a DeviceId, property: &'a str, url: &'a str, occurrence: Occurrence }
    first INFO "the stream is published" [%device, property, url];
    again DEBUG "the stream is published again" [%device, property, url];
    count streams.publications_begun;
}

event! {
    /// A stream could not be published, or is no longer.
    PublicationFailed<'a> { device: &'a DeviceId, property: &'a str, url: &'a str, reason: &'a str, occurrence: Occurrence }
    first WARN "the stream is not published: it is tried again" [%device, property, url, reason];
    again DEBUG "the stream is still not published" [%device, property, url, reason];
    count streams.publications_failed;
}

event! {
    /// A method was called that is the framework's.
    StreamOrdered<'a> { device: &'a DeviceId, method: &'a str }
    log DEBUG "the stream is started, stopped or recorded by a method" [%device, method];
}

event! {
    /// The task of a stream's consumer has panicked.
    ConsumerDied<'a> { device: &'a DeviceId, property: &'a str, reason: &'a str }
    log ERROR "what consumes the stream for a property has panicked, and is started again" [%device, property, reason];
    count streams.consumers_died;
}

event! {
    /// Frames cannot be recorded.
    RecordingFailed<'a> { device: &'a DeviceId, property: &'a str, error: &'a dyn Display, occurrence: Occurrence }
    first ERROR "frames are not recorded, and are lost" [%device, property, %error];
    again DEBUG "frames are still not recorded" [%device, property, %error];
    count streams.recording_failed;
}

event! {
    /// Frames were lost since they could not be recorded.
    FramesUnrecorded { count: u64 }
    count streams.frames_unrecorded += count;
}

event! {
    /// Frames are recorded again.
    RecordingWorks<'a> { device: &'a DeviceId, property: &'a str, occurrence: Occurrence }
    first INFO "frames are recorded again" [%device, property];
    again DEBUG "frames are recorded again" [%device, property];
}

event! {
    /// Files of an earlier run were not finished.
    RecordingsMended<'a> { device: &'a DeviceId, property: &'a str, files: u64 }
    log INFO "recordings were not finished at the end of the last run: videos are made whole, and what holds no whole frame is removed"
        [%device, property, files];
    count streams.recordings_mended += files;
}
