//! Pictures that are fetched one by one over HTTP, from cameras whose video nobody here decodes.

use std::time::Duration;

use mapper_framework::{ContentType, DriverError, Format, Frame, FrameSender, jpeg_size};
use tokio::time::{MissedTickBehavior, interval};
use url::Url;

use crate::{
    http::Http,
    login::{Login, shown},
};

/// The most bytes of a picture.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// How many fetches in a row may fail.
const MOST_FAILURES: u32 = 3;

/// Where the pictures are, and how often one is fetched.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    pub(crate) http: Http,
    pub(crate) url: Url,
    pub(crate) every: Duration,
}

impl Snapshots {
    /// Fetches a picture.
    ///
    /// # Errors
    ///
    /// There is none, or what is there is none.
    pub(crate) async fn fetch(&self) -> Result<Frame, DriverError> {
        let lost = |why: String| DriverError::disconnected(format_args!("{}: {why}", shown(&self.url)));
        let answer = self.http.send(&self.url, MOST_BYTES, || None).await.map_err(|error| lost(error.to_string()))?;
        match answer.status.as_u16() {
            200 => {}
            401 | 403 => return Err(lost(Login::cure(self.http.login.as_ref()))),
            status => {
                return Err(lost(format!("it answers with status {status}: look into its manual for the address")));
            }
        }
        let size = jpeg_size(&answer.body);
        let (width, height) = size.ok_or_else(|| lost("what it answers with is no JPEG".to_owned()))?;
        Ok(Frame::new(ContentType::Jpeg, answer.body).size(width.into(), height.into()))
    }

    /// Sends pictures for as long as they are wanted.
    pub(crate) async fn send(self, frames: FrameSender) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut failures = 0;
        loop {
            let next = async {
                ticks.tick().await;
                self.fetch().await
            };
            let next = tokio::select! {
                () = frames.closed() => return,
                next = next => next,
            };
            match next {
                Ok(frame) => {
                    failures = 0;
                    let (width, height) = (frame.width().unwrap_or_default(), frame.height().unwrap_or_default());
                    frames
                        .granted(Format::new("JPEG", width, height).frames_per_second(1.0 / self.every.as_secs_f64()));
                    frames.send(frame);
                }
                Err(error) => {
                    failures += 1;
                    if failures == MOST_FAILURES {
                        return frames.fail(error);
                    }
                }
            }
        }
    }
}
