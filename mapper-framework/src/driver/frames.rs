//! What a driver puts the frames of its device into.

use std::future::Future;

use crate::stream::{Ending, Feed, Format, Frame};

use super::DriverError;

/// Takes the frames of one session, which [`Session::stream`](crate::Session::stream) is given. It may be moved to a thread of its own.
///
/// The newest frame counts: a frame takes the place of the one before it, whether or not somebody has read that. So nobody slows the
/// capture down, and a stream takes the memory of one frame, and of one more for each reader that is busy with an older one. Whoever is
/// too slow skips frames, which the property with `stream: skipped` counts.
///
/// ```
/// use mapper_framework::{ContentType, Format, Frame, FrameSender};
///
/// fn capture(frames: FrameSender, mut next: impl FnMut() -> std::io::Result<Vec<u8>>) {
///     frames.granted(Format::new("MJPG", 1280, 720).frames_per_second(30.0));
///     while !frames.is_closed() {
///         match next() {
///             Ok(bytes) => {
///                 frames.send(Frame::new(ContentType::Jpeg, bytes).size(1280, 720));
///             }
///             Err(error) => return frames.fail(error),
///         }
///     }
/// }
/// ```
///
/// Dropping it ends the stream, and with it the session, as [`fail`](Self::fail) does.
#[derive(Debug)]
pub struct FrameSender(Feed);

impl FrameSender {
    pub(crate) fn new(feed: Feed) -> Self {
        Self(feed)
    }

    /// Sends a frame. Never waits. Returns whether more frames are wanted; where not, end the capture.
    ///
    /// A frame of more bytes than `driver.max_frame_bytes`, 16 MiB by default, is refused, and so is one that does not begin as its
    /// content type does. Both are logged and counted, and the stream goes on.
    pub fn send(&self, frame: Frame) -> bool {
        self.0.send(frame)
    }

    /// Sets what the device has granted, for the properties with `stream: format`, and for the time after which the stream is stalled.
    /// May be called again when it changes.
    pub fn granted(&self, format: Format) {
        self.0.grant(format);
    }

    /// Ends the stream, and with it the session. The device is then connected to anew, as after an error of
    /// [`Session::changed`](crate::Session::changed).
    pub fn fail(&self, error: impl Into<DriverError>) {
        let error = error.into();
        self.0.end(Ending { reason: error.to_string(), is_disconnected: error.is_disconnected() });
    }

    /// Whether no more frames are wanted: the session has ended, or the stream was stopped.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until no more frames are wanted. Safe to cancel.
    pub fn closed(&self) -> impl Future<Output = ()> + Send {
        self.0.closed()
    }
}
