//! Publishes a stream to a media server, by a child `ffmpeg` that is fed the newest frames.
//!
//! Whatever hangs or dies, the child is ended and started anew after a pause that grows. Nobody waits for it but this task.

mod ffmpeg;
mod matroska;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    pin, select,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    backoff::Backoff,
    model::Publication,
    sink::MediaServer,
    stream::{ContentType, Frame, FrameReader, jpeg_size},
    telemetry::{
        Occurrence,
        streams::{PublicationBegun, PublicationFailed},
    },
};

use super::{super::news::News as Reasons, ConsumerContext};
use ffmpeg::{Ffmpeg, Login, News};

/// How long the child may take no frame, and how long it may take until the media server has the first one.
const PATIENCE: Duration = Duration::from_secs(15);

/// The pauses between two children.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A picture of another size wants another child. One that comes sooner than this after the last one waits for it like after a failure.
const CHANGED_SELDOM: Duration = Duration::from_secs(5);

/// After so long without trouble the pauses are short again.
const STABLE: Duration = Duration::from_secs(30);

/// Where a stream is published to.
#[derive(Clone)]
pub(in crate::runtime) struct PublishPlan {
    publication: Publication,
    server: MediaServer,
}

impl PublishPlan {
    pub(in crate::runtime) fn new(publication: Publication, server: MediaServer) -> Self {
        Self { publication, server }
    }
}

impl PartialEq for PublishPlan {
    fn eq(&self, other: &Self) -> bool {
        self.publication == other.publication
    }
}

impl std::fmt::Debug for PublishPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PublishPlan").field(&self.publication).finish()
    }
}

/// Why a publication has ended.
#[derive(Debug)]
enum Ended {
    /// The consumer was stopped, or the device is gone.
    Stopped,
    /// This frame is of another size than those before it, which a publication has no way to say.
    Changed(Arc<Frame>),
    /// For this reason.
    Failed(String),
    /// The child takes nothing any more, and says why.
    Closed,
}

/// Publishes until the consumer is stopped.
pub(super) async fn run(plan: &PublishPlan, context: &mut ConsumerContext) {
    let backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let publisher = Publisher {
        plan,
        context,
        backoff,
        reasons: Reasons::default(),
        changed: None,
        published: None,
        is_shown: true,
    };
    publisher.run().await;
}

struct Publisher<'a> {
    plan: &'a PublishPlan,
    context: &'a mut ConsumerContext,
    backoff: Backoff,
    /// The reasons that were logged.
    reasons: Reasons,
    /// When a picture of another size came, the last time.
    changed: Option<Instant>,
    /// Since when the media server has had frames of this child.
    published: Option<Instant>,
    /// Whether the next begin is worth a line in the log.
    is_shown: bool,
}

impl Publisher<'_> {
    async fn run(mut self) {
        let stop = self.context.stop.clone();
        let mut next = None;
        while let Some(frame) = self.frame(next.take()).await {
            let ended = self.publish(frame).await;
            self.context.status.hide();
            let pause = match ended {
                Ended::Stopped => return,
                Ended::Changed(frame) if self.changes_seldom() => {
                    next = Some(frame);
                    continue;
                }
                Ended::Changed(_) => self.failed("the pictures change their size again and again"),
                Ended::Failed(reason) => self.failed(&reason),
                Ended::Closed => self.failed("ffmpeg has ended"),
            };
            select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(pause) => self.context.frames.pass_over(),
            }
        }
    }

    /// This frame, or the next one; `None` when the consumer is stopped, or the device is gone.
    async fn frame(&mut self, known: Option<Arc<Frame>>) -> Option<Arc<Frame>> {
        if known.is_some() {
            return known;
        }
        let ConsumerContext { frames, stop, .. } = &mut *self.context;
        select! {
            biased;
            () = stop.cancelled() => None,
            frame = frames.next() => frame,
        }
    }

    /// Notes that the size has changed, and returns whether the last time is long past.
    fn changes_seldom(&mut self) -> bool {
        self.changed.replace(Instant::now()).is_none_or(|last| last.elapsed() >= CHANGED_SELDOM)
    }

    /// Notes a failure, and returns the pause before the next attempt.
    fn failed(&mut self, reason: &str) -> Duration {
        if self.published.is_some_and(|since| since.elapsed() >= STABLE) {
            self.backoff.reset();
        }
        let url = self.plan.publication.url();
        let is_news = self.reasons.is_due(reason, Instant::now());
        self.is_shown |= is_news;
        let (device, property) = (&self.context.device, &*self.context.property);
        let occurrence = Occurrence::first_if(is_news);
        let failed = PublicationFailed { device, property, url: &url, reason, occurrence };
        self.context.telemetry.emit(failed);
        self.context.status.set_problem(format!("the stream is not published to {url}: {reason}"));
        self.backoff.next()
    }

    /// Publishes by one child, beginning with this frame.
    async fn publish(&mut self, first: Arc<Frame>) -> Ended {
        self.published = None;
        let publication = &self.plan.publication;
        if first.content_type() != ContentType::Jpeg {
            let reason = format!("its frames are {}: only image/jpeg can be published", first.content_type());
            return Ended::Failed(reason);
        }
        let login = match self.plan.server.credentials() {
            Ok(credentials) => Login::new(credentials.username(), credentials.password()),
            Err(error) => Err(error.to_string()),
        };
        let started = login.and_then(|login| Ffmpeg::start(publication, login));
        let (mut child, stdin) = match started {
            Ok(started) => started,
            Err(reason) => return Ended::Failed(reason),
        };
        let ended = self.attend(&mut child, stdin, first).await;
        // Its standard input is closed by now.
        match (ended, child.end().await) {
            (Ended::Closed, Some(reason)) => Ended::Failed(reason),
            (ended, _) => ended,
        }
    }

    /// Feeds a child, and watches what it says.
    async fn attend(&mut self, child: &mut Ffmpeg, stdin: impl AsyncWrite + Unpin, first: Arc<Frame>) -> Ended {
        let Self { plan, context, published, is_shown, .. } = self;
        let stop = context.stop.clone();
        let (deadline, url) = (Instant::now() + PATIENCE, plan.publication.url());
        let feed = feed(stdin, &mut context.frames, first, plan.publication.every);
        pin!(feed);
        loop {
            select! {
                biased;
                () = stop.cancelled() => return Ended::Stopped,
                ended = &mut feed => return ended,
                () = sleep_until(deadline), if published.is_none() => {
                    return Ended::Failed(format!("the media server has taken no frame within {PATIENCE:?}"));
                }
                news = child.news() => match news {
                    News::Published if published.is_none() => {
                        *published = Some(Instant::now());
                        context.status.show(url.as_str());
                        context.status.clear_problem();
                        let (device, property) = (&context.device, &*context.property);
                        let occurrence = Occurrence::first_if(std::mem::take(is_shown));
                        context.telemetry.emit(PublicationBegun { device, property, url: &url, occurrence });
                    }
                    News::Published => {}
                    News::Error(line) => if let Some(reason) = unsendable(&line) {
                        return Ended::Failed(reason);
                    },
                    News::Over => return Ended::Closed,
                }
            }
        }
    }
}

/// What RTP has no way to carry goes nowhere, and the child goes on as if it did.
fn unsendable(line: &str) -> Option<String> {
    line.starts_with("[rtp]")
        .then(|| format!("ffmpeg says: {line}: such pictures cannot be sent as they are: set publishCodec to h264"))
}

/// Feeds frames, the newest one each time, at most one in `every`.
async fn feed(
    mut child: impl AsyncWrite + Unpin,
    frames: &mut FrameReader,
    first: Arc<Frame>,
    every: Duration,
) -> Ended {
    let (begin, size) = (Instant::now(), size_of(&first));
    let (mut frame, mut head, mut next) = (first, matroska::head(size), Duration::ZERO);
    loop {
        let now = begin.elapsed();
        // No two have the same time.
        let time = now.max(next);
        next = time + Duration::from_millis(1);
        head.extend(matroska::before_frame(time, frame.bytes().len()));
        match timeout(PATIENCE, write(&mut child, &head, frame.bytes())).await {
            Ok(Ok(())) => head.clear(),
            Ok(Err(_)) => return Ended::Closed,
            Err(_) => {
                return Ended::Failed(format!(
                    "ffmpeg has taken no frame for {PATIENCE:?}: does the media server hang?"
                ));
            }
        }
        let due = begin + now + every;
        if due > Instant::now() {
            sleep_until(due).await;
            frames.pass_over();
        }
        frame = match frames.next().await {
            Some(frame) if size_of(&frame) == size && frame.content_type() == ContentType::Jpeg => frame,
            Some(frame) => return Ended::Changed(frame),
            None => return Ended::Stopped,
        };
    }
}

/// Width and height, as far as they are known.
fn size_of(frame: &Frame) -> (u32, u32) {
    let of_jpeg = || jpeg_size(frame.bytes()).map(|(width, height)| (width.into(), height.into()));
    frame.width().zip(frame.height()).or_else(of_jpeg).unwrap_or((1, 1))
}

async fn write(child: &mut (impl AsyncWrite + Unpin), head: &[u8], frame: &[u8]) -> io::Result<()> {
    child.write_all(head).await?;
    child.write_all(frame).await?;
    child.flush().await
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, DuplexStream, duplex},
        task::yield_now,
    };

    use super::*;
    use crate::stream::{Feed, FeedWatch, FrameSlot};

    fn jpeg(bytes: usize) -> Frame {
        let mut picture = vec![0; bytes];
        picture[..2].copy_from_slice(&[0xff, 0xd8]);
        Frame::new(ContentType::Jpeg, picture).size(64, 48)
    }

    /// A stream with its first frame, and a pipe with room for so many bytes.
    async fn rig(room: usize) -> (Arc<FrameSlot>, (Feed, FeedWatch), FrameReader, Arc<Frame>, [DuplexStream; 2]) {
        let slot = FrameSlot::new();
        let (feed, watch) = slot.open(1 << 20);
        let mut frames = slot.reader();
        assert!(feed.send(jpeg(1000)));
        let (first, (near, far)) = (frames.next().await.expect("it was sent"), duplex(room));
        (slot, (feed, watch), frames, first, [near, far])
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_that_hangs_is_given_up_and_capture_never_waits() {
        let (slot, (camera, _watch), mut frames, first, [near, _far]) = rig(10_000).await;
        let begun = Instant::now();
        let capture = async {
            for _ in 0..3_000 {
                assert!(camera.send(jpeg(1000)), "capture goes on");
                sleep(Duration::from_millis(10)).await;
            }
        };
        let (ended, ()) = tokio::join!(feed(near, &mut frames, first, Duration::ZERO), capture);
        let Ended::Failed(reason) = ended else { panic!("{ended:?}") };
        assert!(reason.contains("no frame for 15s"), "{reason}");
        assert_eq!(begun.elapsed(), Duration::from_secs(30), "it took no more than the capture");
        assert_eq!(slot.status().skipped, 0, "it took what had room, and read nothing after that");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_child_gets_the_newest_frame_and_the_rest_is_skipped() {
        let (slot, (camera, watch), mut frames, first, [near, mut far]) = rig(100).await;
        let capture = async {
            for _ in 0..100 {
                sleep(Duration::from_millis(10)).await;
                assert!(camera.send(jpeg(1000)));
            }
            drop((slot.status(), watch));
        };
        let read = async {
            // Ten milliseconds for each hundred bytes: a tenth of what comes.
            let mut bytes = [0; 100];
            while far.read_exact(&mut bytes).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        select! {
            ended = feed(near, &mut frames, first, Duration::ZERO) => panic!("{ended:?}"),
            ((), ()) = async { tokio::join!(capture, read) } => {}
            () = sleep(Duration::from_millis(1_005)) => {}
        }
        assert!((85..=95).contains(&slot.status().skipped), "{}", slot.status().skipped);
    }

    #[tokio::test(start_paused = true)]
    async fn a_publication_ends_where_the_size_changes_and_with_the_device() {
        let (slot, (camera, _watch), mut frames, first, [near, _far]) = rig(10_000).await;
        assert!(camera.send(jpeg(1000).size(32, 24)));
        let ended = feed(near, &mut frames, first, Duration::ZERO).await;
        let Ended::Changed(frame) = ended else { panic!("{ended:?}") };
        assert_eq!(frame.width(), Some(32));
        let (near, _far) = duplex(10_000);
        drop(slot);
        let ended = feed(near, &mut frames, frame, Duration::ZERO).await;
        assert!(matches!(ended, Ended::Stopped), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_go_at_the_rate_that_is_asked_for_with_their_times() {
        let (_slot, (camera, _watch), mut frames, first, [near, mut far]) = rig(1 << 20).await;
        let capture = async {
            for _ in 0..99 {
                sleep(Duration::from_millis(10)).await;
                assert!(camera.send(jpeg(1000)));
            }
            yield_now().await;
        };
        select! {
            ended = feed(near, &mut frames, first, Duration::from_millis(200)) => panic!("{ended:?}"),
            () = capture => {}
        }
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).await.expect("the pipe is sound");
        let times = bytes.windows(13).filter(|it| it.starts_with(&[0x1f, 0x43, 0xb6, 0x75]) && it[12] == 0xe7).count();
        assert_eq!(times, 5, "at 0, 200, 400, 600 and 800 ms");
        let fifth: Vec<_> =
            [0xe7, 1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0].into_iter().chain(800_u16.to_be_bytes()).collect();
        assert!(bytes.windows(17).any(|it| it == fifth), "each has its time");
    }

    #[test]
    fn pictures_that_rtp_cannot_carry_are_said_with_the_cure() {
        let reason = unsendable("[rtp] Unsupported pixel format").expect("it is one of RTP");
        assert!(reason.ends_with("set publishCodec to h264"), "{reason}");
        assert_eq!(unsendable("[mjpeg] overread 8"), None);
    }
}
