//! A text as it stands in a twin, by the rule of its property for what edgecore would drop.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::model::IllegalValues;

use super::legality::{self, Illegal};

/// What takes the place of a character that edgecore does not take.
const REPLACEMENT: char = '_';

/// The text as it stands in the twin.
///
/// # Errors
///
/// By this rule there is nothing that edgecore would store.
pub(crate) fn written(text: &str, rule: IllegalValues) -> Result<Cow<'_, str>, Illegal> {
    let written = match rule {
        IllegalValues::Hold => Cow::Borrowed(text),
        IllegalValues::Replace => replaced(text).into(),
        IllegalValues::Base64url => URL_SAFE_NO_PAD.encode(text).into(),
    };
    match legality::check_value(&written) {
        Ok(()) => Ok(written),
        Err(Illegal::ValueLength(length)) if rule == IllegalValues::Base64url => Err(Illegal::EncodedLength(length)),
        Err(illegal) => Err(illegal),
    }
}

fn replaced(text: &str) -> String {
    let legal = |character| if legality::is_legal(character) { character } else { REPLACEMENT };
    text.chars().map(legal).take(legality::MAX_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use IllegalValues::{Base64url, Hold, Replace};

    use super::*;

    #[test]
    fn a_legal_text_is_touched_by_base64url_only() {
        for rule in [Hold, Replace] {
            assert_eq!(written("a-b_c.d,e:f/g@h#0", rule).as_deref(), Ok("a-b_c.d,e:f/g@h#0"));
        }
        assert_eq!(written("run", Base64url).as_deref(), Ok("cnVu"));
        for rule in [Hold, Replace, Base64url] {
            assert_eq!(written("", rule).as_deref(), Ok(""));
        }
    }

    #[test]
    fn each_illegal_character_is_replaced_by_one_however_many_bytes_it_has() {
        assert_eq!(written("21 °C", Hold), Err(Illegal::ValueCharacter(' ')));
        assert_eq!(written("21 °C", Replace).as_deref(), Ok("21__C"));
        assert_eq!(written("{\"运行\": +1=1}\n", Replace).as_deref(), Ok("_____:__1_1__"));
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        assert_eq!(written(&"x".repeat(513), Hold), Err(Illegal::ValueLength(513)));
        for (text, expected) in [
            ("x".repeat(512), "x".repeat(512)),
            ("x".repeat(513), "x".repeat(512)),
            ("°".repeat(512), "_".repeat(512)),
            ("x".repeat(511) + "🙂y", "x".repeat(511) + "_"),
        ] {
            assert_eq!(written(&text, Replace).as_deref(), Ok(expected.as_str()));
        }
    }

    #[test]
    fn base64url_has_room_for_384_bytes() {
        assert_eq!(written(&"x".repeat(384), Base64url).map(|written| written.len()), Ok(512));
        assert_eq!(written(&"x".repeat(385), Base64url), Err(Illegal::EncodedLength(514)));
        assert_eq!(written(&"°".repeat(192), Base64url).map(|written| written.len()), Ok(512));
        assert_eq!(written(&"°".repeat(193), Base64url), Err(Illegal::EncodedLength(515)));
    }

    mod with_any_text {
        use super::*;

        proptest::proptest! {
            #[test]
            fn replaced_text_is_legal_and_stays_what_it_is(text in "\\PC{0,600}") {
                let once = written(&text, Replace).expect("edgecore takes it").into_owned();
                proptest::prop_assert_eq!(once.chars().count(), text.chars().count().min(512));
                let twice = written(&once, Replace).expect("still");
                proptest::prop_assert_eq!(&*twice, once.as_str());
            }

            #[test]
            fn encoded_text_comes_back(text in "\\PC{0,90}") {
                let encoded = written(&text, Base64url).expect("at most 360 bytes");
                proptest::prop_assert_eq!(URL_SAFE_NO_PAD.decode(&*encoded).unwrap(), text.into_bytes());
            }
        }
    }
}
