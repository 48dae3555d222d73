//! All that does not fit in a mapping, of which a type itself reports only the first.
//!
//! A key that does not fit, or is missing, is noted and then given a value that does fit, so that the type goes on to the next one. A value
//! is found by trial: it has to move the type on. What stands in for a key is itself never told.

use std::{collections::BTreeMap, panic::catch_unwind};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::{Error, Segment};

use super::{Misfit, fault::Fault, lenient::Lenient};

/// How many keys are reported at most. Each takes a dozen attempts at most.
const MOST: usize = 64;

/// Reads a mapping as a type, and reports all of its keys that do not fit or are missing.
///
/// The first one alone is reported where a type does not say at which key it failed: one that has a `#[serde(flatten)]`, for example. What a
/// type finds of several keys together is reported once they fit, each by itself.
///
/// # Errors
///
/// At least one key does not fit or is missing.
pub(crate) fn read_keys<T: DeserializeOwned>(keys: &Map<String, Value>) -> Result<T, Vec<Misfit>> {
    let (read, _) = attempt(keys);
    read.map_err(|error| Search::run::<T>(keys, error).misfits.into_values().collect())
}

/// The keys that a type passes over, whether or not the others fit. One that takes whatever comes, by `#[serde(flatten)]` or a tag, passes
/// over none.
pub(crate) fn unread_keys<T: DeserializeOwned>(keys: &Map<String, Value>) -> Vec<String> {
    let (read, unread) = attempt::<T>(keys);
    let Err(error) = read else { return unread };
    // Among the keys of the mended mapping is none that stands in for another: the type has asked for each of those.
    let mended = Search::run::<T>(keys, error).keys;
    catch_unwind(|| attempt::<T>(&mended).1).unwrap_or_default()
}

/// Reads a mapping once, and gives the keys that were passed over.
fn attempt<T: DeserializeOwned>(keys: &Map<String, Value>) -> (Result<T, Error<Fault>>, Vec<String>) {
    let mut unread = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| unread.push(path.to_string());
    let value = Lenient(Value::Object(keys.clone()));
    let read = serde_path_to_error::deserialize(serde_ignored::Deserializer::new(value, &mut note));
    (read, unread)
}

struct Search {
    /// The mapping, in which something that fits stands in for what does not.
    keys: Map<String, Value>,
    /// By the outermost key; `None` for what is of no key.
    misfits: BTreeMap<Option<String>, Misfit>,
    /// Reads a mapping as the type, and gives what is wrong.
    attempt: fn(&Map<String, Value>) -> Option<Error<Fault>>,
}

impl Search {
    fn run<T: DeserializeOwned>(keys: &Map<String, Value>, first: Error<Fault>) -> Self {
        // A type that panics at what was not written must not hide what was.
        let attempt = |keys: &Map<String, Value>| catch_unwind(|| attempt::<T>(keys).0.err()).ok().flatten();
        let mut search = Self { keys: keys.clone(), misfits: BTreeMap::new(), attempt };
        let mut found = Some(first);
        while let Some(error) = found
            && search.misfits.len() < MOST
        {
            found = search.past(&error);
        }
        search
    }

    /// Notes what is wrong, and gives what else is.
    fn past(&mut self, error: &Error<Fault>) -> Option<Error<Fault>> {
        let key = key_of(error);
        // What is of no key may come of what stands in for others, and a key that is reported already has nothing that fits it.
        let follows = self.misfits.contains_key(&key) || key.is_none() && !self.misfits.is_empty();
        if follows {
            return None;
        }
        self.misfits.insert(key.clone(), Misfit::of(error));
        self.stand_in(&key?, error.inner().words)
    }

    /// Puts something that fits at a key, and gives what is wrong then. Where nothing fits, the key is taken out.
    fn stand_in(&mut self, key: &str, words: &[&str]) -> Option<Error<Fault>> {
        for value in words.iter().take(1).map(|word| json!(word)).chain(forms()) {
            self.keys.insert(key.to_owned(), value);
            let next = (self.attempt)(&self.keys);
            if next.as_ref().and_then(key_of).as_deref() != Some(key) {
                return next;
            }
        }
        self.keys.remove(key);
        (self.attempt)(&self.keys)
    }
}

/// One value of each form that a driver's types commonly have.
fn forms() -> [Value; 9] {
    [
        json!(1),
        json!("1"),
        json!(true),
        json!([]),
        json!({}),
        json!("1s"),
        json!("127.0.0.1"),
        json!("127.0.0.1:1"),
        json!("http://127.0.0.1"),
    ]
}

/// The outermost key that does not fit or is missing; `None` where it is not told.
fn key_of(error: &Error<Fault>) -> Option<String> {
    match error.path().iter().next() {
        Some(Segment::Map { key }) => Some(key.clone()),
        Some(_) => None,
        None => error.inner().missing.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Plc {
        host: String,
        port: u16,
        #[serde(rename = "unitId")]
        unit_id: u8,
        mode: Mode,
        gateway: Ipv4Addr,
        #[serde(with = "humantime_serde")]
        pause: Duration,
        #[serde(default)]
        retries: Option<u8>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Tcp,
        Rtu,
    }

    fn sound() -> Map<String, Value> {
        map(json!({"host": "h", "port": 502, "unitId": 1, "mode": "tcp", "gateway": "10.0.0.1", "pause": "1s"}))
    }

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("a mapping") };
        map
    }

    /// The sound mapping with other values; null takes a key out.
    fn with(changes: Value) -> Map<String, Value> {
        let mut keys = sound();
        for (key, value) in map(changes) {
            if value.is_null() {
                keys.remove(&key);
            } else {
                keys.insert(key, value);
            }
        }
        keys
    }

    fn told<T: DeserializeOwned>(keys: &Map<String, Value>) -> Vec<String> {
        let misfits = read_keys::<T>(keys).err().unwrap_or_default();
        misfits.into_iter().map(|Misfit { path, message, .. }| format!("{path}: {message}")).collect()
    }

    #[test]
    fn every_key_that_does_not_fit_or_is_missing_is_told_once() {
        assert!(read_keys::<Plc>(&sound()).is_ok());
        let keys = with(json!({
            "host": null, "port": "abc", "unitId": 300, "mode": "udp", "gateway": "here", "pause": "soon", "retries": null,
        }));
        let expected = [
            "gateway: invalid IPv4 address syntax",
            ": the key `host` is missing",
            "mode: found `udp`, expected `tcp` or `rtu`",
            "pause: found \"soon\", expected a duration, such as `10s` or `500ms`",
            "port: found \"abc\", expected a whole number from 0 to 65535",
            "unitId: found 300, expected a whole number from 0 to 255",
        ];
        assert_eq!(told::<Plc>(&keys), expected);
    }

    #[test]
    fn all_missing_keys_are_told_and_none_that_was_written_wrongly() {
        assert_eq!(
            told::<Plc>(&with(json!({"host": null, "gateway": null, "port": "abc"}))),
            [
                ": the key `gateway` is missing",
                ": the key `host` is missing",
                "port: found \"abc\", expected a whole number from 0 to 65535"
            ]
        );
    }

    #[test]
    fn keys_that_are_passed_over_are_found_beside_wrong_ones_and_beside_numbers_in_quotes() {
        assert_eq!(unread_keys::<Plc>(&with(json!({"port": "abc", "prot": 1}))), ["prot"]);
        assert_eq!(unread_keys::<Plc>(&with(json!({"port": "502", "prot": 1}))), ["prot"]);
        assert_eq!(unread_keys::<Plc>(&with(json!({"port": null, "prot": 502}))), ["prot"]);
        assert_eq!(unread_keys::<Plc>(&sound()), Vec::<String>::new());
    }

    /// A type that takes no key that it does not know.
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Strict {
        port: u16,
        host: String,
    }

    #[test]
    fn a_strict_type_tells_all_unknown_keys_beside_wrong_ones() {
        assert_eq!(
            told::<Strict>(&map(json!({"hots": "h", "port": "abc", "prot": 1}))),
            [
                ": the key `host` is missing",
                "hots: there is no key `hots`, expected `port` or `host`",
                "port: found \"abc\", expected a whole number from 0 to 65535",
                "prot: there is no key `prot`, expected `port` or `host`"
            ]
        );
    }

    /// A type with a rule about two keys together.
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Ends")]
    struct Range;

    #[derive(Debug, Deserialize)]
    struct Ends {
        from: u8,
        to: u8,
    }

    impl TryFrom<Ends> for Range {
        type Error = &'static str;

        fn try_from(Ends { from, to }: Ends) -> Result<Self, Self::Error> {
            if from < to { Ok(Self) } else { Err("`from` is not less than `to`") }
        }
    }

    #[test]
    fn a_rule_about_several_keys_is_told_once_each_fits() {
        assert_eq!(told::<Range>(&map(json!({"from": 2, "to": 1}))), [": `from` is not less than `to`"]);
        assert_eq!(
            told::<Range>(&map(json!({"from": 2, "to": "x"}))),
            ["to: found \"x\", expected a whole number from 0 to 255"]
        );
    }

    #[test]
    fn a_type_that_panics_at_what_stands_in_is_told_what_was_written() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only whether it can be read matters")]
        struct Panics {
            #[serde(deserialize_with = "never_one")]
            port: u16,
        }
        fn never_one<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
            let port = u16::deserialize(deserializer)?;
            assert_ne!(port, 1, "there is no port 1");
            Ok(port)
        }
        let port = map(json!({"port": "abc"}));
        assert_eq!(told::<Panics>(&port), ["port: found \"abc\", expected a whole number from 0 to 65535"]);
        assert_eq!(unread_keys::<Panics>(&port), Vec::<String>::new());
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Flat {
        name: String,
        #[serde(flatten)]
        rest: Ends,
    }

    #[test]
    fn a_type_that_does_not_name_the_key_is_told_by_what_it_says() {
        assert_eq!(
            told::<Flat>(&map(json!({"name": "n", "from": "x", "to": 1}))),
            [": found \"x\", expected a whole number from 0 to 255"]
        );
        assert_eq!(told::<Flat>(&map(json!({"to": 1}))).len(), 2, "what is missing has a name");
    }
}
