//! What `serde` says of a value that does not fit.

use std::fmt;

use serde::de::{Error, value};

use super::plain;

/// Why a value does not fit, in plain words, with what of it the framework has to know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Fault {
    pub(super) message: String,
    /// The key that is missing, if that is what is wrong.
    pub(super) missing: Option<&'static str>,
    /// The words that would fit, if it is a word that is wrong.
    pub(super) words: &'static [&'static str],
}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: plain(&message.to_string()), missing: None, words: &[] }
    }

    fn missing_field(key: &'static str) -> Self {
        Self { missing: Some(key), ..Self::custom(value::Error::missing_field(key)) }
    }

    fn unknown_variant(word: &str, words: &'static [&'static str]) -> Self {
        Self { words, ..Self::custom(value::Error::unknown_variant(word, words)) }
    }
}
