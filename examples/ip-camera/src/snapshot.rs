//! Pictures that are fetched one by one over HTTP, from cameras whose video nobody here decodes.

use std::time::Duration;

use mapper_framework::{ContentType, DriverError, Format, Frame, FrameSender};
use tokio::time::{MissedTickBehavior, interval};
use url::Url;

use crate::{http::Http, login::Login};

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
        let lost = |why: String| DriverError::disconnected(format_args!("{}: {why}", self.url));
        let answer = self.http.send(&self.url, MOST_BYTES, || None).await.map_err(|error| lost(error.to_string()))?;
        match answer.status.as_u16() {
            200 => {}
            401 | 403 => return Err(lost(Login::cure(self.http.login.as_ref()))),
            status => {
                return Err(lost(format!("it answers with status {status}: look into its manual for the address")));
            }
        }
        let size = size(&answer.body).ok_or_else(|| lost("what it answers with is no JPEG".to_owned()))?;
        Ok(Frame::new(ContentType::Jpeg, answer.body).size(size.0, size.1))
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

/// Width and height, as the head of a JPEG has them.
pub(crate) fn size(jpeg: &[u8]) -> Option<(u32, u32)> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let &[0xff, marker, high, low, ref body @ ..] = rest else { return None };
        // A frame's head, of whichever process; 0xc4, 0xc8 and 0xcc are tables.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let &[_, h1, h0, w1, w0, ..] = body else { return None };
            return Some((u32::from(u16::from_be_bytes([w1, w0])), u32::from(u16::from_be_bytes([h1, h0]))));
        }
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        rest = body.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_stands_behind_what_comes_before_it() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 17, 8, 0, 240, 1, 64, 3];
        assert_eq!(size(&jpeg), Some((320, 240)));
        for end in 0..jpeg.len() - 1 {
            assert_eq!(size(&jpeg[..end]), None, "{end}");
        }
        assert_eq!(size(b"<html>"), None);
        assert_eq!(size(&[0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff]), None, "a length that is none");
    }
}
