//! The pictures in a folder, for machines without a camera.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mapper_framework::{ContentType, Format, Frame};

use super::{Captured, FrameSource};
use crate::{config::Config, jpeg};

/// The most bytes of a picture.
const MOST_BYTES: u64 = jpeg::LARGEST as u64;

/// The `.jpg` files of a folder, by their names and over and over. The folder is read anew with each round.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    size: (u32, u32),
    rate: f64,
    /// What is left of this round, the next one last.
    files: Vec<PathBuf>,
    due: Instant,
}

impl Folder {
    pub(super) fn open(path: &Path, config: &Config) -> io::Result<Self> {
        let size = (config.width, config.height);
        let files = pictures(path)?;
        Ok(Self { path: path.to_owned(), size, rate: config.frame_rate, files, due: Instant::now() })
    }
}

/// The pictures, the first one last.
fn pictures(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(named)? {
        let path = entry.map_err(named)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if ["jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known)) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(named(io::Error::new(io::ErrorKind::NotFound, "there is no .jpg file in it: put one there")));
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    Ok(files)
}

impl FrameSource for Folder {
    /// The size in the manifest: that of the pictures is in them.
    fn format(&self) -> Format {
        Format::new("JPEG", self.size.0, self.size.1).frames_per_second(self.rate)
    }

    fn next(&mut self) -> io::Result<Captured> {
        let now = Instant::now();
        if now < self.due {
            return Ok(Captured::NotBefore(self.due - now));
        }
        self.due = now + Duration::from_secs_f64(1.0 / self.rate);
        if self.files.is_empty() {
            self.files = pictures(&self.path)?;
        }
        while let Some(file) = self.files.pop() {
            match picture(&file) {
                // It was deleted since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => {
                    return read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())));
                }
            }
        }
        Ok(Captured::NotBefore(Duration::ZERO))
    }
}

/// Reads a picture. One that is still being written is damaged until the next round.
fn picture(file: &Path) -> io::Result<Captured> {
    let damaged = |why: &str| Ok(Captured::Damaged(format!("{}: {why}", file.display())));
    // Looked at before it is opened: that would wait for ever at a pipe.
    if !fs::metadata(file)?.is_file() {
        return damaged("it is no regular file");
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return damaged(&format!("it has more than {MOST_BYTES} bytes"));
    }
    match jpeg::whole(bytes) {
        Ok(bytes) => Ok(Captured::Frame(Frame::new(ContentType::Jpeg, bytes))),
        Err(why) => damaged(&why),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config() -> Config {
        serde_json::from_value(json!({"source": "folder", "frameRate": 1000})).expect("it can be read")
    }

    /// A picture as far as anybody looks at it.
    fn picture_of(name: &str) -> Vec<u8> {
        [&[0xff, 0xd8], name.as_bytes(), &[0xff, 0xd9]].concat()
    }

    #[test]
    fn pictures_come_by_their_names_and_over_and_over() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for name in ["b.jpg", "a.JPEG", "notes.txt"] {
            fs::write(folder.path().join(name), picture_of(name)).expect("it can be written");
        }
        let mut source = Folder::open(folder.path(), &config()).expect("there are pictures");
        let mut seen = Vec::new();
        while seen.len() < 4 {
            if let Captured::Frame(frame) = source.next().expect("the files are there") {
                seen.push(frame.bytes().to_vec());
            }
        }
        assert_eq!(seen, ["a.JPEG", "b.jpg", "a.JPEG", "b.jpg"].map(picture_of));
    }

    #[test]
    fn a_file_that_is_gone_is_passed_over_and_one_that_is_no_whole_picture_is_damaged() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = |name: &str| folder.path().join(name);
        for name in ["a.jpg", "f.jpg"] {
            fs::write(path(name), picture_of(name)).expect("it can be written");
        }
        fs::write(path("b.jpg"), &picture_of("b.jpg")[..5]).expect("it can be written");
        let made = std::process::Command::new("mkfifo").arg(path("c.jpg")).status();
        assert!(made.expect("there is mkfifo").success());
        let large = File::create(path("d.jpg")).expect("it can be made");
        large.set_len(MOST_BYTES + 1).expect("it may be sparse");
        fs::create_dir(path("e.jpg")).expect("it can be made");
        let mut source = Folder::open(folder.path(), &config()).expect("there are pictures");
        fs::remove_file(path("a.jpg")).expect("it was there");
        let mut seen = Vec::new();
        while seen.len() < 5 {
            match source.next().expect("none of them ends the stream") {
                Captured::Frame(frame) => seen.push(String::from_utf8_lossy(&frame.bytes()[2..7]).into_owned()),
                Captured::Damaged(why) => seen.push(why),
                Captured::NotBefore(_) => {}
            }
        }
        for (seen, wanted) in seen.iter().zip(["ends early", "no regular", "has more than", "no regular", "f.jpg"]) {
            assert!(seen.contains(wanted), "{seen} is not {wanted}");
        }
    }

    #[test]
    fn a_folder_without_pictures_is_an_error_with_its_cure() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let error = Folder::open(folder.path(), &config()).expect_err("it is empty").to_string();
        assert!(
            error.starts_with(folder.path().to_str().expect("it is text")) && error.ends_with("put one there"),
            "{error}"
        );
        let missing = Folder::open(&folder.path().join("none"), &config()).expect_err("it is not there");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
