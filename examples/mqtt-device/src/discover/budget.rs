//! How much a search keeps in memory: anybody may publish.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash, RandomState},
};

/// The most topics that are kept.
pub(super) const TOPICS: usize = 20_000;

/// The most bytes that all topics and their payloads take together.
pub(super) const BYTES: usize = 64 * 1024 * 1024;

/// What a topic takes beside its name and its payload: its places in maps.
const OVERHEAD: usize = 256;

/// What the topics that are kept take.
#[derive(Default)]
pub(super) struct Budget {
    /// How many bytes each topic takes.
    sizes: HashMap<String, usize>,
    /// All of them together.
    used: usize,
    is_exceeded: bool,
    /// What tells the descriptions apart that are kept.
    descriptions: HashSet<u64>,
    hasher: RandomState,
}

impl Budget {
    /// Whether a payload of this length can be kept for the topic, in the place of an earlier one.
    pub(super) fn take(&mut self, topic: &str, length: usize) -> bool {
        let size = 2 * topic.len() + OVERHEAD + length;
        let before = self.sizes.get(topic).copied();
        let used = self.used - before.unwrap_or_default() + size;
        if used > BYTES || (before.is_none() && self.sizes.len() >= TOPICS) {
            self.is_exceeded = true;
            return false;
        }
        self.used = used;
        match self.sizes.get_mut(topic) {
            Some(before) => *before = size,
            None => _ = self.sizes.insert(topic.to_owned(), size),
        }
        true
    }

    /// Whether what a payload of this length describes can be kept. It stays beside what the topic has described before, unless it is the
    /// same.
    pub(super) fn describe(&mut self, topic: &str, length: usize, description: impl Hash) -> bool {
        let hash = self.hasher.hash_one((topic, description));
        if self.descriptions.contains(&hash) {
            return true;
        }
        let size = 2 * topic.len() + OVERHEAD + length;
        let is_new = !self.sizes.contains_key(topic);
        if self.used + size > BYTES || (is_new && self.sizes.len() >= TOPICS) {
            self.is_exceeded = true;
            return false;
        }
        self.used += size;
        *self.sizes.entry(topic.to_owned()).or_default() += size;
        self.descriptions.insert(hash);
        true
    }

    /// How many topics are kept.
    pub(super) fn topics(&self) -> usize {
        self.sizes.len()
    }

    /// Whether something was passed over, and what to do about it.
    pub(super) fn excess(&self) -> Option<String> {
        let mebibytes = BYTES / (1024 * 1024);
        self.is_exceeded.then(|| {
            format!(
                "more is published than the search keeps, {TOPICS} topics or {mebibytes} MiB, and the rest is passed over: search a part at a time by the argument `topics`"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_limited_by_their_number_and_go_on_being_heard() {
        let mut budget = Budget::default();
        assert!((0..TOPICS).all(|number| budget.take(&number.to_string(), 1)));
        assert_eq!(budget.excess(), None);
        assert!(!budget.take("another", 1));
        assert!(budget.take("7", 2), "a topic that is kept is kept");
        assert_eq!(budget.topics(), TOPICS);
        assert!(budget.excess().is_some_and(|excess| excess.contains("20000 topics or 64 MiB")));
    }

    #[test]
    fn payloads_are_limited_by_their_bytes_and_make_room_when_they_shrink() {
        let mut budget = Budget::default();
        assert!(budget.take("a", BYTES / 2) && budget.take("b", BYTES / 4));
        assert!(!budget.take("c", BYTES / 4));
        assert!(budget.excess().is_some());
        assert!(budget.take("a", 0) && budget.take("c", BYTES / 4));
    }

    #[test]
    fn descriptions_make_no_room_and_the_same_one_counts_once() {
        let mut budget = Budget::default();
        assert!((0..10).all(|_| budget.describe("a", BYTES / 2, "the same")));
        assert!(budget.describe("a", BYTES / 4, "another"));
        assert!(!budget.describe("a", BYTES / 4, "a third") && budget.excess().is_some());
        assert!(!budget.describe("b", BYTES / 4, "the same"), "it describes something else");
        assert!(budget.describe("a", BYTES / 2, "the same"), "what is kept is kept");
        assert_eq!(budget.topics(), 1);
    }
}
