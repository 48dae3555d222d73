//! The room on disk that the spools of all targets share.
//!
//! What makes room when it is used up is the oldest of the spool that takes the most: a target that is away for good pays for itself, and
//! not those who need little.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::spool::SpoolError;

use super::{Target, log::Log};

/// The spools of all targets, and how many bytes they take.
#[derive(Debug)]
pub(super) struct Shelf {
    limit: u64,
    places: Mutex<HashMap<Target, Place>>,
}

/// The place of one spool.
#[derive(Debug)]
struct Place {
    /// Gone once the spool makes no room any more: what it holds is kept for the next start.
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

    /// Gives the spool of a target its place, which may be that of the one before it.
    pub(super) fn place(&self, target: &Target, log: Weak<Log>, bytes: u64) {
        self.lock().insert(target.clone(), Place { log, bytes, reserved: 0 });
    }

    /// What a spool holds stays as it is.
    pub(super) fn keep(&self, target: &Target) {
        if let Some(place) = self.lock().get_mut(target) {
            place.log = Weak::new();
        }
    }

    /// A spool is closed. What it holds still takes its room.
    pub(super) fn close(&self, target: &Target) {
        let mut places = self.lock();
        match places.get_mut(target) {
            Some(place) if place.bytes > 0 => place.reserved = 0,
            _ => drop(places.remove(target)),
        }
    }

    /// Takes note of how many bytes a spool takes.
    pub(super) fn set(&self, target: &Target, bytes: u64) {
        if let Some(place) = self.lock().get_mut(target) {
            place.bytes = bytes;
        }
    }

    /// A spool has written what it made room for.
    pub(super) fn settle(&self, target: &Target) {
        if let Some(place) = self.lock().get_mut(target) {
            place.reserved = 0;
        }
    }

    /// Sees to it that a spool can take so many bytes more, until it [`settle`](Self::settle)s. Blocks, and locks other spools: call it while
    /// none is locked.
    ///
    /// # Errors
    ///
    /// What is to make room cannot be removed, or nothing is left that could.
    pub(super) fn make_room(&self, target: &Target, needed: u64) -> Result<(), SpoolError> {
        while let Some(largest) = self.reserve(target, needed)? {
            if !largest.give_way()? {
                return Err(SpoolError::Crowded { limit: self.limit });
            }
        }
        Ok(())
    }

    /// Reserves the bytes if they fit. Gives the largest spool that can make room if they do not.
    fn reserve(&self, target: &Target, needed: u64) -> Result<Option<Arc<Log>>, SpoolError> {
        let mut places = self.lock();
        let taken: u64 = places.values().map(Place::total).sum();
        if taken + needed <= self.limit {
            if let Some(place) = places.get_mut(target) {
                place.reserved = needed;
            }
            return Ok(None);
        }
        let open = places.values().filter_map(|place| Some((place.bytes, place.log.upgrade()?)));
        let largest = open.max_by_key(|(bytes, _)| *bytes);
        largest.map(|(_, log)| Some(log)).ok_or(SpoolError::Crowded { limit: self.limit })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
