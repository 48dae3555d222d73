//! Whatever the program `ffmpeg` reads, as a child that gives pictures on its standard output.

mod log;
mod parts;

use std::{
    env,
    io::{self, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use log::LastLine;
use mapper_framework::{ContentType, Format, Frame, jpeg_size};
use parts::Parts;

use super::{Captured, FrameSource};
use crate::{config::Config, jpeg, wait::wait_for_bytes};

/// How long a picture is waited for before somebody looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(250);

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// A child. It ends with this.
#[derive(Debug)]
pub(super) struct Ffmpeg {
    child: Child,
    output: ChildStdout,
    log: LastLine,
    parts: Parts,
    /// Of the last picture.
    size: Option<(u32, u32)>,
    rate: f64,
}

impl Ffmpeg {
    /// Starts the program for the input that the manifest has.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub(super) fn open(program: &Path, input: &[String], config: &Config) -> io::Result<Self> {
        let mut command = Command::new(program);
        // The mapper's environment has the passwords of its sinks.
        command.env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        command.args(arguments(input, config)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let cure = "`source: ffmpeg` needs this program: install it, or take an image that has it";
            io::Error::new(error.kind(), format!("{}: {error}: {cure}", program.display()))
        })?;
        let missing = || io::Error::other("ffmpeg has no output");
        let output = child.stdout.take().ok_or_else(missing)?;
        let log = LastLine::of(child.stderr.take().ok_or_else(missing)?)?;
        Ok(Self { child, output, log, parts: Parts::default(), size: None, rate: config.frame_rate })
    }

    /// Why the output has ended.
    fn ended(&mut self) -> io::Error {
        // What is left of it has no use, and its last line comes with its end.
        self.child.kill().ok();
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = self.log.finish().map_or_else(|| "and says nothing".to_owned(), |line| format!("and says: {line}"));
        io::Error::new(io::ErrorKind::UnexpectedEof, format!("ffmpeg has ended ({status}) {said}"))
    }
}

/// The whole command line.
fn arguments(input: &[String], config: &Config) -> Vec<String> {
    let mut arguments: Vec<String> = ["-hide_banner", "-nostdin", "-loglevel", "warning"].map(str::to_owned).into();
    // A source of its own making is as fast as the processor otherwise.
    if input.iter().any(|word| word == "lavfi") && !input.iter().any(|word| word == "-re") {
        arguments.push("-re".to_owned());
    }
    arguments.extend_from_slice(input);
    let rate = config.frame_rate.to_string();
    // From the best quality, which is 2, to the worst, which is 31.
    let quality = (31 - u32::from(config.quality) * 29 / 100).to_string();
    let output = ["-an", "-sn", "-dn", "-r", &rate, "-c:v", "mjpeg", "-q:v", &quality, "-f", "mpjpeg", "pipe:1"];
    arguments.extend(output.map(str::to_owned));
    arguments
}

impl FrameSource for Ffmpeg {
    fn format(&self) -> Format {
        let (width, height) = self.size.unwrap_or_default();
        Format::new("MJPG", width, height).frames_per_second(self.rate)
    }

    fn next(&mut self) -> io::Result<Captured> {
        let picture = loop {
            if let Some(picture) = self.parts.next()? {
                break picture;
            }
            if !wait_for_bytes(&self.output, PATIENCE)? {
                return Ok(Captured::NotBefore(Duration::ZERO));
            }
            let mut chunk = [0; CHUNK];
            match self.output.read(&mut chunk)? {
                0 => return Err(self.ended()),
                count => self.parts.push(&chunk[..count]),
            }
        };
        let picture = match jpeg::whole(picture) {
            Ok(picture) => picture,
            Err(reason) => return Ok(Captured::Damaged(reason)),
        };
        self.size = jpeg_size(&picture).map(|(width, height)| (width.into(), height.into())).or(self.size);
        let frame = Frame::new(ContentType::Jpeg, picture);
        Ok(Captured::Frame(match self.size {
            Some((width, height)) => frame.size(width, height),
            None => frame,
        }))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // One that has ended already is no error, and one that is killed is waited for, so that no zombie stays.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::words::words;

    fn line(input: &str) -> String {
        let config = json!({"source": "ffmpeg", "input": input, "frameRate": 12.5, "quality": 100});
        let config: Config = serde_json::from_value(config).expect("it can be read");
        arguments(&words(input).expect("all is closed"), &config).join(" ")
    }

    #[test]
    fn the_input_stands_before_the_output_and_one_of_lavfi_is_read_at_its_own_rate() {
        let output = "-an -sn -dn -r 12.5 -c:v mjpeg -q:v 2 -f mpjpeg pipe:1";
        let begin = "-hide_banner -nostdin -loglevel warning";
        assert_eq!(line("-i rtsp://camera/1"), format!("{begin} -i rtsp://camera/1 {output}"));
        assert_eq!(line("-f lavfi -i testsrc2"), format!("{begin} -re -f lavfi -i testsrc2 {output}"));
        assert_eq!(line("-re -f lavfi -i a").matches("-re").count(), 1);
    }
}
