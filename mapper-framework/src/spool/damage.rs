//! The file that remembers which damage has been counted, so that a segment that waits is not counted anew at each start.
//!
//! A line for each segment: its number, and how many of its records are lost. The file is not forced to the disk: what a power loss costs of
//! it is damage that is counted twice.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The damage of segments, as far as it has been counted.
#[derive(Debug)]
pub(super) struct Damage {
    path: PathBuf,
    lost: BTreeMap<u64, u64>,
    /// The size of the file.
    bytes: u64,
}

impl Damage {
    /// Reads what was remembered. What cannot be read is counted again.
    pub(super) fn load(folder: &Path) -> Self {
        let path = folder.join("damage");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let entry = |line: &str| {
            let (number, lost) = line.split_once(' ')?;
            Some((number.parse().ok()?, lost.parse().ok()?))
        };
        let lost = text.lines().filter_map(entry).collect();
        let bytes = fs::metadata(&path).map_or(0, |found| if found.is_file() { found.len() } else { 0 });
        Self { path, lost, bytes }
    }

    /// The size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many lost records of a segment have been counted; `None` if it was not known to be damaged.
    pub(super) fn counted(&self, number: u64) -> Option<u64> {
        self.lost.get(&number).copied()
    }

    /// More records of a segment are lost, and counted.
    pub(super) fn add(&mut self, number: u64, lost: u64) {
        *self.lost.entry(number).or_default() += lost;
        self.write();
    }

    /// A segment is gone.
    pub(super) fn forget(&mut self, number: u64) {
        if self.lost.remove(&number).is_some() {
            self.write();
        }
    }

    /// Forgets all segments but these.
    pub(super) fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        let before = self.lost.len();
        self.lost.retain(|number, _| is_there(*number));
        if self.lost.len() < before {
            self.write();
        }
    }

    /// Removes the file.
    pub(super) fn remove(&mut self) {
        self.lost.clear();
        self.write();
    }

    fn write(&mut self) {
        let text: String = self.lost.iter().map(|(number, lost)| format!("{number} {lost}\n")).collect();
        let written = if text.is_empty() { fs::remove_file(&self.path) } else { fs::write(&self.path, &text) };
        if written.is_ok() {
            self.bytes = text.len() as u64;
        }
    }
}
