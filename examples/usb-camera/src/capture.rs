//! The thread that takes frames from a source. It may hang in the kernel for as long as it likes: nobody waits for it but who wants the same
//! camera.

use std::{io, path::PathBuf, sync::Arc, thread, time::Duration};

use mapper_framework::{DriverError, FrameSender};
use tokio::{
    runtime::Handle,
    sync::{OwnedMutexGuard, oneshot, watch},
    time::sleep,
};

use crate::{
    config::Config,
    live::Live,
    machine::Machine,
    settings::SettingsThread,
    source::{self, Captured, FrameSource},
    v4l2,
};

/// All that it takes to open a source.
#[derive(Clone, Debug)]
pub(crate) struct Opener {
    pub(crate) config: Config,
    /// The file or folder that was found.
    pub(crate) place: Option<PathBuf>,
    pub(crate) machine: Machine,
    /// Who has the same camera open for its settings.
    pub(crate) settings: Option<SettingsThread>,
    pub(crate) live: Arc<Live>,
}

impl Opener {
    /// Opens the source in the rate that is wanted now. Blocks.
    fn open(&mut self, rate: f64) -> io::Result<Box<dyn FrameSource>> {
        self.config.frame_rate = rate;
        let open = |opener: &Self| source::open(&opener.config, opener.place.as_deref(), &opener.machine);
        match (open(self), &self.settings) {
            (Err(error), Some(settings)) if v4l2::is_busy(&error) => {
                tracing::debug!("the camera is busy: its settings let go of it");
                settings.release();
                open(self)
            }
            (opened, _) => opened,
        }
    }
}

/// Starts the thread, and returns when its source is open. The turn is the thread's until it ends.
///
/// # Errors
///
/// The source cannot be opened.
pub(crate) async fn start(opener: Opener, frames: FrameSender, turn: OwnedMutexGuard<()>) -> Result<(), DriverError> {
    let (report, opened) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        let _turn = turn;
        let mut thread = Thread { rate: opener.live.rate(), opener, frames, runtime };
        match thread.open() {
            Ok(source) => {
                // Who asked has given up, and with that the frames are closed.
                report.send(Ok(())).ok();
                thread.run(source);
            }
            Err(error) => drop(report.send(Err(error))),
        }
    };
    thread::Builder::new().name("capture".to_owned()).spawn(run)?;
    let died = || DriverError::failed("the thread that captures has died while it opened its source");
    opened.await.map_err(|_| died())?.map_err(opening)
}

struct Thread {
    opener: Opener,
    frames: FrameSender,
    runtime: Handle,
    /// The wanted rate.
    rate: watch::Receiver<f64>,
}

impl Thread {
    fn open(&mut self) -> io::Result<Box<dyn FrameSource>> {
        let rate = *self.rate.borrow_and_update();
        let source = self.opener.open(rate)?;
        self.grant(&*source);
        Ok(source)
    }

    fn grant(&self, source: &dyn FrameSource) {
        self.opener.live.grant(source.format());
        self.frames.granted(source.format());
    }

    /// Sends frames for as long as they are wanted.
    fn run(mut self, mut source: Box<dyn FrameSource>) {
        let mut granted = source.format();
        while !self.frames.is_closed() {
            if self.rate.has_changed().unwrap_or_default() {
                // One capture at a time.
                drop(source);
                source = match self.open() {
                    Ok(source) => source,
                    Err(error) => return self.frames.fail(lost(error)),
                };
            }
            if let Err(error) = self.take(&mut *source) {
                return self.frames.fail(lost(error));
            }
            if source.format() != granted {
                self.grant(&*source);
                granted = source.format();
            }
        }
    }

    fn take(&mut self, source: &mut dyn FrameSource) -> io::Result<()> {
        match source.next()? {
            Captured::Frame(frame) => {
                self.frames.send(frame);
                self.opener.live.count_frame();
            }
            Captured::NotBefore(pause) => self.wait(pause),
            Captured::Damaged(reason) => {
                if self.opener.live.count_damaged() {
                    tracing::warn!(reason, "a damaged picture of a camera is left out; others are counted only");
                }
            }
        }
        Ok(())
    }

    /// Ends as soon as no more frames are wanted, or another rate is.
    fn wait(&mut self, pause: Duration) {
        let Self { runtime, frames, rate, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                () = sleep(pause) => {}
                () = frames.closed() => {}
                // Still seen as a change by who looks next.
                _ = rate.changed() => rate.mark_changed(),
            }
        });
    }
}

/// A camera that gives no more frames was unplugged, or is to be opened anew.
fn lost(error: io::Error) -> DriverError {
    DriverError::disconnected("no more frames can be taken").with_source(error)
}

fn opening(error: io::Error) -> DriverError {
    if v4l2::is_busy(&error) {
        let message = "the camera is busy: end the program that captures from it (`fuser -v /dev/video0` names it)";
        return DriverError::disconnected(message).with_source(error);
    }
    if error.kind() == io::ErrorKind::Unsupported {
        return DriverError::refused("the camera has no format that fits").with_source(error);
    }
    DriverError::disconnected("the source cannot be opened").with_source(error)
}
