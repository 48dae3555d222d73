//! The last messages of a session, for properties that come later: a broker sends what it has kept once for each subscription.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{traffic::Message, wire::LARGEST};

/// The most topics that are kept because they fit a filter: anybody may publish on others.
const TOPICS: usize = 1000;

/// The most bytes that they take together, with their names.
const BYTES: usize = LARGEST;

/// Why a topic is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A property names it.
    ByName,
    /// It fits a filter with `+` or `#`.
    ByFilter,
}

/// The last message of each topic.
#[derive(Default)]
pub(crate) struct Kept {
    /// When the last one of each topic has come, and why it is kept.
    arrivals: HashMap<String, (u64, Wanted)>,
    /// The messages of topics that properties name, as they came.
    by_name: BTreeMap<u64, Arc<Message>>,
    /// Those of topics that fit a filter, as they came: the oldest makes room.
    by_filter: BTreeMap<u64, Arc<Message>>,
    /// What those that fit a filter take.
    bytes: usize,
    /// The number of the next message.
    next: u64,
}

impl Kept {
    pub(crate) fn get(&self, topic: &str) -> Option<&Message> {
        let (arrival, wanted) = self.arrivals.get(topic)?;
        let messages = if *wanted == Wanted::ByName { &self.by_name } else { &self.by_filter };
        messages.get(arrival).map(|message| &**message)
    }

    /// All messages in the order in which they came.
    pub(crate) fn in_order(&self) -> Vec<Arc<Message>> {
        let mut all: Vec<_> = self.by_name.iter().chain(&self.by_filter).collect();
        all.sort_unstable_by_key(|(arrival, _)| **arrival);
        all.into_iter().map(|(_, message)| Arc::clone(message)).collect()
    }

    /// Keeps a message in the place of its topic's last one.
    pub(crate) fn put(&mut self, message: &Arc<Message>, wanted: Wanted) {
        let Self { arrivals, by_name, by_filter, bytes, next } = self;
        let arrival = (*next, wanted);
        *next += 1;
        let before = match arrivals.get_mut(&message.topic) {
            Some(before) => Some(std::mem::replace(before, arrival)),
            None => arrivals.insert(message.topic.clone(), arrival),
        };
        match before {
            Some((before, Wanted::ByName)) => _ = by_name.remove(&before),
            Some((before, Wanted::ByFilter)) => *bytes -= by_filter.remove(&before).map_or(0, |it| size(&it)),
            None => {}
        }
        if wanted == Wanted::ByName {
            by_name.insert(arrival.0, Arc::clone(message));
            return;
        }
        by_filter.insert(arrival.0, Arc::clone(message));
        self.bytes += size(message);
        while self.by_filter.len() > TOPICS || self.bytes > BYTES {
            let Some((_, oldest)) = self.by_filter.pop_first() else { return };
            self.bytes -= size(&oldest);
            self.arrivals.remove(&oldest.topic);
        }
    }

    /// Keeps what is still wanted.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&str) -> Option<Wanted>) {
        for message in std::mem::take(self).in_order() {
            if let Some(wanted) = wanted(&message.topic) {
                self.put(&message, wanted);
            }
        }
    }
}

fn size(message: &Message) -> usize {
    message.topic.len() + message.payload.len()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn message(topic: &str, bytes: usize) -> Arc<Message> {
        let (topic, payload) = (topic.to_owned(), vec![0; bytes].into());
        Arc::new(Message { topic, payload, retained: false, at: SystemTime::UNIX_EPOCH, too_large: None })
    }

    fn topics(kept: &Kept) -> Vec<String> {
        kept.in_order().iter().map(|message| message.topic.clone()).collect()
    }

    #[test]
    fn messages_stand_in_the_order_in_which_they_came() {
        let mut kept = Kept::default();
        for topic in ["a", "b", "c", "d", "b"] {
            kept.put(&message(topic, 1), if topic == "c" { Wanted::ByFilter } else { Wanted::ByName });
        }
        assert_eq!(topics(&kept), ["a", "c", "d", "b"]);
        kept.retain(|topic| (topic != "a").then_some(Wanted::ByFilter));
        assert_eq!(topics(&kept), ["c", "d", "b"]);
        assert!(kept.get("a").is_none() && kept.get("b").is_some());
        assert_eq!((kept.arrivals.len(), kept.by_filter.len(), kept.bytes), (3, 3, 6));
    }

    #[test]
    fn the_oldest_of_too_many_topics_that_fit_a_filter_makes_room() {
        let mut kept = Kept::default();
        kept.put(&message("named", 1), Wanted::ByName);
        (0..=TOPICS).for_each(|number| kept.put(&message(&number.to_string(), 1), Wanted::ByFilter));
        assert!(kept.get("named").is_some() && kept.get("0").is_none() && kept.get("1").is_some());
        assert_eq!((kept.arrivals.len(), kept.in_order().len()), (TOPICS + 1, TOPICS + 1));
    }

    #[test]
    fn the_oldest_of_too_many_bytes_that_fit_a_filter_makes_room() {
        let mut kept = Kept::default();
        kept.put(&message("a", BYTES / 2), Wanted::ByFilter);
        kept.put(&message("b", BYTES / 4), Wanted::ByFilter);
        kept.put(&message("c", BYTES / 2), Wanted::ByFilter);
        assert_eq!(topics(&kept), ["b", "c"]);
        kept.put(&message("c", 0), Wanted::ByFilter);
        assert_eq!(kept.bytes, BYTES / 4 + 2);
    }
}
