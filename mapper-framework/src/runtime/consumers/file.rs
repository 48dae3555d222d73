//! `stream: file`: records frames to a ring of files on disk. Whatever writes is done on a thread that may block, one frame at a time;
//! frames that come meanwhile are skipped, and the newest one counts.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use crate::{
    backoff::Backoff,
    model::RecordRules,
    recording::{FileName, RecordError, Recorder, Written},
    stream::Frame,
    telemetry::{
        Damper,
        streams::{FramesUnrecorded, RecordingFailed, RecordingWorks, RecordingsMended},
    },
};

use super::{ConsumerContext, ConsumerOrder};

/// How often it is looked whether a video is to end; and, while none is written, whether a file is too old.
const BUSY: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(60);

/// The pauses between attempts to record again after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often that frames are lost is counted, at the most.
const COUNTED: u64 = 1000;

/// Answers to an order of recording, until the file has begun.
type Waiting = tokio::sync::oneshot::Sender<Result<String, String>>;

/// What wakes it.
enum Event {
    Stopped,
    Frame(Arc<Frame>),
    Order(ConsumerOrder),
    Clock,
}

/// Records until it is stopped, and leaves whole files.
pub(super) async fn run(rules: &RecordRules, context: &mut ConsumerContext) {
    let mut filing = Filing::new(rules, context);
    filing.open().await;
    loop {
        match filing.next().await {
            Event::Stopped => break,
            Event::Frame(frame) => filing.frame(frame).await,
            Event::Order(ConsumerOrder::Snapshot(frame, answer)) => {
                let outcome = filing.snapshot(frame).await;
                // Who asked may have given up.
                answer.send(outcome).ok();
            }
            Event::Order(ConsumerOrder::Record(duration, answer)) => filing.record(duration, answer).await,
            Event::Clock => filing.tick().await,
        }
    }
    filing.finish().await;
}

struct Filing<'a> {
    rules: &'a RecordRules,
    context: &'a mut ConsumerContext,
    /// `None` after a failure, until it is opened again; and while another thread has it.
    recorder: Option<Recorder>,
    /// When it is opened again.
    retry: Instant,
    pauses: Backoff,
    failures: Damper,
    /// Why the last attempt failed.
    failure: String,
    /// When the clock is to be looked at.
    due: Instant,
    /// Frames that were lost and are not counted yet.
    lost: u64,
    lost_at: Option<Instant>,
    waiting: Option<Waiting>,
}

impl<'a> Filing<'a> {
    fn new(rules: &'a RecordRules, context: &'a mut ConsumerContext) -> Self {
        let now = Instant::now();
        Self {
            rules,
            context,
            recorder: None,
            retry: now,
            pauses: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            failures: Damper::default(),
            failure: String::new(),
            due: now,
            lost: 0,
            lost_at: None,
            waiting: None,
        }
    }

    async fn next(&mut self) -> Event {
        let ConsumerContext { frames, orders, stop, .. } = &mut *self.context;
        tokio::select! {
            biased;
            () = stop.cancelled() => Event::Stopped,
            Some(order) = orders.recv() => Event::Order(order),
            () = sleep_until(self.due) => Event::Clock,
            frame = frames.next() => frame.map_or(Event::Stopped, Event::Frame),
        }
    }

    /// Opens the ring, and makes whole what was torn.
    async fn open(&mut self) {
        let (recordings, rules) = (self.context.recordings.clone(), self.rules.clone());
        let (device, property) = (self.context.device.clone(), Arc::clone(&self.context.property));
        let opened = spawn_blocking(move || recordings.open(&device, &property, &rules)).await;
        match opened.unwrap_or(Err(RecordError::Panicked)) {
            Ok((recorder, mended)) => {
                self.mended(mended);
                let newest = recorder.newest().cloned();
                self.recorder = Some(recorder);
                if !self.rules.is_continuous {
                    // No frame would show it.
                    self.works();
                }
                self.show(newest);
            }
            Err(error) => self.failed(&error),
        }
    }

    fn mended(&self, files: usize) {
        if files > 0 {
            let (device, property) = (&self.context.device, &*self.context.property);
            self.context.telemetry.emit(RecordingsMended { device, property, files: files as u64 });
        }
    }

    async fn frame(&mut self, frame: Arc<Frame>) {
        self.forget_order();
        let now = self.context.recordings.now();
        if self.recorder.is_none() && self.retry <= Instant::now() {
            self.open().await;
        }
        let Some(recorder) = &self.recorder else { return self.lose_if_due() };
        if !recorder.wants(now) {
            return;
        }
        let rate = self.rate();
        if let Some(written) = self.with(move |recorder| recorder.frame(&frame, rate, now)).await {
            self.wrote(written);
        } else {
            self.lose();
        }
    }

    /// How many frames come in a second, as far as it is known.
    fn rate(&self) -> Option<f64> {
        let status = self.context.frames.status();
        let granted = status.granted.and_then(|format| format.get_frames_per_second());
        granted.or((status.frames_per_second > 0.0).then_some(status.frames_per_second))
    }

    async fn snapshot(&mut self, frame: Arc<Frame>) -> Result<String, String> {
        let now = self.context.recordings.now();
        if self.recorder.is_none() {
            self.open().await;
        }
        let written = self.with(move |recorder| recorder.snapshot(&frame, now)).await;
        let name = written.ok_or_else(|| self.failure.clone())?;
        let uri = self.context.recordings.uri(&self.context.device, &name);
        self.wrote(Written { finished: Some(name), has_frame: true, ..Written::default() });
        Ok(uri)
    }

    async fn record(&mut self, duration: Duration, answer: Waiting) {
        let now = self.context.recordings.now();
        if self.recorder.is_none() {
            self.open().await;
        }
        match self.with(move |recorder| recorder.record(duration, now)).await {
            Some(written) => {
                self.wrote(written);
                // One that still waited has been overtaken.
                self.waiting = Some(answer);
            }
            None => {
                // Who asked may have given up.
                answer.send(Err(self.failure.clone())).ok();
            }
        }
        self.look_soon();
    }

    /// Takes back an order to record that nobody waits for any more, since no frame came in time.
    fn forget_order(&mut self) {
        if self.waiting.take_if(|waiting| waiting.is_closed()).is_some()
            && let Some(recorder) = &mut self.recorder
        {
            recorder.forget_order();
        }
    }

    async fn tick(&mut self) {
        self.count_lost();
        let now = self.context.recordings.now();
        if self.recorder.is_none() && self.retry <= Instant::now() {
            self.open().await;
        }
        if self.recorder.is_some()
            && let Some(written) = self.with(move |recorder| recorder.tick(now)).await
        {
            self.wrote(written);
        }
        self.look_soon();
    }

    /// When the clock is looked at next.
    fn look_soon(&mut self) {
        let now = Instant::now();
        self.due = match &self.recorder {
            Some(recorder) => now + if recorder.is_busy() { BUSY } else { IDLE },
            None => self.retry.max(now + BUSY),
        };
    }

    /// Finishes what was begun.
    async fn finish(&mut self) {
        let now = self.context.recordings.now();
        if self.recorder.is_some() {
            let finished = self.with(move |recorder| recorder.finish(now)).await;
            self.show(finished.flatten());
        }
        self.count_lost();
    }

    /// Calls the recorder on a thread that may block. After a failure that leaves the files other than they are known it is given up, to
    /// be opened again.
    async fn with<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Recorder) -> Result<T, RecordError> + Send + 'static,
    ) -> Option<T> {
        let mut recorder = self.recorder.take()?;
        let now = self.context.recordings.now();
        let called = spawn_blocking(move || {
            let outcome = call(&mut recorder);
            let is_kept = outcome.as_ref().map_or_else(RecordError::is_of_frame, |_| true);
            if !is_kept {
                // What can be saved of the video is. The failure counts.
                recorder.finish(now).ok();
            }
            (outcome, is_kept.then_some(recorder))
        });
        let (outcome, recorder) = called.await.unwrap_or((Err(RecordError::Panicked), None));
        self.recorder = recorder;
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn failed(&mut self, error: &RecordError) {
        let failure = format!("frames are not recorded: {error}");
        // Each frame may be wrong in the same way.
        if self.recorder.is_none() || self.failure != failure {
            let (device, property, occurrence) =
                (&self.context.device, &*self.context.property, self.failures.begins());
            self.context.telemetry.emit(RecordingFailed { device, property, error, occurrence });
        }
        self.failure = failure;
        if self.rules.is_continuous || !error.is_of_frame() {
            // A frame that was ordered alone is answered for alone.
            self.context.status.set_problem(self.failure.as_str());
        }
        if self.recorder.is_none() {
            self.retry = Instant::now() + self.pauses.next();
            self.due = self.due.min(self.retry);
        }
        if let Some(waiting) = self.waiting.take() {
            // Who asked may have given up.
            waiting.send(Err(self.failure.clone())).ok();
        }
    }

    /// The recorder has taken a frame, or had nothing to do.
    fn wrote(&mut self, written: Written) {
        if let Some(begun) = &written.begun {
            let uri = self.context.recordings.uri(&self.context.device, begun);
            // Who asked may have given up.
            self.waiting.take().map(|waiting| waiting.send(Ok(uri)));
            self.due = self.due.min(Instant::now() + BUSY);
        }
        if written.has_frame {
            // The same failure is another one then.
            self.failure.clear();
            self.works();
        }
        self.show(written.finished);
    }

    fn works(&mut self) {
        self.pauses.reset();
        if self.context.status.problem().is_some() {
            self.count_lost();
            let (device, property, occurrence) = (&self.context.device, &*self.context.property, self.failures.ends());
            self.context.telemetry.emit(RecordingWorks { device, property, occurrence });
            self.context.status.clear_problem();
        }
    }

    fn show(&self, finished: Option<FileName>) {
        if let Some(name) = finished {
            self.context.status.show(self.context.recordings.uri(&self.context.device, &name));
        }
    }

    /// Counts a frame that would have been recorded.
    fn lose_if_due(&mut self) {
        let is_due = self.lost_at.is_none_or(|at| at.elapsed() >= self.rules.every);
        if self.rules.is_continuous && is_due {
            self.lose();
        }
    }

    fn lose(&mut self) {
        (self.lost, self.lost_at) = (self.lost + 1, Some(Instant::now()));
        if self.lost >= COUNTED {
            self.count_lost();
        }
    }

    fn count_lost(&mut self) {
        let count = std::mem::take(&mut self.lost);
        if count > 0 {
            self.context.telemetry.emit(FramesUnrecorded { count });
        }
    }
}
