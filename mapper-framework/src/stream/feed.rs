//! The way of one session's frames into the slot of its device.

use std::{
    future::pending,
    sync::{Arc, Weak},
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Format, Frame, FrameSlot};

/// Why a driver has ended its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) reason: String,
    /// Whether the connection to the device is lost with it.
    pub(crate) is_disconnected: bool,
}

/// How far a feed has come. One frame like another is no news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No frame has come.
    Waiting,
    /// Frames come.
    Streaming,
    /// The driver has ended the stream.
    Ended(Ending),
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Gone with the device, though a driver may hold on to its end.
    slot: Weak<FrameSlot>,
    number: u64,
    /// The most bytes of a frame.
    limit: usize,
    progress: watch::Sender<Progress>,
    /// Cancelled when the session has ended.
    closed: CancellationToken,
}

/// The session's end. The feed is closed when it is dropped.
#[derive(Debug)]
pub(crate) struct FeedWatch {
    slot: Weak<FrameSlot>,
    number: u64,
    progress: watch::Receiver<Progress>,
    _closed: DropGuard,
}

impl Feed {
    pub(super) fn new(slot: &Arc<FrameSlot>, number: u64, limit: usize) -> (Self, FeedWatch) {
        let (progress, watched) = watch::channel(Progress::Waiting);
        let (slot, closed) = (Arc::downgrade(slot), CancellationToken::new());
        let guard = closed.clone().drop_guard();
        let watch = FeedWatch { slot: Weak::clone(&slot), number, progress: watched, _closed: guard };
        (Self { slot, number, limit, progress, closed }, watch)
    }

    /// Puts a frame into the slot, or refuses it. Never waits. False when no more frames are wanted.
    pub(crate) fn send(&self, frame: Frame) -> bool {
        let Some(slot) = self.slot.upgrade().filter(|_| !self.is_closed()) else { return false };
        if matches!(&*self.progress.borrow(), Progress::Ended(_)) {
            return false;
        }
        if let Some(refusal) = frame.misfit(self.limit) {
            return slot.refuse(self.number, refusal);
        }
        let is_taken = slot.put(self.number, frame, Instant::now());
        if is_taken {
            self.progress.send_if_modified(|progress| {
                let is_first = *progress == Progress::Waiting;
                if is_first {
                    *progress = Progress::Streaming;
                }
                is_first
            });
        }
        is_taken
    }

    /// Notes what the device has granted.
    pub(crate) fn grant(&self, format: Format) {
        if let Some(slot) = self.slot.upgrade() {
            slot.grant(self.number, format);
        }
    }

    /// Ends the stream. The first reason counts.
    pub(crate) fn end(&self, ending: Ending) {
        self.progress.send_if_modified(|progress| {
            let is_first = !matches!(progress, Progress::Ended(_));
            if is_first {
                *progress = Progress::Ended(ending);
            }
            is_first
        });
    }

    /// Whether no more frames are wanted.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Waits until no more frames are wanted.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end(Ending { reason: "the driver has dropped its FrameSender".to_owned(), is_disconnected: false });
    }
}

impl FeedWatch {
    /// Waits for the first frame, and for the end. Safe to cancel.
    pub(crate) async fn changed(&mut self) -> Progress {
        match self.progress.changed().await {
            Ok(()) => self.progress.borrow_and_update().clone(),
            // The end has been seen, and nothing comes after it.
            Err(_) => pending().await,
        }
    }
}

impl Drop for FeedWatch {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.upgrade() {
            slot.close(self.number);
        }
    }
}
