//! What a driver says of a property before anything is read.

use crate::model::{Doubt, Property};

const FIELD: &str = "visitors.configData";

/// What a driver says of a property of a device: what it will read, and what is hardly meant. `my-mapper check` prints both.
///
/// ```
/// use mapper_framework::Review;
///
/// let review = Review::new()
///     .reads("input registers 8..9 of unit 1, int32")
///     .doubt("type", "FLOAT keeps seven digits of an int32", "write DOUBLE in the device model");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    reads: Option<String>,
    /// Key, message and cure.
    doubts: Vec<[String; 3]>,
}

impl Review {
    /// Nothing to say.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What will be read, in words and numbers that its manual uses, such as `holding registers 40..41 of unit 1, uint32 CDAB, × 0.1`.
    #[must_use]
    pub fn reads(mut self, what: impl Into<String>) -> Self {
        self.reads = Some(what.into());
        self
    }

    /// Something that works, and hardly as it was meant: the key of `visitors.configData`, or an empty text for all of them, what is
    /// odd, and what to write instead. `check` prints it as a
    /// warning, and a mapper that runs logs it.
    #[must_use]
    pub fn doubt(mut self, key: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        self.doubts.push([key.to_owned(), message.into(), cure.into()]);
        self
    }

    /// What will be read, if the driver says it.
    #[must_use]
    pub fn reading(&self) -> Option<&str> {
        self.reads.as_deref()
    }

    /// Key, message and cure of each doubt.
    pub fn doubts(&self) -> impl Iterator<Item = [&str; 3]> {
        self.doubts.iter().map(|doubt| doubt.each_ref().map(String::as_str))
    }

    /// The doubts as those of the framework's own.
    pub(crate) fn doubts_of<V>(&self, property: &Property<V>) -> impl Iterator<Item = Doubt> {
        self.doubts().map(|[key, message, cure]| Doubt {
            property: Some(property.name().to_owned()),
            field: if key.is_empty() { FIELD.to_owned() } else { format!("{FIELD}.{key}") },
            message: message.to_owned(),
            cure: cure.to_owned(),
        })
    }
}
