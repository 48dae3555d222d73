//! What a file holds when it is opened.
//!
//! An entry that was recalled although a newer one is lost would have something written again. So a damaged line costs the entry that it
//! may have replaced: that of its property where the line still shows it, and else every entry that stands before it.

use std::collections::HashMap;

use super::{
    Remembered,
    entries::Key,
    format::{self, Header, Line, Named},
};

/// What a file holds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) entries: HashMap<Key, Remembered>,
    pub(super) is_complete: bool,
    /// The number of the last line.
    pub(super) last_number: u64,
    pub(super) condition: Condition,
}

/// In what condition a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Sound,
    /// It ends with a line that was being written when the process or the machine ended, and that nobody relies on.
    Torn,
    /// The first broken line, counted from 1, and how many lines and entries are lost, as far as they can be counted.
    Damaged {
        line: u64,
        lost: u64,
    },
    OtherVersion(u32),
}

/// Reads a file.
pub(super) fn read(content: &[u8]) -> Found {
    let mut lines = content.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let (is_complete, is_broken) = match Header::judge(first.strip_suffix(b"\n").unwrap_or_default()) {
        Header::Sound { is_complete } => (is_complete, false),
        Header::Broken => (false, true),
        Header::OtherVersion(version) => {
            let condition = Condition::OtherVersion(version);
            return Found { entries: HashMap::new(), is_complete: false, last_number: 0, condition };
        }
    };
    let mut search = Search { line: 1, ..Search::default() };
    if is_broken {
        search.broken(first);
    }
    for line in lines {
        search.line += 1;
        search.take(line);
    }
    search.end(is_complete)
}

#[derive(Default)]
struct Search {
    entries: HashMap<Key, Remembered>,
    /// The line that is looked at, counted from 1.
    line: u64,
    last_number: u64,
    is_torn: bool,
    /// What is broken since the last sound line.
    broken: Vec<u8>,
    /// The first line that is broken or missing.
    damaged_at: Option<u64>,
    lost: u64,
}

impl Search {
    fn take(&mut self, line: &[u8]) {
        let Some(whole) = line.strip_suffix(b"\n") else { return self.take_last(line) };
        match format::read_line(whole) {
            Some(sound) => self.sound(sound),
            None => self.broken(line),
        }
    }

    /// The last line, which has no end: it is cut short, or its end is broken.
    fn take_last(&mut self, line: &[u8]) {
        self.is_torn = true;
        let without_end = line.split_last().and_then(|(_, rest)| format::read_line(rest));
        if let Some(sound) = format::read_line(line).or(without_end) {
            self.sound(sound);
        }
    }

    fn sound(&mut self, Line { number, key, entry }: Line) {
        let missing = number.checked_sub(self.last_number + 1);
        if missing != Some(0) || !self.broken.is_empty() {
            self.damaged_at.get_or_insert(self.line);
            self.settle(|named| missing == Some(named.len() as u64), missing);
        }
        self.last_number = number;
        match entry {
            Some(entry) => drop(self.entries.insert(key, entry)),
            None => drop(self.entries.remove(&key)),
        }
    }

    fn broken(&mut self, line: &[u8]) {
        self.damaged_at.get_or_insert(self.line);
        self.broken.extend_from_slice(line);
    }

    /// Drops what the broken lines may have replaced, if these are all of them, or else everything.
    fn settle(&mut self, are_all: impl FnOnce(&[Named]) -> bool, missing: Option<u64>) {
        let named = format::names_in(&std::mem::take(&mut self.broken));
        if are_all(&named) {
            self.entries.retain(|key, _| named.iter().all(|named| named.key != *key));
            self.lost += named.len() as u64;
        } else {
            self.lost += self.entries.len() as u64 + missing.unwrap_or_default().max(named.len() as u64);
            self.entries.clear();
        }
    }

    fn end(mut self, is_complete: bool) -> Found {
        if !self.broken.is_empty() {
            // No line behind them says how many they were, but their lengths do.
            let (bytes, is_torn) = (self.broken.len(), self.is_torn);
            self.settle(|named| !is_torn && named.iter().map(|named| named.bytes).sum::<usize>() == bytes, None);
        }
        let condition = match self.damaged_at {
            Some(line) => Condition::Damaged { line, lost: self.lost },
            None if self.is_torn => Condition::Torn,
            None => Condition::Sound,
        };
        let Self { entries, last_number, .. } = self;
        Found { entries, is_complete: is_complete && self.damaged_at.is_none(), last_number, condition }
    }
}
