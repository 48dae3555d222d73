//! The last line that a child says.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::ChildStderr,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

/// The most bytes that are kept of a line.
const LONGEST: usize = 300;

/// The most bytes of a line that are looked at. What comes behind them is passed over.
const LONGEST_READ: u64 = 8 * 1024;

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
        match (&mut lines).take(LONGEST_READ).read_until(b'\n', &mut line) {
            // An error ends it as the end does.
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = presentable(&line);
                if !text.is_empty() {
                    tracing::debug!(line = text, "ffmpeg says");
                    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                }
            }
        }
        if line.len() as u64 == LONGEST_READ && !line.ends_with(b"\n") && lines.skip_until(b'\n').is_err() {
            return;
        }
    }
}

/// A line as it may be shown. It is cut after the secrets are out, so that none is cut in two and stays.
fn presentable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let is_cut = line.len() as u64 == LONGEST_READ && !line.ends_with(b"\n");
    // The last word of a line that is cut may be a URL whose `@` is missing.
    let known = if is_cut { text.rsplit_once(' ').map_or("", |(before, _)| before) } else { &text };
    let mut text = without_secrets(known.trim());
    while text.len() > LONGEST {
        text.pop();
    }
    text
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
        keep(&["x ".repeat(10_000).as_bytes(), b"\n"].concat()[..], &kept);
        assert!(kept.lock().expect("nobody died").as_ref().is_some_and(|line| line.len() <= LONGEST));
    }

    #[test]
    fn a_password_is_masked_wherever_a_line_is_cut() {
        for before in (280..310).chain(8150..8200).chain([20_000]) {
            let kept = Mutex::new(None);
            let line = format!("{} rtsp://admin:s3cret@10.0.0.7/1: refused\n", "\u{e4} ".repeat(before / 3));
            keep(line.as_bytes(), &kept);
            let line = kept.lock().expect("nobody died").clone().expect("there is a line");
            assert!(line.len() <= LONGEST && !["adm", "s3c", "ret"].iter().any(|part| line.contains(part)), "{line}");
        }
        let kept = Mutex::new(None);
        keep(format!("{}\nlast\n", "x".repeat(20_000)).as_bytes(), &kept);
        assert_eq!(kept.lock().expect("nobody died").as_deref(), Some("last"));
    }
}
