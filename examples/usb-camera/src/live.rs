//! What a session and the thread that captures for it know of each other.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use mapper_framework::Format;
use tokio::sync::watch;

/// Shared by the two; neither waits for the other.
#[derive(Debug)]
pub(crate) struct Live {
    /// The wanted rate. Another one makes the thread open its source anew.
    rate: watch::Sender<f64>,
    /// How many frames have been sent.
    frames: watch::Sender<u64>,
    /// How many were damaged.
    damaged: AtomicU64,
    /// What the source has granted. Locked to copy it.
    granted: Mutex<Option<Format>>,
}

impl Live {
    pub(crate) fn new(rate: f64) -> Self {
        let (rate, frames) = (watch::Sender::new(rate), watch::Sender::new(0));
        Self { rate, frames, damaged: AtomicU64::new(0), granted: Mutex::default() }
    }

    pub(crate) fn rate(&self) -> watch::Receiver<f64> {
        self.rate.subscribe()
    }

    pub(crate) fn set_rate(&self, rate: f64) {
        self.rate.send_if_modified(|before| std::mem::replace(before, rate).to_bits() != rate.to_bits());
    }

    pub(crate) fn frames(&self) -> watch::Receiver<u64> {
        self.frames.subscribe()
    }

    pub(crate) fn count_frame(&self) {
        self.frames.send_modify(|frames| *frames += 1);
    }

    /// Counts a damaged frame, and returns whether it is the first one.
    pub(crate) fn count_damaged(&self) -> bool {
        self.damaged.fetch_add(1, Ordering::Relaxed) == 0
    }

    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    pub(crate) fn grant(&self, format: Format) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = Some(format);
    }

    /// The rate that was granted, or else the wanted one.
    pub(crate) fn granted_rate(&self) -> f64 {
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.as_ref().and_then(Format::get_frames_per_second).unwrap_or_else(|| *self.rate.borrow())
    }
}
