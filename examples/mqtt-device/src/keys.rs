//! How the keys of a manifest are written. edgecore carries texts, numbers and booleans, and no lists or maps, so these stand in a text.

use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Deserializer, de::Error};

/// A JSON pointer: empty for the whole document, or beginning with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(pub(crate) String);

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.starts_with('/') {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format_args!("found {text:?}, expected a JSON pointer, such as \"/{text}\"")))
    }
}

/// A regular expression; what its first group captures counts, or the whole match where it has no group.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// What it captures of a text.
    pub(crate) fn capture<'a>(&self, text: &'a str) -> Option<&'a str> {
        let captures = self.0.captures(text)?;
        captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map(Self).map_err(D::Error::custom)
    }
}

/// Pairs in a text: `"ON=true, OFF=false"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs(pub(crate) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(',') {
            let pair = pair.split_once('=').map(|(left, right)| (left.trim().to_owned(), right.trim().to_owned()));
            match pair {
                Some((left, right)) if !left.is_empty() && pairs.iter().all(|(it, _)| *it != left) => {
                    pairs.push((left, right));
                }
                _ => {
                    return Err(D::Error::custom(format_args!(
                        "found {text:?}, expected pairs such as \"ON=true, OFF=false\", with each left side once"
                    )));
                }
            }
        }
        Ok(Self(pairs))
    }
}

/// Milliseconds, from one to a year. edgecore sends all numbers as floats.
pub(crate) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(millis) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    if (1.0..=31_536_000_000.0).contains(&millis) {
        return Ok(Some(Duration::from_millis(millis as u64)));
    }
    Err(D::Error::custom(format_args!("found {millis}, expected milliseconds from 1 to 31536000000")))
}

/// A number, or one in a text: edgecore carries numbers with seven digits only.
#[derive(Deserialize)]
#[serde(untagged)]
enum Decimal {
    Number(f64),
    Text(String),
}

/// A finite number.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let Some(decimal) = Option::<Decimal>::deserialize(deserializer)? else { return Ok(None) };
    let number = match &decimal {
        Decimal::Number(number) => Some(*number),
        Decimal::Text(text) => text.trim().parse().ok(),
    };
    let number = number.filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| D::Error::custom("expected a number"))
}

/// A finite number other than zero.
pub(crate) fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match decimal(deserializer)? {
        Some(0.0) => Err(D::Error::custom("found 0, expected another number")),
        number => Ok(number),
    }
}
