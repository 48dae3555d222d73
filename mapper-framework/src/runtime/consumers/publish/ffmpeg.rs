//! `ffmpeg` as a child, which publishes what it is fed.

use std::{collections::VecDeque, env, io, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::model::{Publication, PublishCodec, Secret};

/// How long it may take to say goodbye to the media server, and then to print why it has ended.
const LEAVING: Duration = Duration::from_millis(500);

/// The longest login that it has room for.
const LONGEST_LOGIN: usize = 127;

/// How many lines of its standard error are kept.
const KEPT: usize = 3;

/// What the child says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The media server has a frame.
    Published,
    /// A line of its standard error, without a secret.
    Error(String),
    /// It prints nothing any more: it has ended, or is about to.
    Over,
}

/// A running child. It is killed when this is dropped.
pub(super) struct Ffmpeg {
    child: Child,
    progress: Option<Lines<BufReader<ChildStdout>>>,
    errors: Lines<BufReader<ChildStderr>>,
    login: Login,
    /// The last lines of its standard error. The very last one often says least.
    last_errors: VecDeque<String>,
}

/// User name and password as a URL has them, and what must not be shown.
#[derive(Clone, Default)]
pub(super) struct Login {
    in_url: String,
    secret: Option<Secret>,
}

impl Login {
    /// None without a user name.
    ///
    /// # Errors
    ///
    /// The program has no room for it.
    pub(super) fn new(username: Option<&str>, password: Option<&Secret>) -> Result<Self, String> {
        let Some(username) = username else { return Ok(Self::default()) };
        let password_in_url = password.map_or_else(String::new, |password| format!(":{}", escaped(password.expose())));
        let in_url = escaped(username) + &password_in_url;
        if in_url.len() > LONGEST_LOGIN {
            return Err(format!(
                "user name and password together are longer than the {LONGEST_LOGIN} characters that ffmpeg has room for: take a shorter password"
            ));
        }
        Ok(Self { in_url: in_url + "@", secret: password.cloned() })
    }

    /// A line without the login, and without the addresses of memory that make each line another one.
    fn tidied(&self, line: &str) -> String {
        let mut line = line.trim().to_owned();
        if !self.in_url.is_empty() {
            line = line.replace(&self.in_url, "");
        }
        if let Some(secret) = self.secret.as_ref().map(Secret::expose).filter(|secret| !secret.is_empty()) {
            line = line.replace(secret, "***");
        }
        while let Some((before, rest)) = line.split_once(" @ 0x") {
            line = format!("{before}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_hexdigit()));
        }
        line
    }
}

/// A text as it may stand in front of the host of a URL.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let letter = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(letter).collect()
}

impl Ffmpeg {
    /// Starts the child, and returns what it is fed by.
    ///
    /// # Errors
    ///
    /// It cannot be started, with the cure.
    pub(super) fn start(publication: &Publication, login: Login) -> Result<(Self, ChildStdin), String> {
        Self::start_program("ffmpeg", publication, login)
    }

    fn start_program(program: &str, publication: &Publication, login: Login) -> Result<(Self, ChildStdin), String> {
        let url = publication.url_with(&login.in_url);
        let mut child = command(program, publication, &url).spawn().map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                "there is no program ffmpeg: install it where the mapper runs (Debian: apt-get install ffmpeg), or remove the property"
                    .to_owned()
            } else {
                format!("ffmpeg cannot be started: {error}")
            }
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("ffmpeg was started without its pipes".to_owned());
        };
        let (progress, errors) = (BufReader::new(stdout).lines(), BufReader::new(stderr).lines());
        Ok((Self { child, progress: Some(progress), errors, login, last_errors: VecDeque::new() }, stdin))
    }

    /// What it says next. Safe to cancel.
    pub(super) async fn news(&mut self) -> News {
        loop {
            let Some(progress) = &mut self.progress else {
                let news = error_news(&mut self.errors, &self.login).await;
                return self.noted(news);
            };
            let line = tokio::select! {
                line = progress.next_line() => line,
                news = error_news(&mut self.errors, &self.login) => return self.noted(news),
            };
            match line {
                Ok(Some(line)) if shows_a_frame(&line) => return News::Published,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => self.progress = None,
            }
        }
    }

    fn noted(&mut self, news: News) -> News {
        if let News::Error(line) = &news {
            self.last_errors.truncate(KEPT - 1);
            self.last_errors.push_front(line.clone());
        }
        news
    }

    /// Ends it, after its standard input was closed, and returns why it has ended by itself, as far as it says so.
    pub(super) async fn end(mut self) -> Option<String> {
        let left = timeout(LEAVING, async {
            while self.news().await != News::Over {}
            self.child.wait().await
        });
        let status = left.await.ok().and_then(Result::ok);
        if status.is_none() {
            // One that cannot be killed has ended.
            self.child.kill().await.ok();
        }
        let lines: Vec<_> = self.last_errors.into_iter().rev().collect();
        match (status, lines.join("; ")) {
            (None, lines) => (!lines.is_empty()).then(|| format!("ffmpeg says: {lines}")),
            (Some(status), lines) if lines.is_empty() => Some(format!("ffmpeg has ended ({status})")),
            (Some(status), lines) => Some(format!("ffmpeg has ended ({status}): {lines}")),
        }
    }
}

/// A line of the standard error that says something.
async fn error_news(errors: &mut Lines<BufReader<ChildStderr>>, login: &Login) -> News {
    loop {
        match errors.next_line().await {
            Ok(Some(line)) => {
                let line = login.tidied(&line);
                if !line.is_empty() {
                    return News::Error(line);
                }
            }
            // A line that is no text says nothing.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Ok(None) | Err(_) => return News::Over,
        }
    }
}

/// Whether a line of `-progress` says that a frame has gone out.
fn shows_a_frame(line: &str) -> bool {
    line.strip_prefix("frame=").and_then(|count| count.trim().parse::<u64>().ok()).is_some_and(|count| count > 0)
}

/// The child gets nothing of the environment but where programs and libraries are: the rest holds the secrets of the mapper.
fn command(program: &str, publication: &Publication, url: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-progress", "pipe:1"]);
    // The first frame says all that is to be known.
    command.args(["-f", "matroska", "-fpsprobesize", "0", "-analyzeduration", "0", "-i", "pipe:0"]);
    command.args(match publication.codec {
        PublishCodec::Mjpeg => &["-c:v", "copy"][..],
        PublishCodec::H264 => &[
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-tune",
            "zerolatency",
            "-pix_fmt",
            "yuv420p",
            "-g",
            "50",
            "-fps_mode",
            "passthrough",
        ],
    });
    command.args(["-f", "rtsp", "-rtsp_transport", "tcp", url]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C is for the mapper, which ends the child by itself.
    command.process_group(0).kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_escaped_and_never_shown() {
        let login = Login::new(Some("me@plant"), Some(&Secret::new("hunter:2/\u{e4}"))).expect("it is short");
        assert_eq!(login.in_url, "me%40plant:hunter%3A2%2F%C3%A4@");
        let line = "[rtsp @ 0x55d0c0ffee00] rtsp://me%40plant:hunter%3A2%2F%C3%A4@media/x: hunter:2/\u{e4} is wrong";
        assert_eq!(login.tidied(line), "[rtsp] rtsp://media/x: *** is wrong");
        assert_eq!(Login::new(None, Some(&Secret::new("hunter2"))).expect("no login").in_url, "");
        let long = Login::new(Some("me"), Some(&Secret::new("x".repeat(200)))).err().expect("no room");
        assert!(long.contains("127 characters") && !long.contains("xxx"), "{long}");
    }

    #[tokio::test]
    async fn a_machine_without_the_program_gets_the_cure() {
        let visitor = serde_json::json!({"stream": "rtsp", "publishTo": "rtsp://media/x"});
        let visitor = visitor.as_object().expect("a mapping").clone();
        let property = crate::model::Property::builder("p", crate::model::DataType::String).visitor(visitor);
        let publication = Publication::of(&property).expect("all is well");
        let missing = Ffmpeg::start_program("/nowhere/ffmpeg", &publication, Login::default()).err();
        assert!(missing.is_some_and(|reason| reason.contains("install it where the mapper runs")));
    }

    #[test]
    fn progress_begins_with_a_frame() {
        assert!(shows_a_frame("frame=1") && shows_a_frame("frame=  12"));
        assert!(!shows_a_frame("frame=0") && !shows_a_frame("fps=1") && !shows_a_frame("progress=end"));
    }
}
