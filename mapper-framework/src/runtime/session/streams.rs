//! The stream of a session, where the device has one: its start, its first frame, its end, and the properties that show it.

use std::{fmt::Write, future::pending, time::Duration};

use sha2::{Digest, Sha256};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    driver::{DriverError, FrameSender},
    model::{DeviceState, Method, Reading, RecordRules, Sample, StreamOrder, StreamTwin, Value},
    stream::{Ending, FeedWatch, Frame, Progress, StreamStatus},
    telemetry::{
        Occurrence,
        streams::{FramesRefused, StreamBegun, StreamOrdered, StreamStalled, StreamUnavailable},
    },
};

use super::{
    super::{
        consumers::{ConsumerOrder, Plan},
        slot::Origin,
    },
    End, LiveSession,
    writes::Called,
};

/// How long an order may wait for a frame and for the disk. It stays below the deadline of callers.
const ORDERED_WITHIN: Duration = Duration::from_secs(5);

/// How long a picture that is ordered may wait for the next frame; after that it is the newest one.
const NEXT_WITHIN: Duration = Duration::from_secs(1);

/// The least that is recorded by an order.
const SHORTEST: Duration = Duration::from_secs(1);

/// The stream of a session.
pub(super) struct LiveStream {
    /// Closes the driver's end when it is dropped.
    watch: FeedWatch,
    begun: Instant,
    /// How many frames were refused when they were looked at last, over all sessions.
    refused: u64,
    /// Whether the log shows that frames are refused.
    shown_refused: bool,
}

/// Waits for news of a stream. Safe to cancel.
pub(super) async fn changed(stream: Option<&mut LiveStream>) -> Progress {
    match stream {
        Some(stream) => stream.watch.changed().await,
        None => pending().await,
    }
}

impl LiveSession<'_> {
    /// Starts the stream if the device has one, and stops it if it has none any more.
    pub(super) async fn start_stream(&mut self) -> Result<(), End> {
        if !self.task.bound.has_stream() {
            self.stream = None;
            self.task.stream.problem = None;
        } else if self.stream.is_none() && !self.task.stream.is_stopped {
            // What is wrong with it is the device's state.
            self.open_stream().await?.ok();
        }
        Ok(())
    }

    /// Has the driver start to send frames.
    async fn open_stream(&mut self) -> Called<()> {
        let frames = &self.task.context.frames;
        let refused = frames.status().refused;
        let (feed, watch) = frames.open(self.task.context.settings.max_frame_bytes);
        let started = self.task.call("stream", self.session.stream(FrameSender::new(feed))).await?;
        match &started {
            Ok(()) => {
                let begun = Instant::now();
                self.stream = Some(LiveStream { watch, begun, refused, shown_refused: false });
            }
            Err(error) if error.is_retryable() => return Err(End::of_deliveries(error)),
            Err(error) => self.stream_is_unavailable(error),
        }
        Ok(started)
    }

    fn stream_is_unavailable(&mut self, error: &DriverError) {
        let problem =
            format!("the manifest asks for a stream (visitors.configData.stream), and there is none: {error}");
        let is_news = self.task.stream.problem.as_ref() != Some(&problem);
        let (device, occurrence) = (self.task.id(), Occurrence::first_if(is_news));
        self.task.context.telemetry.emit(StreamUnavailable { device, error, occurrence });
        self.task.context.frames.stop(Some(error.to_string()));
        self.task.stream.problem = Some(problem);
    }

    /// The first frame has come, or the driver has ended the stream.
    pub(super) fn stream_changed(&mut self, progress: Progress) -> Result<(), End> {
        match progress {
            Progress::Waiting => Ok(()),
            Progress::Streaming => {
                self.stream_begins();
                Ok(())
            }
            Progress::Ended(Ending { reason, is_disconnected }) => {
                let reason = format!("the stream has ended: {reason}");
                self.task.stream.problem = Some(reason.clone());
                Err(if is_disconnected { End::Closed(reason) } else { End::Lost(reason) })
            }
        }
    }

    fn stream_begins(&mut self) {
        let status = self.task.context.frames.status();
        let format = status.granted.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let is_news = !std::mem::replace(&mut self.task.stream.is_shown, true);
        let (device, occurrence) = (self.task.id(), Occurrence::first_if(is_news));
        self.task.context.telemetry.emit(StreamBegun { device, format: &format, occurrence });
        let was_missed = self.task.stream.problem.take().is_some();
        self.has_delivered();
        if was_missed {
            self.renew_state();
        }
        self.show_all_of_stream();
    }

    /// When the stream is looked at next: when another frame should have come.
    pub(super) fn stream_due(&self) -> Option<Instant> {
        let stream = self.stream.as_ref()?;
        let (arrived, stall) = self.stream_pulse();
        Some(arrived.unwrap_or(stream.begun) + stall)
    }

    /// When a frame has come, and after which time without another one the stream is stalled.
    fn stream_pulse(&self) -> (Option<Instant>, Duration) {
        let (arrived, stall) = self.task.context.frames.pulse();
        (arrived, self.task.bound.stall().unwrap_or(stall))
    }

    /// Looks whether frames come, and which were refused.
    ///
    /// # Errors
    ///
    /// None have come for too long.
    pub(super) fn look_at_stream(&mut self) -> Result<(), End> {
        let Some(due) = self.stream_due() else { return Ok(()) };
        let status = self.task.context.frames.status();
        self.count_refused(&status);
        if due <= Instant::now() {
            return Err(self.stream_is_stalled(&status));
        }
        if status.newest.is_some() {
            self.has_delivered();
        }
        Ok(())
    }

    fn count_refused(&mut self, status: &StreamStatus) {
        let (Some(stream), Some(reason)) = (&mut self.stream, &status.refusal) else { return };
        let count = status.refused - std::mem::replace(&mut stream.refused, status.refused);
        if count > 0 {
            let is_news = !std::mem::replace(&mut stream.shown_refused, true);
            let (device, occurrence) = (self.task.id(), Occurrence::first_if(is_news));
            self.task.context.telemetry.emit(FramesRefused { device, count, reason, occurrence });
        }
    }

    fn stream_is_stalled(&mut self, status: &StreamStatus) -> End {
        let (_, stall) = self.stream_pulse();
        let mut reason = format!("no frame has come for {stall:?}");
        if let Some(refusal) = status.refusal.as_ref().filter(|_| status.newest.is_none()) {
            // Writing to a text does not fail.
            write!(reason, ": {refusal}").ok();
        }
        let is_news = std::mem::replace(&mut self.task.stream.is_shown, false) || self.task.stream.problem.is_none();
        let (device, occurrence) = (self.task.id(), Occurrence::first_if(is_news));
        self.task.context.telemetry.emit(StreamStalled { device, reason: &reason, occurrence });
        self.task.context.frames.stall(reason.clone());
        self.task.stream.problem = Some(reason.clone());
        self.set_state(DeviceState::Unhealthy);
        self.show_all_of_stream();
        End::Silent(reason)
    }

    /// Ends the stream with its session.
    pub(super) fn end_stream(&mut self, end: &End) {
        if self.stream.is_none() {
            return;
        }
        let status = self.task.context.frames.status();
        self.count_refused(&status);
        self.stream = None;
        // Of a device that is removed nothing more is reported.
        if !matches!(end, End::Stopped) {
            self.show_all_of_stream();
        }
    }

    /// What a method does to the stream; `None` if it is the driver's.
    pub(super) fn stream_order(&self, method: &Method) -> Option<StreamOrder> {
        let records = |name: &str| {
            let mut properties = self.task.bound.properties.iter();
            properties.any(|it| it.property.name() == name && matches!(it.consumer, Some(Plan::File(_))))
        };
        StreamOrder::of(method, records).filter(|_| self.task.bound.has_stream())
    }

    /// How long an order records.
    ///
    /// # Errors
    ///
    /// The text is no such time.
    pub(super) fn seconds(text: &str) -> Result<Value, String> {
        let range = SHORTEST.as_secs_f64()..=RecordRules::LONGEST.as_secs_f64();
        let seconds = text.trim().parse().ok().filter(|seconds| range.contains(seconds));
        let expected = format!("a number of seconds from {} to {}", range.start(), range.end());
        seconds.map(Value::Double).ok_or_else(|| format!("{text:?} is not {expected}: write one"))
    }

    /// Does what a method that is the framework's orders, with the properties it was called on.
    pub(super) async fn carry_out_stream_order(
        &mut self,
        order: StreamOrder,
        arguments: &[(usize, Value)],
    ) -> Called<Vec<Value>> {
        self.task.context.telemetry.emit(StreamOrdered { device: self.task.id(), method: order.as_str() });
        match order {
            StreamOrder::Start | StreamOrder::Stop => self.switch_stream(order).await,
            StreamOrder::Snapshot | StreamOrder::Record => self.order_file(order, arguments.first()).await,
        }
    }

    /// Has a frame, or all for a time, recorded by the property that is meant, and answers with the URI of the file.
    async fn order_file(&mut self, order: StreamOrder, argument: Option<&(usize, Value)>) -> Called<Vec<Value>> {
        let property = argument.map(|(index, _)| self.task.slots[*index].property().name());
        let Some(recorder) = self.task.consumers.recorder(property) else {
            let cure = "give the device a property with stream: file in visitors.configData";
            return Ok(Err(DriverError::refused(format_args!("nothing records the device's stream: {cure}"))));
        };
        if self.stream.is_none() {
            return Ok(Err(DriverError::failed("the stream does not run: call start, or see the device's state")));
        }
        let duration = match argument {
            Some((_, Value::Double(seconds))) => Duration::try_from_secs_f64(*seconds).unwrap_or(RecordRules::UNSAID),
            _ => RecordRules::UNSAID,
        };
        let mut frames = self.task.context.frames.reader();
        let ordered = async {
            let newest = frames.next().await.ok_or("the device is gone")?;
            let (answer, answered) = oneshot::channel();
            let order = match order {
                StreamOrder::Record => ConsumerOrder::Record(duration, answer),
                // What was captured before the call may show what is no longer so.
                _ => match timeout(NEXT_WITHIN, frames.next()).await {
                    Ok(next) => ConsumerOrder::Snapshot(next.ok_or("the device is gone")?, answer),
                    Err(_) => ConsumerOrder::Snapshot(newest, answer),
                },
            };
            recorder.send(order).await.map_err(|_| "the recorder is being changed: try again")?;
            answered.await.unwrap_or_else(|_| Err("the recorder has ended: try again".to_owned()))
        };
        let patience = ORDERED_WITHIN.min(self.task.context.settings.call_timeout / 2);
        let outcome = tokio::select! {
            biased;
            () = self.task.context.stop.cancelled() => return Err(End::Stopped),
            outcome = timeout(patience, ordered) => outcome,
        };
        Ok(match outcome {
            Ok(Ok(uri)) => Ok(vec![uri.into()]),
            Ok(Err(reason)) => Err(DriverError::failed(reason)),
            Err(_) => Err(DriverError::failed(format_args!(
                "no frame could be written within {patience:?}: frames are missing, or the disk is slow"
            ))),
        })
    }

    /// Starts or stops the stream, which then remains so over sessions. Nothing happens if it is so.
    async fn switch_stream(&mut self, order: StreamOrder) -> Called<Vec<Value>> {
        self.task.stream.is_stopped = order == StreamOrder::Stop;
        if order == StreamOrder::Stop {
            self.stream = None;
            self.task.stream.problem = None;
            self.task.context.frames.stop(Some("the method stop was called".to_owned()));
        } else if self.stream.is_none()
            && let Err(error) = self.open_stream().await?
        {
            self.renew_state();
            return Ok(Err(error));
        }
        self.renew_state();
        self.show_all_of_stream();
        Ok(Ok(Vec::new()))
    }

    /// Properties of the stream, and those of the driver.
    pub(super) fn apart(&self, indices: &[usize]) -> (Vec<usize>, Vec<usize>) {
        indices.iter().partition(|&&index| self.task.slots[index].is_of_stream())
    }

    /// A consumer of the stream fails, or no longer does.
    pub(super) fn consumers_changed(&mut self) {
        self.renew_state();
        self.show_all_of_stream();
    }

    /// Publishes all properties of the stream that have a value.
    fn show_all_of_stream(&mut self) {
        let of_stream: Vec<_> = self.apart(&Vec::from_iter(0..self.task.slots.len())).0;
        self.show_stream(&of_stream);
    }

    /// Publishes properties of the stream, those that have a value.
    pub(super) fn show_stream(&mut self, indices: &[usize]) {
        let mut samples: Vec<(usize, Sample)> = Vec::with_capacity(indices.len());
        let status = self.task.context.frames.status();
        for &index in indices {
            self.task.slots[index].fresh = false;
            // One without a value has none before the first frame.
            let sample = self.stream_reading(index, &status).and_then(|reading| self.sample(index, reading));
            samples.extend(sample.ok().map(|sample| (index, sample)));
        }
        self.publish(&samples, Origin::Read);
    }

    /// What a property shows of the stream. Those that are shown together are given one status, so that they show one frame.
    ///
    /// # Errors
    ///
    /// No frame has come yet.
    pub(super) fn stream_reading(&self, index: usize, status: &StreamStatus) -> Result<Reading, DriverError> {
        let newest = || status.newest.as_deref().ok_or_else(|| DriverError::failed("no frame has come yet"));
        let twin = self.task.slots[index].bound.stream;
        let twin = twin.ok_or_else(|| DriverError::failed("the property is none of the stream"))?;
        Ok(match twin {
            StreamTwin::State => status.state.as_str().into(),
            StreamTwin::Format => {
                let granted = status.granted.as_ref();
                granted.ok_or_else(|| DriverError::failed("the device has granted no format yet"))?.to_string().into()
            }
            StreamTwin::FramesPerSecond => status.frames_per_second.into(),
            StreamTwin::Skipped => whole(status.skipped).into(),
            StreamTwin::Time => of_frame(newest()?, newest()?.rfc3339()),
            StreamTwin::Sequence => of_frame(newest()?, whole(newest()?.sequence().unwrap_or_default())),
            StreamTwin::Sha256 => of_frame(newest()?, digest(newest()?.bytes())),
            StreamTwin::Frame => return Err(DriverError::failed("its frames are pushed, and it has no value")),
            StreamTwin::Rtsp => {
                let url = self.task.consumers.value(self.task.slots[index].property().name());
                url.ok_or_else(|| DriverError::failed("the stream is not published"))?.into()
            }
            StreamTwin::File => {
                let uri = self.task.consumers.value(self.task.slots[index].property().name());
                uri.ok_or_else(|| DriverError::failed("no file has been written yet"))?.into()
            }
            StreamTwin::Uri => {
                let device = self.task.id();
                format!("/api/v2/devices/{}/{}/stream.mjpeg", device.namespace(), device.name()).into()
            }
        })
    }
}

/// A value as of the time of a frame.
fn of_frame(frame: &Frame, value: impl Into<Value>) -> Reading {
    Reading::new(value).at(frame.time())
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a text does not fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}
