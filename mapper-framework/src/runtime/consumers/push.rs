//! Pushes the frames of a stream to where the property's `pushMethod` says: the newest one, one at a time, at a rate of its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    pin, select,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    model::DeviceId,
    sink::{FrameLine, FrameRoute, SinkError},
    stream::{Frame, FrameReader},
    telemetry::{
        Occurrence, Telemetry,
        streams::{FramePushFailed, FramePushed, FramesArrive},
    },
};

use super::{super::news::News, ConsumerContext, status::Status};

/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Where frames go, and how often.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::runtime) struct PushPlan {
    /// The shortest time from one frame to the next.
    pub(in crate::runtime) every: Duration,
    /// At least one.
    pub(in crate::runtime) routes: Vec<FrameRoute>,
}

/// Pushes frames until the consumer is stopped. The targets are served side by side.
pub(super) async fn run(plan: &PushPlan, context: &mut ConsumerContext) {
    let health = Health::new(&context.status, plan.routes.len());
    let pushers = plan.routes.iter().enumerate().map(|(index, route)| {
        let pusher = Pusher {
            line: route.clone().line(),
            target: route.to_string(),
            every: plan.every,
            frames: context.frames.clone(),
            backoff: Backoff::new(FIRST_PAUSE, route.longest_pause()),
            device: &context.device,
            property: &context.property,
            telemetry: &context.telemetry,
            health: &health,
            index,
            reasons: News::default(),
            shown: Shown::Nothing,
        };
        pusher.run(&context.stop)
    });
    join_all(pushers).await;
}

/// What the targets of one property come to for its status.
struct Health<'a> {
    status: &'a Status,
    /// By the index of the target: why nothing arrives there. Held for a moment.
    problems: Mutex<Vec<Option<String>>>,
}

impl<'a> Health<'a> {
    fn new(status: &'a Status, targets: usize) -> Self {
        Self { status, problems: Mutex::new(vec![None; targets]) }
    }

    fn set(&self, index: usize, problem: Option<String>) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems[index] = problem;
        match problems.iter().flatten().next() {
            Some(problem) => self.status.set_problem(problem.as_str()),
            None => self.status.clear_problem(),
        }
    }
}

/// What takes one frame at a time.
trait Line {
    /// Pushes a frame. When the future is dropped, the frame is given up.
    fn push(&mut self, frame: Arc<Frame>) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Closes the connection, if there is one.
    fn close(self) -> impl Future<Output = ()> + Send;
}

impl Line for FrameLine {
    async fn push(&mut self, frame: Arc<Frame>) -> Result<(), SinkError> {
        Self::push(self, frame).await
    }

    async fn close(self) {
        Self::close(self).await;
    }
}

/// What the log shows last of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    Arriving,
    Failing,
}

/// Pushes to one target.
struct Pusher<'a, L> {
    line: L,
    target: String,
    every: Duration,
    frames: FrameReader,
    backoff: Backoff,
    device: &'a DeviceId,
    property: &'a str,
    telemetry: &'a Telemetry,
    health: &'a Health<'a>,
    /// Its place in `health`.
    index: usize,
    /// The reasons that were logged.
    reasons: News,
    shown: Shown,
}

impl<L: Line> Pusher<'_, L> {
    /// Pushes until it is stopped, or the device is gone. What is on its way then is given up.
    async fn run(mut self, stop: &CancellationToken) {
        select! {
            biased;
            () = stop.cancelled() => {}
            () = self.push_all() => {}
        }
        self.line.close().await;
    }

    async fn push_all(&mut self) {
        while let Some(frame) = self.frames.next().await {
            let due = Instant::now() + self.every;
            let outcome = self.push(frame, due).await;
            let next = due.max(Instant::now() + self.settle(outcome));
            if next > Instant::now() {
                sleep_until(next).await;
                self.frames.pass_over();
            }
        }
    }

    /// Pushes a frame. What comes before the next one is due is left out by the rate, and what comes after that is missed, which is counted.
    async fn push(&mut self, frame: Arc<Frame>, due: Instant) -> Result<(), SinkError> {
        let (frames, has_rate) = (&mut self.frames, !self.every.is_zero());
        let push = self.line.push(frame);
        pin!(push);
        select! {
            biased;
            outcome = &mut push => return outcome,
            () = sleep_until(due), if has_rate => frames.pass_over(),
        }
        push.await
    }

    /// Notes what has become of a frame, and returns the pause before the next one.
    fn settle(&mut self, outcome: Result<(), SinkError>) -> Duration {
        let Err(error) = outcome else {
            self.arrived();
            return Duration::ZERO;
        };
        self.failed(&error);
        if !error.is_retryable() {
            // It was not sent at all, so that this has cost the target nothing.
            return Duration::ZERO;
        }
        self.backoff.next().max(error.pause().unwrap_or_default().min(LONGEST_PAUSE))
    }

    fn arrived(&mut self) {
        self.telemetry.emit(FramePushed {});
        self.backoff.reset();
        self.health.set(self.index, None);
        if self.shown != Shown::Arriving {
            let (device, property, target) = (self.device, self.property, self.target.as_str());
            let occurrence =
                Occurrence::first_if(std::mem::replace(&mut self.shown, Shown::Arriving) == Shown::Failing);
            self.telemetry.emit(FramesArrive { device, property, target, occurrence });
        }
    }

    fn failed(&mut self, error: &SinkError) {
        let reason = error.to_string();
        let is_news = self.reasons.is_due(&reason, Instant::now());
        // What has begun without a line in the log ends without one.
        if is_news {
            self.shown = Shown::Failing;
        } else if self.shown == Shown::Arriving {
            self.shown = Shown::Nothing;
        }
        let (device, property, target) = (self.device, self.property, self.target.as_str());
        let occurrence = Occurrence::first_if(is_news);
        self.telemetry.emit(FramePushFailed { device, property, target, reason: &reason, occurrence });
        self.health.set(self.index, Some(format!("frames do not arrive at {}: {reason}", self.target)));
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::PoisonError};

    use tokio::{task::yield_now, time::sleep};

    use super::*;
    use crate::{
        runtime::consumers::status::Statuses,
        stream::{ContentType, Feed, FrameSlot},
    };

    /// How many milliseconds a push takes, and what it comes to.
    type Step = (u64, Result<(), SinkError>);

    /// Takes the steps one after the other, and then always succeeds at once.
    #[derive(Clone, Default)]
    struct Puppet {
        script: Arc<Mutex<VecDeque<Step>>>,
        /// The numbers of the frames, and when each was begun, in milliseconds.
        pushed: Arc<Mutex<Vec<(u64, u64)>>>,
        begun: Option<Instant>,
    }

    impl Line for Puppet {
        async fn push(&mut self, frame: Arc<Frame>) -> Result<(), SinkError> {
            let begun = *self.begun.get_or_insert_with(Instant::now);
            let at = u64::try_from(begun.elapsed().as_millis()).unwrap();
            self.pushed.lock().unwrap_or_else(PoisonError::into_inner).push((frame.sequence().unwrap(), at));
            let step = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let (millis, outcome) = step.unwrap_or((0, Ok(())));
            sleep(Duration::from_millis(millis)).await;
            outcome
        }

        async fn close(self) {}
    }

    struct Rig {
        slot: Arc<FrameSlot>,
        feed: Feed,
        telemetry: Telemetry,
        statuses: Statuses,
        puppet: Puppet,
    }

    impl Rig {
        /// Frames come each 10 ms for so long, and are pushed with so much time between them.
        async fn run(every: u64, frames: u64, script: Vec<Step>) -> Self {
            let slot = FrameSlot::new();
            let (feed, watch) = slot.open(100);
            let (telemetry, statuses, stop) = (Telemetry::default(), Statuses::default(), CancellationToken::new());
            let puppet = Puppet { script: Arc::new(Mutex::new(script.into())), ..Puppet::default() };
            let status = statuses.status("live".into());
            let health = Health::new(&status, 1);
            let pusher = Pusher {
                line: puppet.clone(),
                target: "mqtt broker:1883".to_owned(),
                every: Duration::from_millis(every),
                frames: slot.reader(),
                backoff: Backoff::new(FIRST_PAUSE, Duration::from_secs(30)),
                device: &DeviceId::new("plant", "camera"),
                property: "live",
                telemetry: &telemetry,
                health: &health,
                index: 0,
                reasons: News::default(),
                shown: Shown::Nothing,
            };
            let capture = async {
                for _ in 0..frames {
                    assert!(feed.send(Frame::new(ContentType::Jpeg, vec![0xff, 0xd8])), "capture is never held up");
                    sleep(Duration::from_millis(10)).await;
                }
                yield_now().await;
                stop.cancel();
            };
            tokio::join!(pusher.run(&stop), capture);
            drop(watch);
            Self { slot, feed, telemetry, statuses, puppet }
        }

        fn pushed(&self) -> Vec<(u64, u64)> {
            self.puppet.pushed.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        /// Pushed, failed and skipped.
        fn counts(&self) -> (u64, u64, u64) {
            let streams = self.telemetry.stats().streams();
            (streams.frames_pushed(), streams.pushes_failed(), self.slot.status().skipped)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_frame_goes_at_the_rate_that_is_asked_for_and_what_that_leaves_out_is_not_skipped() {
        let rig = Rig::run(100, 49, vec![(50, Ok(()))]).await;
        assert_eq!(rig.pushed(), [(1, 0), (11, 100), (21, 200), (31, 300), (41, 400)]);
        assert_eq!(rig.counts(), (5, 0, 0));
        assert!(!rig.feed.send(Frame::new(ContentType::Jpeg, vec![0xff, 0xd8])), "its session has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_they_go_as_they_come() {
        let rig = Rig::run(0, 20, Vec::new()).await;
        assert_eq!(rig.counts(), (20, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_on_its_way_at_a_time_and_what_it_is_too_slow_for_is_counted() {
        let rig = Rig::run(0, 20, vec![(95, Ok(())), (43, Ok(()))]).await;
        assert_eq!(rig.pushed()[..4], [(1, 0), (10, 95), (14, 138), (15, 140)]);
        assert_eq!(rig.counts().2, 8 + 3);
        // The next one is due after 95 ms, and this one is there after 195.
        let rig = Rig::run(95, 28, vec![(195, Ok(()))]).await;
        assert_eq!(rig.pushed(), [(1, 0), (20, 195)]);
        assert_eq!(
            rig.counts(),
            (2, 0, 10),
            "of 19 frames ten were there when the next one was due, or came after that"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_is_away_is_asked_after_growing_pauses_and_gets_the_newest_frame_when_it_is_back() {
        let away = || (0, Err(SinkError::disconnected("127.0.0.1:1883: connection refused")));
        // 17 s; the four pauses take up to 15.
        let mut rig = Rig::run(0, 1_700, vec![away(), away(), away(), away()]).await;
        let pauses: Vec<_> = rig.pushed().windows(2).take(4).map(|two| two[1].1 - two[0].1).collect();
        for (pause, longest) in pauses.iter().zip([1000, 2000, 4000, 8000]) {
            assert!((longest / 2..=longest + 10).contains(pause), "{pauses:?}");
        }
        let (frame, at) = rig.pushed()[4];
        assert!(frame.abs_diff(at / 10) <= 1, "the newest one: {frame} at {at} ms");
        let (pushed, failed, skipped) = rig.counts();
        assert_eq!((failed, skipped), (4, 0));
        assert!(pushed > 1, "it goes on");
        rig.statuses.changed().await;
        assert_eq!(rig.statuses.problem(), None, "all is well again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_is_too_large_costs_that_frame_alone_and_is_said() {
        let large = || (0, Err(SinkError::rejected("a packet of 20 bytes is larger than the 10 of the broker")));
        let rig = Rig::run(100, 25, vec![(0, Ok(())), large(), large()]).await;
        assert_eq!(rig.pushed(), [(1, 0), (11, 100), (21, 200)]);
        assert_eq!(rig.counts(), (1, 2, 0));
        let problem = rig.statuses.problem().expect("something is wrong");
        assert!(problem.contains("mqtt broker:1883: a packet of 20 bytes"), "{problem}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_the_server_asks_for_is_kept() {
        let busy = SinkError::failed("429").retry_after(Duration::from_secs(7));
        let rig = Rig::run(0, 800, vec![(0, Err(busy))]).await;
        assert_eq!(rig.pushed()[1].1, 7000);
    }

    #[test]
    fn a_complaint_of_one_target_stays_when_the_other_is_well() {
        let statuses = Statuses::default();
        let status = statuses.status("live".into());
        let health = Health::new(&status, 2);
        health.set(0, Some("the broker is away".to_owned()));
        health.set(1, None);
        assert!(statuses.problem().is_some());
        health.set(0, None);
        assert_eq!(statuses.problem(), None);
    }
}
