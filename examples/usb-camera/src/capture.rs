//! The thread that takes frames from a source. It may hang in the kernel for as long as it likes: nobody waits for it but who wants the same
//! camera.

use std::{io, thread};

use mapper_framework::{DriverError, FrameSender};
use tokio::{
    runtime::Handle,
    sync::{OwnedMutexGuard, oneshot},
    time::timeout,
};

use crate::{
    config::Config,
    source::{self, Captured, FrameSource},
};

/// Starts the thread, and returns when its source is open. The turn is the thread's until it ends.
///
/// # Errors
///
/// The source cannot be opened.
pub(crate) async fn start(config: Config, frames: FrameSender, turn: OwnedMutexGuard<()>) -> Result<(), DriverError> {
    let (report, opened) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        let _turn = turn;
        match source::open(&config) {
            Ok(source) => {
                frames.granted(source.format());
                // Who asked has given up, and with that the frames are closed.
                report.send(Ok(())).ok();
                capture(source, &frames, &runtime);
            }
            Err(error) => drop(report.send(Err(error))),
        }
    };
    thread::Builder::new().name("capture".to_owned()).spawn(run)?;
    opened.await.map_err(|_| DriverError::failed("the thread that captures has died while it opened its source"))??;
    Ok(())
}

/// Sends frames for as long as they are wanted.
fn capture(mut source: Box<dyn FrameSource>, frames: &FrameSender, runtime: &Handle) {
    let mut granted = source.format();
    while !frames.is_closed() {
        match source.next() {
            Ok(Captured::Frame(frame)) => {
                frames.send(frame);
            }
            // Ends as soon as no more frames are wanted.
            Ok(Captured::NotBefore(pause)) => drop(runtime.block_on(async { timeout(pause, frames.closed()).await })),
            Ok(Captured::Damaged) => {}
            Err(error) => return frames.fail(lost(error)),
        }
        let format = source.format();
        if format != granted {
            frames.granted(format.clone());
            granted = format;
        }
    }
}

/// A camera that gives no more frames was unplugged, or is to be opened anew.
fn lost(error: io::Error) -> DriverError {
    DriverError::disconnected("no more frames can be taken").with_source(error)
}
