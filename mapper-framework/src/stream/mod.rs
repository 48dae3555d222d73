//! Streams of frames, as cameras give them: the frame, and the slot that holds the newest one.
//!
//! The newest frame counts. Whoever sends never waits, and whoever is slow skips frames, which is counted. A stream takes the memory of
//! one frame, and of one more for each reader that holds an older one.

mod feed;
mod format;
mod frame;
mod jpeg;
mod rate;
mod slot;

pub(crate) use feed::{Ending, Feed, FeedWatch, Progress};
pub use format::Format;
pub use frame::{ContentType, Frame};
pub use jpeg::jpeg_size;
pub(crate) use slot::{FrameReader, FrameSlot, StreamState, StreamStatus};
