//! The files of the audit: the one that is written, and older ones beside it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use super::super::{
    files::{FileError, beside, folder_of},
    lock::Lock,
};

/// The files at a path, within their budget.
pub(super) struct Files {
    path: PathBuf,
    max_bytes: u64,
    files: u32,
    /// Keeps other mappers out, which would rename the files under this one. `None` until it could be taken.
    lock: Option<Lock>,
}

/// Lines that could not be written, and why.
pub(super) struct Unwritten {
    pub(super) lines: u64,
    pub(super) error: FileError,
}

/// The file that is written, and its size.
struct Open {
    file: File,
    bytes: u64,
}

impl Files {
    pub(super) fn new(path: PathBuf, max_bytes: u64, files: u32) -> Self {
        Self { path, max_bytes, files: files.max(1), lock: None }
    }

    /// Makes the folder and the file, and removes the files that are too many.
    pub(super) fn prepare(&mut self) -> Result<(), FileError> {
        let folder = folder_of(&self.path);
        fs::create_dir_all(folder).map_err(FileError::on("make", folder))?;
        self.lock()?;
        let too_many = (self.files..).map(|number| self.older(number)).take_while(|path| path.exists());
        for path in too_many {
            fs::remove_file(&path).map_err(FileError::on("remove", &path))?;
        }
        self.open().map(drop)
    }

    /// Writes lines behind those that are there, and forces them to the disk. The file is opened each time: so it is noticed when it or
    /// its folder has gone.
    pub(super) fn write(&mut self, lines: &[String]) -> Result<(), Unwritten> {
        let mut written = 0;
        self.write_counted(lines, &mut written)
            .map_err(|error| Unwritten { lines: lines.len() as u64 - written, error })
    }

    /// As [`write`](Self::write), and counts the lines that are written.
    fn write_counted(&mut self, lines: &[String], written: &mut u64) -> Result<(), FileError> {
        self.lock()?;
        let mut open = self.open()?;
        for line in lines {
            if open.bytes > 0 && open.bytes + line.len() as u64 > self.max_bytes {
                open.sync().map_err(FileError::on("sync", &self.path))?;
                self.rotate()?;
                open = self.open()?;
            }
            open.append(line.as_bytes()).map_err(FileError::on("write", &self.path))?;
            *written += 1;
        }
        open.sync().map_err(FileError::on("sync", &self.path))
    }

    fn lock(&mut self) -> Result<(), FileError> {
        if self.lock.is_none() {
            let path = beside(&self.path, ".lock");
            self.lock = Lock::take(&path).map_err(FileError::on("lock", &path))?;
        }
        let in_use = || FileError::in_use(&self.path, "give each mapper a writes.audit.path of its own");
        self.lock.as_ref().map(drop).ok_or_else(in_use)
    }

    /// Opens the file. A last line without an end, as a crash leaves it, gets one, so that the next is not lost with it.
    fn open(&self) -> Result<Open, FileError> {
        let open = || {
            // What is written to devices is nobody else's.
            let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
            let mut open = Open { bytes: file.metadata()?.len(), file: file.try_clone()? };
            let mut last = [b'\n'];
            if open.bytes > 0 {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
            }
            if last != [b'\n'] {
                open.append(b"\n")?;
            }
            Ok(open)
        };
        open().map_err(FileError::on("open", &self.path))
    }

    /// Renames each file to the next number, and drops the last one.
    fn rotate(&self) -> Result<(), FileError> {
        if self.files == 1 {
            return fs::remove_file(&self.path).map_err(FileError::on("remove", &self.path));
        }
        let free = (1..self.files).find(|number| !self.older(*number).exists()).unwrap_or(self.files - 1);
        for number in (0..free).rev() {
            let (from, to) = (self.older(number), self.older(number + 1));
            fs::rename(&from, &to).map_err(FileError::on("rename", &from))?;
        }
        Ok(())
    }

    /// The path of the file with a number: 0 is the one that is written.
    fn older(&self, number: u32) -> PathBuf {
        if number == 0 { self.path.clone() } else { beside(&self.path, &format!(".{number}")) }
    }
}

impl Open {
    /// Writes bytes whole, or leaves nothing of them as far as that can be done.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // Where that fails too, what stays gets an end when the file is next opened.
            self.file.set_len(self.bytes).ok();
            return Err(error);
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
