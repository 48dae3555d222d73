#![allow(dead_code)]
use crate::config::SpoolSync;
use std::{collections::VecDeque, io, path::Path};
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) max_bytes: u64,
    pub(crate) sync: SpoolSync,
}
#[derive(Debug)]
pub(crate) struct Spool {
    q: VecDeque<Vec<u8>>,
    leased: usize,
}
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) records: u64,
    pub(crate) torn_bytes: u64,
    pub(crate) corrupt_segments: u64,
    pub(crate) corrupt_records: u64,
}
pub(crate) struct Appended {
    pub(crate) stored: u64,
    pub(crate) dropped: u64,
}
pub(crate) struct Batch {
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) lost: u64,
}
impl Spool {
    pub(crate) fn open(_f: &Path, _o: Options) -> io::Result<(Self, Recovery)> {
        Ok((
            Self { q: VecDeque::new(), leased: 0 },
            Recovery { records: 0, torn_bytes: 0, corrupt_segments: 0, corrupt_records: 0 },
        ))
    }
    pub(crate) fn append<'a>(&mut self, r: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Appended> {
        let n = self.q.len();
        self.q.extend(r.into_iter().map(<[u8]>::to_vec));
        Ok(Appended { stored: (self.q.len() - n) as u64, dropped: 0 })
    }
    pub(crate) fn read(&mut self, n: usize, _b: usize) -> io::Result<Batch> {
        let r: Vec<_> = self.q.iter().skip(self.leased).take(n).cloned().collect();
        self.leased += r.len();
        Ok(Batch { records: r, lost: 0 })
    }
    pub(crate) fn acknowledge(&mut self) -> io::Result<()> {
        self.q.drain(..self.leased);
        self.leased = 0;
        Ok(())
    }
    pub(crate) fn pending(&self) -> u64 {
        self.q.len() as u64
    }
    pub(crate) fn leased(&self) -> u64 {
        self.leased as u64
    }
    pub(crate) fn bytes(&self) -> u64 {
        0
    }
}
