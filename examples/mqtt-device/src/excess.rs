//! Messages that are so large that they end a connection: whose they are, and what becomes of the other devices.
//!
//! MQTT 3.1.1 has no word for what a client takes, and of a message that is not read the topic is not known. So after one of them each device
//! has a connection of its own for a while. That of the device at fault ends again, and the others go on.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long devices have connections of their own after such a message.
const APART: Duration = Duration::from_secs(3600);

/// How long nobody connects in the same way: such a message may be kept, and then comes each time.
const PAUSE: Duration = Duration::from_secs(10);

/// The most topics that are named.
const NAMED: usize = 10;

/// The last message that has ended a connection with the same settings: when, and what is reported.
#[derive(Debug, Default)]
pub(crate) struct Excess(Mutex<Option<(Instant, String)>>);

impl Excess {
    /// Remembers one of so many bytes, where these are the most, and returns what is reported. `topics` are all on which it may have come.
    pub(crate) fn note(&self, now: Instant, bytes: usize, most: usize, topics: &[String]) -> String {
        let topics = match topics {
            [topic] => format!(" on {topic}"),
            [_, ..] if topics.len() <= NAMED => format!(" on one of {}", topics.join(", ")),
            _ => String::new(),
        };
        let why = format!(
            "a message of {bytes} bytes has come{topics}, and {most} are the most: let its sender publish less, use topics without it, or speak \
             MQTT 5 (`version`), by which the broker keeps it to itself"
        );
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, why.clone()));
        why
    }

    /// Whether devices are to have connections of their own.
    pub(crate) fn sets_apart(&self, now: Instant) -> bool {
        self.within(now, APART).is_some()
    }

    /// Why nobody is to connect now, if that is so.
    pub(crate) fn forbids(&self, now: Instant) -> Option<String> {
        self.within(now, PAUSE)
    }

    fn within(&self, now: Instant, time: Duration) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < time).map(|(_, why)| why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_topics_forbids_connections_for_a_moment_and_sets_apart_for_longer() {
        let (excess, now) = (Excess::default(), Instant::now());
        assert!(!excess.sets_apart(now) && excess.forbids(now).is_none());
        let topics: Vec<_> = (0..11).map(|number| number.to_string()).collect();
        let note = |topics: &[String]| excess.note(now, 9, 8, topics);
        assert!(note(&topics).starts_with("a message of 9 bytes has come, and 8 are the most: "));
        assert!(note(&topics[..2]).starts_with("a message of 9 bytes has come on one of 0, 1, and 8 are"));
        let why = note(&topics[..1]);
        assert!(why.starts_with("a message of 9 bytes has come on 0, and 8 are"));
        assert_eq!(excess.forbids(now), Some(why));
        assert!(excess.sets_apart(now + PAUSE) && excess.forbids(now + PAUSE).is_none());
        assert!(!excess.sets_apart(now + APART));
    }
}
