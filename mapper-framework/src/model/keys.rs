//! The keys that are the framework's own, in what a user writes as a flat map: a visitor, the settings of a push method. All that is
//! wrong with them is gathered, to be reported at once.

use std::time::Duration;

use serde_json::Value as Json;

use super::ConfigData;

/// The longest time that a key takes, in milliseconds.
const YEAR: f64 = 31_536_000_000.0;

/// Something wrong with one key, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Misfit {
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) cure: String,
}

impl Misfit {
    pub(super) fn new(key: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { key: key.to_owned(), message: message.into(), cure: cure.into() }
    }
}

/// The word of these that was probably meant: equal but for case, or with a slip in so many letters.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str], letters_for_a_slip: usize) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_lowercase());
    let near = known.iter().filter(|known| **known != word && distance(known) <= known.len() / letters_for_a_slip);
    near.min_by_key(|known| distance(known)).copied()
}

/// How many letters a key of the framework's has for a slip: a driver's own key beside them may be much like one.
pub(super) const LETTERS: usize = 4;

/// Reads keys, and keeps what is wrong with them.
pub(super) struct Keys<'a> {
    data: &'a ConfigData,
    misfits: Vec<Misfit>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(data: &'a ConfigData) -> Self {
        Self { data, misfits: Vec::new() }
    }

    /// What was read, unless something is wrong.
    ///
    /// # Errors
    ///
    /// Every key that is wrong.
    pub(super) fn finish<T>(self, read: T) -> Result<T, Vec<Misfit>> {
        if self.misfits.is_empty() { Ok(read) } else { Err(self.misfits) }
    }

    /// Keeps what was found wrong elsewhere.
    pub(super) fn extend(&mut self, misfits: impl IntoIterator<Item = Misfit>) {
        self.misfits.extend(misfits);
    }

    pub(super) fn misfit(&mut self, key: &str, message: impl Into<String>, cure: impl Into<String>) {
        self.misfits.push(Misfit::new(key, message, cure));
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.data.contains_key(key)
    }

    /// All keys that are written, the framework's or not.
    pub(super) fn written(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.data.keys().map(String::as_str)
    }

    /// What is written, as it is.
    pub(super) fn get(&self, key: &str) -> Option<&'a Json> {
        self.data.get(key)
    }

    /// One of a few words. A switch may be written as such, too.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let written = self.data.get(key)?;
        let text = written.as_str().map_or_else(|| written.to_string(), |text| text.trim().to_owned());
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.misfit(key, format!("{written} is none of {}", words.join(", ")), "write one of them");
        }
        found
    }

    /// A finite number, or its text, that fits what is `expected`.
    pub(super) fn number(&mut self, key: &str, expected: &str, fits: impl FnOnce(f64) -> bool) -> Option<f64> {
        let written = self.data.get(key)?;
        let number = match written {
            Json::String(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        };
        let number = number.filter(|number: &f64| number.is_finite() && fits(*number));
        if number.is_none() {
            self.misfit(key, format!("{written} is not {expected}"), format!("write {expected}"));
        }
        number
    }

    /// Milliseconds.
    pub(super) fn time(&mut self, key: &str) -> Option<Duration> {
        let expected = "milliseconds from 0 to those of a year";
        let number = self.number(key, expected, |number| (0.0..=YEAR).contains(&number))?;
        Duration::try_from_secs_f64(number / 1_000.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data(data: Json) -> ConfigData {
        let Json::Object(data) = data else { panic!("a map") };
        data
    }

    #[test]
    fn a_number_may_be_written_as_text_and_a_switch_as_a_word() {
        let data = data(json!({"a": 1.5, "b": " 1.5 ", "c": true, "d": "true", "e": 1500}));
        let mut keys = Keys::of(&data);
        let numbers = ["a", "b"].map(|key| keys.number(key, "a number", |_| true));
        let switches = ["c", "d"].map(|key| keys.word(key, &[("true", 1), ("false", 0)]));
        assert_eq!((numbers, switches), ([Some(1.5); 2], [Some(1); 2]));
        assert_eq!(keys.time("e"), Some(Duration::from_millis(1500)));
        assert_eq!(keys.number("absent", "a number", |_| true), None);
        assert_eq!(keys.finish(()), Ok(()));
    }

    #[test]
    fn a_key_that_was_probably_meant_is_found() {
        let known = ["writeTolerance", "writeInterlock", "writePolicy"];
        let found = ["writeTolerence", "writeIntrelock", "writePolicy", "writable", "register"];
        assert_eq!(
            found.map(|key| nearest(key, &known, LETTERS)),
            [Some("writeTolerance"), Some("writeInterlock"), None, None, None]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_named_with_a_cure() {
        let data = data(json!({"a": "1,5", "b": "yes", "c": -1, "d": 1e300, "e": null, "f": "NaN"}));
        let mut keys = Keys::of(&data);
        keys.number("a", "a number", |_| true);
        keys.word("b", &[("on", ()), ("off", ())]);
        keys.time("c");
        keys.time("d");
        keys.number("e", "a number", |_| true);
        keys.number("f", "a number", |_| true);
        let misfits = keys.finish(()).unwrap_err();
        assert_eq!(misfits.iter().map(|misfit| &*misfit.key).collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(misfits[0], Misfit::new("a", "\"1,5\" is not a number", "write a number"));
        assert_eq!(misfits[1], Misfit::new("b", "\"yes\" is none of on, off", "write one of them"));
    }
}
