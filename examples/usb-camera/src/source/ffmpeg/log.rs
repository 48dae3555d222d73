//! The last line that a child says.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::ChildStderr,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

/// The most bytes of a line. A longer one is cut.
const LONGEST: usize = 300;

/// Kept by a thread that reads all lines, so that the child is never held up by them. It ends with the child.
#[derive(Debug)]
pub(super) struct LastLine {
    /// Locked to exchange it.
    line: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl LastLine {
    pub(super) fn of(stderr: ChildStderr) -> io::Result<Self> {
        let line = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&line);
        let thread = thread::Builder::new().name("ffmpeg log".to_owned()).spawn(move || keep(stderr, &kept))?;
        Ok(Self { line, thread: Some(thread) })
    }

    /// The last line, once the child has ended.
    pub(super) fn finish(&mut self) -> Option<String> {
        if let Some(thread) = self.thread.take() {
            // A thread that has died has kept what it had read.
            thread.join().ok();
        }
        self.line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn keep(stderr: impl Read, kept: &Mutex<Option<String>>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(LONGEST as u64).read_until(b'\n', &mut line) {
            // An error ends it as the end does.
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = without_secrets(text.trim());
                if !text.is_empty() {
                    tracing::debug!(line = text, "ffmpeg says");
                    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                }
            }
        }
    }
}

/// A line without what stands before the `@` of a URL.
fn without_secrets(line: &str) -> String {
    let word = |word: &str| match word.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://***@{host}"),
            None => word.to_owned(),
        },
        None => word.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_kept_short_and_without_passwords() {
        let kept = Mutex::new(None);
        keep(&b"first\nrtsp://admin:s3cr@t@10.0.0.7/1: Connection refused\n\n"[..], &kept);
        assert_eq!(kept.lock().expect("nobody died").as_deref(), Some("rtsp://***@10.0.0.7/1: Connection refused"));
        keep(&[b'x'; 10_000][..], &kept);
        assert!(kept.lock().expect("nobody died").as_ref().is_some_and(|line| line.len() <= LONGEST));
    }
}
