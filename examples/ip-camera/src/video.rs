//! From packets to frames.

use futures_util::StreamExt as _;
use mapper_framework::{ContentType, DriverError, Format, Frame, FrameSender};
use retina::{
    client::{Demuxed, Stream},
    codec::{CodecItem, ParametersRef, VideoFrame},
};

use crate::{clock::Clock, config::Transport, decoder::Decoder, rtsp::first_line};

/// After how many packets in a row that make no sense the stream is given up, where packets may be lost on the way.
const MOST_DAMAGED: u32 = 50;

/// How the video is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Jpeg,
    H264,
    H265,
}

impl Codec {
    /// That of a stream which the camera offers, if it is a video that can be taken.
    pub(crate) fn of(stream: &Stream) -> Option<Self> {
        match (stream.media(), stream.encoding_name()) {
            ("video", "jpeg") => Some(Self::Jpeg),
            ("video", "h264") => Some(Self::H264),
            ("video", "h265") => Some(Self::H265),
            _ => None,
        }
    }

    /// The name in the stream's format, and what the frames are.
    fn names(self) -> (&'static str, ContentType) {
        match self {
            Self::Jpeg => ("MJPG", ContentType::Jpeg),
            Self::H264 => ("H264", ContentType::H264),
            Self::H265 => ("H265", ContentType::H265),
        }
    }
}

/// A video that has begun.
pub(crate) struct Video {
    packets: Demuxed,
    index: usize,
    codec: Codec,
    /// Whether packets may be lost on the way.
    is_lossy: bool,
    /// Whether a key frame has come: what comes before it cannot be decoded.
    has_begun: bool,
    clock: Clock,
}

impl Video {
    pub(crate) fn new(packets: Demuxed, index: usize, codec: Codec, transport: Transport, clock: Clock) -> Self {
        Self { packets, index, codec, is_lossy: transport == Transport::Udp, has_begun: false, clock }
    }

    /// Sends frames for as long as they are wanted.
    pub(crate) async fn send(mut self, frames: FrameSender) {
        let mut granted = None;
        loop {
            match self.unless_closed(&frames).await {
                None => return,
                Some(Err(error)) => return frames.fail(error),
                Some(Ok((format, frame))) => {
                    if granted.as_ref() != Some(&format) {
                        frames.granted(format.clone());
                        granted = Some(format);
                    }
                    frames.send(frame);
                }
            }
        }
    }

    /// Has the key frames decoded for as long as pictures are wanted.
    pub(crate) async fn decode(mut self, frames: &FrameSender, mut decoder: Decoder) {
        loop {
            let Some(next) = self.unless_closed(frames).await else { return };
            if let Err(error) = next.and_then(|(_, frame)| decoder.offer(&frame)) {
                return frames.fail(error);
            }
        }
    }

    /// Whether what comes has to be decoded to be a picture.
    pub(crate) fn is_encoded(&self) -> bool {
        self.codec != Codec::Jpeg
    }

    /// The next frame; `None` when no more are wanted.
    async fn unless_closed(&mut self, frames: &FrameSender) -> Option<Result<(Format, Frame), DriverError>> {
        tokio::select! {
            () = frames.closed() => None,
            next = self.next() => Some(next),
        }
    }

    /// The next frame, and the format that the camera has at it. The reports between frames go to the clock.
    ///
    /// # Errors
    ///
    /// No more can be had.
    async fn next(&mut self) -> Result<(Format, Frame), DriverError> {
        let (mut damaged, mut last) = (0, None);
        loop {
            match self.packets.next().await {
                Some(Ok(CodecItem::VideoFrame(frame))) => {
                    self.has_begun |= frame.is_random_access_point();
                    if self.has_begun {
                        return Ok(self.frame(frame));
                    }
                }
                Some(Ok(CodecItem::Rtcp(reports))) => self.clock.read(&reports),
                // Audio and metadata are never asked for.
                Some(Ok(_)) => {}
                Some(Err(error)) if self.is_lossy && damaged < MOST_DAMAGED => {
                    damaged += 1;
                    last = Some(error);
                }
                Some(Err(error)) => return Err(lost(&first_line(&error))),
                None => {
                    let why = last.as_ref().map_or_else(|| "the camera has ended it".to_owned(), first_line);
                    return Err(lost(&why));
                }
            }
        }
    }

    fn frame(&self, frame: VideoFrame) -> (Format, Frame) {
        let (name, content_type) = self.codec.names();
        let (size, rate) = self.parameters();
        let (width, height) = size.unwrap_or_default();
        let mut format = Format::new(name, width, height);
        if let Some(rate) = rate {
            format = format.frames_per_second(rate);
        }
        let is_key = frame.is_random_access_point();
        let mut frame = Frame::new(content_type, frame.into_data()).key(is_key);
        if let Some((width, height)) = size {
            frame = frame.size(width, height);
        }
        (format, frame)
    }

    /// Size and rate of the last frame, as far as the camera says them.
    fn parameters(&self) -> (Option<(u32, u32)>, Option<f64>) {
        let Some(stream) = self.packets.streams().get(self.index) else { return (None, None) };
        let rate = stream.framerate().map(f64::from);
        let Some(ParametersRef::Video(video)) = stream.parameters() else { return (None, rate) };
        let interval = video.frame_rate().filter(|(seconds, parts)| *seconds > 0 && *parts > 0);
        let of_interval = interval.map(|(seconds, parts)| f64::from(parts) / f64::from(seconds));
        (Some(video.pixel_dimensions()), rate.or(of_interval))
    }
}

/// A stream that ends is to be opened anew.
fn lost(why: &str) -> DriverError {
    DriverError::disconnected(format_args!("no more video comes: {why}"))
}

#[cfg(test)]
mod tests;
