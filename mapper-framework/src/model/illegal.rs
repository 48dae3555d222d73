//! What becomes of a text that edgecore would drop: a key of a property's visitor (docs/reporting.md).

use serde::{Deserialize, Serialize};

use super::{
    DataType, Property,
    keys::{Keys, Misfit},
};

/// What a twin gets of a text that edgecore would drop (`reportIllegal` in a manifest): one with a character outside of letters, digits
/// and `-_.,:/@#`, or with more than 512.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum IllegalValues {
    /// Nothing: it is not reported, but logged and counted.
    #[default]
    Hold,
    /// The text with `_` for each such character, cut at 512 characters. Two texts can become the same.
    Replace,
    /// The text as URL-safe base64 without padding, and every other text of the property as well, so that whoever reads the twin
    /// need not guess. A text of more than 384 bytes has no room, and is held.
    Base64url,
}

const WORDS: [(&str, IllegalValues); 3] =
    [("hold", IllegalValues::Hold), ("replace", IllegalValues::Replace), ("base64url", IllegalValues::Base64url)];

impl IllegalValues {
    /// The key of `visitors.configData`.
    pub(crate) const KEY: &str = "reportIllegal";

    /// What holds for the texts of a property. Where its visitor says nothing, and where what it says is wrong, the mapper's default
    /// holds. What is no text is as it is.
    pub(crate) fn of(property: &Property, default: Self) -> Self {
        if !is_text(property) {
            return Self::Hold;
        }
        let mut keys = Keys::of(property.visitor());
        keys.word(Self::KEY, &WORDS).unwrap_or(default)
    }

    /// All that is wrong with the key of a property.
    pub(crate) fn misfits(property: &Property) -> Vec<Misfit> {
        let mut keys = Keys::of(property.visitor());
        keys.word(Self::KEY, &WORDS);
        if keys.has(Self::KEY) && !is_text(property) {
            let message = format!("is for STRING and STREAM, and the property is {}", property.data_type());
            keys.misfit(Self::KEY, message, "take it out");
        }
        for key in keys.written().filter(|key| *key != Self::KEY && key.eq_ignore_ascii_case(Self::KEY)) {
            keys.misfit(key, "has other upper and lower case letters", format!("write {}", Self::KEY));
        }
        keys.finish(()).err().unwrap_or_default()
    }
}

/// Numbers, booleans and bytes are written in characters that edgecore takes.
fn is_text(property: &Property) -> bool {
    matches!(property.data_type(), DataType::String | DataType::Stream)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::ConfigData;

    fn property(data_type: DataType, key: &str, written: Json) -> Property {
        let visitor = ConfigData::from_iter([(key.to_owned(), written)]);
        Property::builder("text", data_type).visitor(visitor)
    }

    #[test]
    fn the_property_overrules_the_mapper() {
        for (word, rule) in WORDS {
            let named = property(DataType::String, IllegalValues::KEY, word.into());
            assert_eq!(IllegalValues::of(&named, IllegalValues::Replace), rule, "{word}");
            assert_eq!(serde_json::to_value(rule).unwrap(), word, "the config has the same words");
            assert_eq!(IllegalValues::misfits(&named), []);
        }
        let silent = Property::builder("text", DataType::Stream).build();
        assert_eq!(IllegalValues::of(&silent, IllegalValues::Base64url), IllegalValues::Base64url);
    }

    #[test]
    fn what_is_no_text_is_as_it_is() {
        for data_type in [DataType::Int, DataType::Float, DataType::Double, DataType::Boolean, DataType::Bytes] {
            let property = Property::builder("number", data_type).build();
            assert_eq!(IllegalValues::of(&property, IllegalValues::Base64url), IllegalValues::Hold, "{data_type}");
        }
    }

    #[test]
    fn a_wrong_key_names_its_cure_and_leaves_the_default() {
        let wrong = |data_type, key, written| {
            let property = property(data_type, key, written);
            let misfits = IllegalValues::misfits(&property).into_iter();
            let misfits: Vec<_> = misfits.map(|misfit| format!("{}: {}", misfit.message, misfit.cure)).collect();
            (IllegalValues::of(&property, IllegalValues::Replace), misfits.join("; "))
        };
        assert_eq!(
            wrong(DataType::String, "reportIllegal", json!("base64")),
            (IllegalValues::Replace, "\"base64\" is none of hold, replace, base64url: write one of them".to_owned())
        );
        assert_eq!(
            wrong(DataType::Int, "reportIllegal", json!("replace")),
            (IllegalValues::Hold, "is for STRING and STREAM, and the property is INT: take it out".to_owned())
        );
        assert_eq!(
            wrong(DataType::String, "reportillegal", json!("hold")),
            (IllegalValues::Replace, "has other upper and lower case letters: write reportIllegal".to_owned())
        );
    }
}
