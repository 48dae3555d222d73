//! The newest frame of a device, and who waits for it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Feed, FeedWatch, Format, Frame, rate::Rate};

/// The state of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StreamState {
    /// No session gives frames: there is none, it was stopped, or its first frame has not come.
    #[default]
    Stopped,
    /// Frames come.
    Streaming,
    /// Frames should come, and none have come for too long.
    Stalled,
}

impl StreamState {
    /// The word for it in a twin.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Streaming => "streaming",
            Self::Stalled => "stalled",
        }
    }
}

/// The slot of a device. It lives as long as the device and outlives its sessions, each of which feeds it by a [`Feed`] of its own.
#[derive(Debug)]
pub(crate) struct FrameSlot {
    /// Locked for a moment by whoever sends or reads.
    current: watch::Sender<Current>,
    skipped: Arc<AtomicU64>,
}

/// What is in the slot.
#[derive(Debug, Default)]
struct Current {
    state: StreamState,
    /// Why no frames come, where there is something to say.
    reason: Option<String>,
    /// The number of the feed that may send. The senders of earlier sessions may still be in the hands of a driver.
    feed: u64,
    granted: Option<Format>,
    newest: Option<Arc<Frame>>,
    /// How many frames were taken since the device was added, and by this feed.
    taken: u64,
    taken_by_feed: u64,
    arrived: Option<Instant>,
    rate: Rate,
    refused: u64,
    /// Why the last one was refused.
    refusal: Option<String>,
}

/// The stream of a device at one moment.
#[derive(Clone, Debug)]
pub(crate) struct StreamStatus {
    pub(crate) state: StreamState,
    /// Why no frames come, where there is something to say.
    pub(crate) reason: Option<String>,
    pub(crate) granted: Option<Format>,
    pub(crate) newest: Option<Arc<Frame>>,
    pub(crate) frames_per_second: f64,
    /// How many frames readers were too slow for.
    pub(crate) skipped: u64,
    /// How many frames were not taken, and why the last one was not.
    pub(crate) refused: u64,
    pub(crate) refusal: Option<String>,
}

impl FrameSlot {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { current: watch::Sender::default(), skipped: Arc::default() })
    }

    /// Opens the feed of a new session, and ends that of an earlier one. Frames of more than `limit` bytes are refused.
    pub(crate) fn open(self: &Arc<Self>, limit: usize) -> (Feed, FeedWatch) {
        let mut number = 0;
        self.current.send_modify(|current| {
            current.feed += 1;
            if current.state == StreamState::Stopped {
                current.reason = None;
            }
            (current.granted, current.newest, current.arrived) = (None, None, None);
            (current.taken_by_feed, current.rate, current.refusal) = (0, Rate::default(), None);
            number = current.feed;
        });
        Feed::new(self, number, limit)
    }

    /// Ends a feed, unless another one has been opened since. A stream that is stalled remains so until frames come again.
    pub(super) fn close(&self, feed: u64) {
        self.end(Some(feed), |current| {
            if current.state == StreamState::Streaming {
                (current.state, current.reason) = (StreamState::Stopped, None);
            }
        });
    }

    /// Notes that no frames come any more though they should.
    pub(crate) fn stall(&self, reason: String) {
        self.end(None, |current| (current.state, current.reason) = (StreamState::Stalled, Some(reason)));
    }

    /// Notes that no frames are to come.
    pub(crate) fn stop(&self, reason: Option<String>) {
        self.end(None, |current| (current.state, current.reason) = (StreamState::Stopped, reason));
    }

    /// A frame that is out of date is not kept: nobody should take it for the present.
    fn end(&self, feed: Option<u64>, note: impl FnOnce(&mut Current)) {
        self.current.send_if_modified(|current| {
            if feed.is_some_and(|feed| feed != current.feed) {
                return false;
            }
            note(current);
            current.feed += 1;
            (current.newest, current.rate) = (None, Rate::default());
            true
        });
    }

    /// Puts a frame into the slot. False if the feed is no longer the present one.
    pub(super) fn put(&self, feed: u64, frame: Frame, now: Instant) -> bool {
        self.current.send_if_modified(|current| {
            if current.feed != feed {
                return false;
            }
            current.taken += 1;
            current.taken_by_feed += 1;
            current.newest = Some(Arc::new(frame.numbered(current.taken_by_feed)));
            current.arrived = Some(now);
            current.rate.count(now);
            (current.state, current.reason) = (StreamState::Streaming, None);
            true
        })
    }

    /// Notes a frame that cannot be taken. False if the feed is no longer the present one.
    pub(super) fn refuse(&self, feed: u64, refusal: String) -> bool {
        let mut is_open = false;
        // Nobody waits for it.
        self.current.send_if_modified(|current| {
            is_open = current.feed == feed;
            if is_open {
                current.refused += 1;
                current.refusal = Some(refusal);
            }
            false
        });
        is_open
    }

    /// Notes what the device has granted.
    pub(super) fn grant(&self, feed: u64, format: Format) {
        self.current.send_if_modified(|current| {
            if current.feed == feed {
                current.granted = Some(format);
            }
            false
        });
    }

    pub(crate) fn state(&self) -> StreamState {
        self.current.borrow().state
    }

    /// When a frame of the present feed has come, and after which time another one is due, unless the manifest says otherwise.
    pub(crate) fn pulse(&self) -> (Option<Instant>, Duration) {
        let current = self.current.borrow();
        (current.arrived, Format::stall(current.granted.as_ref()))
    }

    /// The stream at this moment.
    pub(crate) fn status(&self) -> StreamStatus {
        self.current.borrow().status(&self.skipped)
    }

    /// Reads the stream from now on, the newest frame included.
    pub(crate) fn reader(&self) -> FrameReader {
        FrameReader { current: self.current.subscribe(), last: None, skipped: Arc::clone(&self.skipped) }
    }
}

impl Current {
    fn status(&self, skipped: &AtomicU64) -> StreamStatus {
        StreamStatus {
            state: self.state,
            reason: self.reason.clone(),
            granted: self.granted.clone(),
            newest: self.newest.clone(),
            frames_per_second: self.rate.per_second(Instant::now()),
            skipped: skipped.load(Relaxed),
            refused: self.refused,
            refusal: self.refusal.clone(),
        }
    }
}

/// Reads the frames of a device, always the newest one. It outlives the device's sessions, and ends with the device.
#[derive(Clone)]
pub(crate) struct FrameReader {
    current: watch::Receiver<Current>,
    /// How many frames had been taken with the last one that was read.
    last: Option<u64>,
    skipped: Arc<AtomicU64>,
}

impl FrameReader {
    /// Waits for a frame newer than the last one. `None` when the device is gone. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Option<Arc<Frame>> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            self.current.changed().await.ok()?;
        }
    }

    /// Leaves out what came before the newest frame, on purpose: that is not counted.
    pub(crate) fn pass_over(&mut self) {
        let taken = self.current.borrow().taken;
        self.last = self.last.map(|last| last.max(taken.saturating_sub(1)));
    }

    /// The stream at this moment.
    pub(crate) fn status(&self) -> StreamStatus {
        self.current.borrow().status(&self.skipped)
    }

    fn take(&mut self) -> Option<Arc<Frame>> {
        let current = self.current.borrow_and_update();
        if self.last == Some(current.taken) {
            return None;
        }
        let frame = current.newest.clone()?;
        let missed = self.last.map_or(0, |last| current.taken - last - 1);
        self.skipped.fetch_add(missed, Relaxed);
        self.last = Some(current.taken);
        Some(frame)
    }
}

impl fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameReader").field("last", &self.last).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Weak, time::SystemTime};

    use futures_util::FutureExt;

    use super::*;
    use crate::stream::{ContentType, Ending, Progress};

    const LIMIT: usize = 100;

    fn jpeg(mark: u8) -> Frame {
        Frame::new(ContentType::Jpeg, vec![0xff, 0xd8, mark])
    }

    fn mark(frame: &Frame) -> u8 {
        frame.bytes()[2]
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_frame_counts_and_who_is_slow_skips() {
        let slot = FrameSlot::new();
        let (feed, _watch) = slot.open(LIMIT);
        let (mut fast, mut slow) = (slot.reader(), slot.reader());
        for number in 1..=100 {
            assert!(feed.send(jpeg(number)));
            assert_eq!(fast.next().await.map(|frame| mark(&frame)), Some(number));
            if number % 10 == 0 {
                assert_eq!(slow.next().await.map(|frame| mark(&frame)), Some(number));
            }
        }
        assert!(fast.next().now_or_never().is_none(), "a frame is read once");
        assert_eq!(slot.status().skipped, 9 * 9, "what came before its first frame was not for the slow one");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_passed_over_on_purpose_is_not_counted() {
        let slot = FrameSlot::new();
        let (feed, _watch) = slot.open(LIMIT);
        let mut reader = slot.reader();
        reader.pass_over();
        for number in 1..=3 {
            feed.send(jpeg(number));
        }
        assert_eq!(reader.next().await.map(|frame| mark(&frame)), Some(3));
        reader.pass_over();
        assert!(reader.next().now_or_never().is_none(), "a frame is read once");
        for number in 4..=9 {
            feed.send(jpeg(number));
        }
        reader.pass_over();
        assert_eq!(reader.next().await.map(|frame| mark(&frame)), Some(9), "the newest one is there yet");
        for number in 10..=12 {
            feed.send(jpeg(number));
        }
        assert_eq!(reader.next().await.map(|frame| mark(&frame)), Some(12));
        assert_eq!(slot.status().skipped, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_never_reads_costs_one_frame() {
        let slot = FrameSlot::new();
        let (feed, _watch) = slot.open(LIMIT);
        let mut lazy = slot.reader();
        feed.send(jpeg(0));
        let held = lazy.next().await.expect("there is a frame");
        let mut sent: Vec<Weak<Frame>> = Vec::new();
        for number in 1..=200 {
            assert!(feed.send(jpeg(number)));
            sent.extend(slot.status().newest.as_ref().map(Arc::downgrade));
        }
        let alive = sent.iter().filter(|frame| frame.strong_count() > 0).count();
        assert_eq!((alive, mark(&held)), (1, 0), "the newest in the slot, and the one that is held");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_has_ended_cannot_send_any_more() {
        let slot = FrameSlot::new();
        let (old, watch) = slot.open(LIMIT);
        assert!(old.send(jpeg(1)));
        drop(watch);
        assert!(old.is_closed() && !old.send(jpeg(2)));
        old.closed().await;
        let status = slot.status();
        assert_eq!((status.state, status.newest.is_none()), (StreamState::Stopped, true));
        let (new, _watch) = slot.open(LIMIT);
        assert!(!old.send(jpeg(3)) && new.send(jpeg(4)));
        assert_eq!(slot.reader().next().await.map(|frame| mark(&frame)), Some(4));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_numbered_by_the_session_unless_the_camera_does() {
        let slot = FrameSlot::new();
        let (feed, _watch) = slot.open(LIMIT);
        let mut reader = slot.reader();
        let mut numbers = Vec::new();
        for frame in [jpeg(1), jpeg(2), jpeg(3).number(40).at(SystemTime::UNIX_EPOCH)] {
            feed.send(frame);
            numbers.push(reader.next().await.and_then(|frame| frame.sequence()));
        }
        assert_eq!(numbers, [Some(1), Some(2), Some(40)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_large_or_garbage_is_refused_and_counted() {
        let slot = FrameSlot::new();
        let (feed, _watch) = slot.open(LIMIT);
        assert!(feed.send(Frame::new(ContentType::Jpeg, vec![0xff; LIMIT + 1])), "the stream goes on");
        assert!(feed.send(Frame::new(ContentType::Jpeg, b"garbage".to_vec())));
        let status = slot.status();
        assert_eq!((status.refused, status.newest.is_none(), status.state), (2, true, StreamState::Stopped));
        assert!(status.refusal.is_some_and(|refusal| refusal.contains("is no image/jpeg")));
        assert!(feed.send(jpeg(1)) && slot.status().state == StreamState::Streaming);
    }

    #[tokio::test(start_paused = true)]
    async fn the_watch_learns_of_the_first_frame_and_of_the_end_with_its_reason() {
        let slot = FrameSlot::new();
        let (feed, mut watch) = slot.open(LIMIT);
        assert!(watch.changed().now_or_never().is_none());
        assert!((0..100).all(|number| feed.send(jpeg(number))));
        assert_eq!(watch.changed().await, Progress::Streaming);
        assert!(watch.changed().now_or_never().is_none(), "one frame like another is no news");
        let cut = Ending { reason: "the cable is cut".to_owned(), is_disconnected: true };
        feed.end(cut.clone());
        feed.end(Ending { reason: "later".to_owned(), is_disconnected: false });
        assert_eq!(watch.changed().await, Progress::Ended(cut));
        assert!(!feed.send(jpeg(1)), "the stream has ended");
        let (dropped, mut watch) = slot.open(LIMIT);
        drop(dropped);
        assert!(matches!(watch.changed().await, Progress::Ended(ending) if ending.reason.contains("dropped")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_ends_with_the_device_though_a_driver_still_has_its_sender() {
        let slot = FrameSlot::new();
        let (feed, _watch) = slot.open(LIMIT);
        let mut reader = slot.reader();
        assert!(feed.send(jpeg(1)) && reader.next().await.is_some());
        drop(slot);
        assert!(reader.next().await.is_none() && !feed.send(jpeg(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_stream_shows_no_old_frame_and_remains_stalled_until_frames_come() {
        let slot = FrameSlot::new();
        let (feed, _first) = slot.open(LIMIT);
        feed.grant(Format::new("MJPG", 640, 480).frames_per_second(30.0));
        feed.send(jpeg(1));
        slot.stop(Some("it was stopped".to_owned()));
        assert_eq!(slot.status().reason.as_deref(), Some("it was stopped"));
        let (feed, watch) = slot.open(LIMIT);
        assert_eq!((slot.status().state, slot.status().reason), (StreamState::Stopped, None), "it is started again");
        feed.send(jpeg(1));
        slot.stall("no frame for 5s".to_owned());
        assert!(!feed.send(jpeg(2)));
        drop(watch);
        let status = slot.status();
        assert_eq!((status.state, status.reason.as_deref()), (StreamState::Stalled, Some("no frame for 5s")));
        assert!(status.newest.is_none());
        let (feed, _watch) = slot.open(LIMIT);
        assert_eq!(slot.status().state, StreamState::Stalled);
        feed.send(jpeg(3));
        assert_eq!((slot.status().state, slot.status().reason), (StreamState::Streaming, None));
    }
}
