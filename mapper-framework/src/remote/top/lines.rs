//! The last lines of a log, for the foot of a table.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many lines are kept.
const KEPT: usize = 200;

/// The last lines of what is written to it. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// What has no end yet.
    rest: Vec<u8>,
}

impl Lines {
    /// The lines, oldest first.
    pub(crate) fn last(&self) -> Vec<String> {
        self.kept().lines.iter().cloned().collect()
    }

    /// Held for as long as it takes to add or to copy a few lines.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.kept();
        kept.rest.extend_from_slice(bytes);
        while let Some(end) = kept.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = kept.rest.drain(..=end).collect();
            if kept.lines.len() == KEPT {
                kept.lines.pop_front();
            }
            kept.lines.push_back(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut lines = Lines::default();
        write!(lines, "a\nb").unwrap();
        assert_eq!(lines.last(), ["a"]);
        for number in 0..KEPT {
            writeln!(lines, "{number}").unwrap();
        }
        let last = lines.last();
        assert_eq!((last.len(), last[0].as_str(), last[KEPT - 1].as_str()), (KEPT, "b0", "199"));
    }
}
