//! The room on disk that the spools of all targets share.
//!
//! What makes room when it is used up is the oldest of the spool that takes the most: a target that is away for good pays for itself, and
//! not those who need little.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::spool::SpoolError;

use super::log::Log;

/// All open spools, and how many bytes they take.
#[derive(Debug)]
pub(super) struct Shelf {
    limit: u64,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    by_number: HashMap<u64, Place>,
}

/// The place of one spool.
#[derive(Debug)]
struct Place {
    log: Weak<Log>,
    bytes: u64,
    /// What is about to be written.
    reserved: u64,
}

impl Place {
    fn total(&self) -> u64 {
        self.bytes + self.reserved
    }
}

impl Shelf {
    /// Room for so many bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, places: Mutex::default() }
    }

    /// Gives a spool its place, which has a number.
    pub(super) fn place(&self, log: Weak<Log>, bytes: u64) -> u64 {
        let mut places = self.lock();
        let number = places.next;
        places.next += 1;
        places.by_number.insert(number, Place { log, bytes, reserved: 0 });
        number
    }

    /// A spool is closed.
    pub(super) fn clear(&self, number: u64) {
        self.lock().by_number.remove(&number);
    }

    /// Takes note of how many bytes a spool takes.
    pub(super) fn set(&self, number: u64, bytes: u64) {
        if let Some(place) = self.lock().by_number.get_mut(&number) {
            place.bytes = bytes;
        }
    }

    /// A spool has written what it made room for.
    pub(super) fn settle(&self, number: u64) {
        if let Some(place) = self.lock().by_number.get_mut(&number) {
            place.reserved = 0;
        }
    }

    /// Sees to it that a spool can take so many bytes more, until it [`settle`](Self::settle)s. Blocks, and locks other spools: call it while
    /// none is locked.
    ///
    /// # Errors
    ///
    /// What is to make room cannot be removed.
    pub(super) fn make_room(&self, number: u64, needed: u64) -> Result<(), SpoolError> {
        while let Some(largest) = self.reserve(number, needed) {
            if !largest.give_way()? {
                // Nothing is left but what a spool needs without records.
                break;
            }
        }
        Ok(())
    }

    /// Reserves the bytes if they fit. Gives the largest spool if they do not.
    fn reserve(&self, number: u64, needed: u64) -> Option<Arc<Log>> {
        let mut places = self.lock();
        let taken: u64 = places.by_number.values().map(Place::total).sum();
        if taken + needed <= self.limit {
            if let Some(place) = places.by_number.get_mut(&number) {
                place.reserved = needed;
            }
            return None;
        }
        places.by_number.values().max_by_key(|place| place.bytes)?.log.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
