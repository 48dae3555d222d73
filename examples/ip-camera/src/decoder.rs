//! Key frames as JPEG, by a child `ffmpeg` for each: slow, but it needs no library, and a child that hangs or dies costs its frame.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use mapper_framework::{ContentType, DriverError, Format, Frame, FrameSender, jpeg_size};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    task::JoinSet,
    time::timeout,
};

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of a picture.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// How many frames in a row may fail.
const MOST_FAILURES: u32 = 3;

/// Decodes one key frame at a time. Those that come meanwhile are left out.
pub(crate) struct Decoder {
    ffmpeg: PathBuf,
    frames: Arc<FrameSender>,
    /// The child that runs, if one does. It ends with the decoder.
    running: JoinSet<Result<(), DriverError>>,
    failures: u32,
}

impl Decoder {
    /// A decoder, if there is an `ffmpeg`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) async fn new(ffmpeg: &Path, frames: Arc<FrameSender>) -> Result<Self, DriverError> {
        let mut version = command(ffmpeg);
        version.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let found = timeout(PATIENCE, version.status()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if !found.as_ref().is_ok_and(std::process::ExitStatus::success) {
            let why = found.map_or_else(|error| error.to_string(), |status| status.to_string());
            let cure = "install it, or take `decode` out and write `source: snapshot`";
            let name = ffmpeg.display();
            return Err(DriverError::unsupported(format_args!(
                "protocol.configData.decode needs {name}: {why}: {cure}"
            )));
        }
        Ok(Self { ffmpeg: ffmpeg.to_owned(), frames, running: JoinSet::new(), failures: 0 })
    }

    /// Takes a frame, decodes it if it is a key frame and nothing else is being decoded, and sends the picture.
    ///
    /// # Errors
    ///
    /// The last few frames could not be decoded.
    pub(crate) fn offer(&mut self, frame: &Frame) -> Result<(), DriverError> {
        while let Some(ended) = self.running.try_join_next() {
            match ended.unwrap_or_else(|died| Err(DriverError::failed(died))) {
                Ok(()) => self.failures = 0,
                Err(error) => {
                    self.failures += 1;
                    if self.failures == MOST_FAILURES {
                        return Err(error);
                    }
                }
            }
        }
        if frame.is_key() && self.running.is_empty() {
            let (ffmpeg, frames, frame) = (self.ffmpeg.clone(), Arc::clone(&self.frames), frame.clone());
            self.running.spawn(async move {
                let picture = picture(&ffmpeg, &frame).await?;
                frames.granted(Format::new(
                    "MJPG",
                    picture.width().unwrap_or_default(),
                    picture.height().unwrap_or_default(),
                ));
                frames.send(picture);
                Ok(())
            });
        }
        Ok(())
    }
}

/// The picture in a key frame.
async fn picture(ffmpeg: &Path, frame: &Frame) -> Result<Frame, DriverError> {
    let failed = |why: &str| DriverError::failed(format_args!("a key frame cannot be decoded by ffmpeg: {why}"));
    let decoded = timeout(PATIENCE, jpeg(ffmpeg, frame)).await.map_err(|_| failed("it takes too long"))?;
    let jpeg = decoded.map_err(|error| failed(&error.to_string()))?;
    let (width, height) = jpeg_size(&jpeg).ok_or_else(|| failed("it gives no picture"))?;
    Ok(Frame::new(ContentType::Jpeg, jpeg).at(frame.time()).size(width.into(), height.into()))
}

/// The program, without the mapper's environment, which has the passwords of its sinks.
fn command(ffmpeg: &Path) -> Command {
    let mut command = Command::new(ffmpeg);
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

async fn jpeg(ffmpeg: &Path, frame: &Frame) -> io::Result<Vec<u8>> {
    let format = if frame.content_type() == ContentType::H265 { "hevc" } else { "h264" };
    let mut command = command(ffmpeg);
    command.args(["-loglevel", "error", "-threads", "1", "-f", format, "-i", "pipe:0"]);
    command.args(["-frames:v", "1", "-q:v", "3", "-f", "mjpeg", "pipe:1"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let write = async {
        // A child that has seen enough closes its end; what it gives then shows whether that was right.
        input.write_all(frame.bytes()).await.ok();
        drop(input);
    };
    let mut jpeg = Vec::new();
    let mut output = output.take(MOST_BYTES);
    let (read, ()) = tokio::join!(output.read_to_end(&mut jpeg), write);
    read?;
    child.wait().await?;
    Ok(jpeg)
}
