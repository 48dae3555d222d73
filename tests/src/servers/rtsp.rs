//! A server of RTSP in Go, to which ffmpeg publishes what a camera would show.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{ChildGuard, Tool};

/// How peers authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    None,
    /// By the password in the clear.
    Basic,
    /// By a digest of it.
    Digest,
}

/// What a server is like. By default it listens on any free port, lets everybody in, and has the time of this machine.
#[derive(Clone, Copy, Debug)]
pub struct RtspOptions {
    /// The port; any for 0.
    pub port: u16,
    /// How those who publish and those who read authenticate, as [`RtspServer::USER`].
    pub login: Login,
    /// How many milliseconds the clock of its sender reports is ahead.
    pub clock_ms: i64,
    /// Each packet of this number does not get to those who read; 0 for none.
    pub lose: u32,
}

impl Default for RtspOptions {
    fn default() -> Self {
        Self { port: 0, login: Login::None, clock_ms: 0, lose: 0 }
    }
}

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Video {
    /// One JPEG after the other.
    Mjpeg,
    /// H.264 with a key frame every second.
    H264,
    /// H.265 with a key frame every second.
    H265,
}

/// A running server. Paths are free, and each has one publisher at a time.
#[derive(Debug)]
pub struct RtspServer {
    process: ChildGuard,
    port: u16,
    login: Login,
}

/// A process of ffmpeg that publishes. Dropping it ends it, and with it those who read.
#[derive(Debug)]
pub struct Publisher(ChildGuard);

impl RtspServer {
    /// The user whom it lets in.
    pub const USER: &str = "operator";
    /// The password of that user.
    pub const PASSWORD: &str = "hunter2";

    /// Starts a server, and waits until it listens; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(RtspOptions { port, login, clock_ms, lose }: RtspOptions) -> Option<Self> {
        let Tool::At(program) = crate::go_client("rtsp-server") else { return None };
        let method = match login {
            Login::None => "none",
            Login::Basic => "basic",
            Login::Digest => "digest",
        };
        let mut command = Command::new(program);
        command.args(["-port", &port.to_string(), "-auth", method, "-clock", &format!("{clock_ms}ms")]);
        command.args(["-lose", &lose.to_string()]);
        command.args(["-user", Self::USER, "-password", Self::PASSWORD]);
        let mut process = ChildGuard::spawn(&mut command);
        let line = process.wait_for_line(|line| line.starts_with("listening on")).await;
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the line ends with the port");
        Some(Self { process, port, login })
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a path such as `/camera`, without the password.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}{path}", self.port)
    }

    /// The URL of a path with the password in it, if there is one.
    #[must_use]
    pub fn url_with_password(&self, path: &str) -> String {
        match self.login {
            Login::None => self.url(path),
            Login::Basic | Login::Digest => {
                format!("rtsp://{}:{}@127.0.0.1:{}{path}", Self::USER, Self::PASSWORD, self.port)
            }
        }
    }

    /// Publishes a moving test card of this size, ten pictures in a second, and waits until the server has it; none without ffmpeg.
    ///
    /// # Panics
    ///
    /// If the server does not take it.
    pub async fn publish(&mut self, path: &str, video: Video, size: (u32, u32)) -> Option<Publisher> {
        let mut arguments: Vec<_> = format!("-re -f lavfi -i testsrc2=size={}x{}:rate=10", size.0, size.1)
            .split(' ')
            .map(str::to_owned)
            .collect();
        arguments.extend(video.encoder().split(' ').map(str::to_owned));
        self.publish_by(path, &arguments).await
    }

    /// Publishes what lies in a file as it is, at the speed of its times; none without ffmpeg.
    ///
    /// # Panics
    ///
    /// If the server does not take it.
    pub async fn publish_file(&mut self, path: &str, file: &Path) -> Option<Publisher> {
        let file = file.to_str().expect("the path is text");
        self.publish_by(path, &["-re", "-i", file, "-c", "copy"].map(str::to_owned)).await
    }

    async fn publish_by(&mut self, path: &str, arguments: &[String]) -> Option<Publisher> {
        let Tool::At(program) = crate::ffmpeg("ffmpeg") else { return None };
        let mut command = Command::new(program);
        command.args(["-nostdin", "-loglevel", "error"]).args(arguments);
        command.args(["-f", "rtsp", "-rtsp_transport", "tcp", &self.url_with_password(path)]);
        let publisher = ChildGuard::spawn(&mut command);
        self.wait_for_line(&format!("published {path}")).await;
        Some(Publisher(publisher))
    }

    /// Waits for a line that has not been waited for: `published PATH`, `unpublished PATH`, `reads PATH by TCP` or `by UDP`.
    ///
    /// # Panics
    ///
    /// The future panics when it does not come.
    pub async fn wait_for_line(&mut self, expected: &str) {
        self.process.wait_for_line(|line| line == expected).await;
    }

    /// How often something has begun to read from a path.
    #[must_use]
    pub fn reads(&self, path: &str) -> usize {
        let begin = format!("reads {path} by ");
        self.process.lines().iter().filter(|line| line.starts_with(&begin)).count()
    }

    /// The process, to be frozen, thawed or killed.
    pub fn process(&mut self) -> &mut ChildGuard {
        &mut self.process
    }
}

impl Publisher {
    /// Ends it, and returns when it is gone.
    pub async fn stop(mut self) {
        self.0.kill().await;
    }
}

impl Video {
    /// The arguments that make ffmpeg encode it. Its MJPEG has the tables that RTP has room for.
    fn encoder(self) -> &'static str {
        match self {
            Self::Mjpeg => "-c:v mjpeg -pix_fmt yuvj420p -huffman default -force_duplicated_matrix 1 -q:v 5",
            Self::H264 => "-c:v libx264 -preset ultrafast -tune zerolatency -g 10 -pix_fmt yuv420p",
            Self::H265 => {
                "-c:v libx265 -preset ultrafast -tune zerolatency -x265-params keyint=10:open-gop=0:log-level=error -pix_fmt yuv420p"
            }
        }
    }
}

/// A file of a minute of H.264 that changes its size every two seconds, and the folder that goes with it; none without ffmpeg.
///
/// # Panics
///
/// If ffmpeg does not make it.
pub async fn two_sizes(first: (u32, u32), second: (u32, u32)) -> Option<(TempDir, PathBuf)> {
    let Tool::At(program) = crate::ffmpeg("ffmpeg") else { return None };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut whole = Vec::new();
    for (width, height) in [first, second] {
        let part = folder.path().join(format!("{width}x{height}.h264"));
        let card = format!("testsrc2=size={width}x{height}:rate=25:duration=2");
        let mut command = Command::new(&program);
        command.args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", &card]);
        command.args(Video::H264.encoder().split(' ')).arg(&part);
        let mut encoder = ChildGuard::spawn(&mut command);
        assert!(encoder.exit().await.success(), "{:?}", encoder.lines());
        whole.extend(fs::read(part).expect("ffmpeg has written it"));
    }
    let file = folder.path().join("whole.h264");
    fs::write(&file, whole.repeat(15)).expect("the folder is ours");
    Some((folder, file))
}
