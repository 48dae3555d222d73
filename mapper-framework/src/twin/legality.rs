//! What edgecore drops without a word: the call succeeds, and the twin is not stored.
//!
//! KubeEdge checks names and values of twins against these patterns (`constants.DefaultTwinNameRegex` and its kin in
//! `edge/pkg/devicetwin`): `^[a-zA-Z0-9-_.,:/@#]{1,128}$` for a name and `^[a-zA-Z0-9-_.,:/@#]{1,512}$` for a value that is not
//! empty.

use std::fmt;

const MAX_NAME: usize = 128;
pub(super) const MAX_VALUE: usize = 512;

/// Why edgecore would drop a twin, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Illegal {
    NameCharacter(char),
    NameLength(usize),
    ValueCharacter(char),
    ValueLength(usize),
    /// Of a text that is written as base64url.
    EncodedLength(usize),
}

/// Checks a property's name and the value of its twin.
pub(crate) fn check(name: &str, value: &str) -> Result<(), Illegal> {
    check_name(name)?;
    check_value(value)
}

/// Checks a property's name.
pub(crate) fn check_name(name: &str) -> Result<(), Illegal> {
    if let Some(character) = first_illegal(name) {
        return Err(Illegal::NameCharacter(character));
    }
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Illegal::NameLength(name.len()));
    }
    Ok(())
}

/// Checks the value of a twin, which may be empty.
pub(crate) fn check_value(value: &str) -> Result<(), Illegal> {
    match first_illegal(value) {
        Some(character) => Err(Illegal::ValueCharacter(character)),
        None if value.len() > MAX_VALUE => Err(Illegal::ValueLength(value.len())),
        None => Ok(()),
    }
}

fn first_illegal(text: &str) -> Option<char> {
    text.chars().find(|&character| !is_legal(character))
}

/// Whether edgecore takes a character in names and values.
pub(super) fn is_legal(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.,:/@#".contains(character)
}

impl Illegal {
    /// What edgecore would drop.
    pub(crate) fn message(&self) -> String {
        const ALPHABET: &str = "letters, digits and -_.,:/@#";
        match self {
            Self::NameCharacter(character) => {
                format!("the name holds {character:?}, and edgecore takes {ALPHABET} only")
            }
            Self::NameLength(length) => {
                format!("the name has {length} characters, and edgecore takes 1 to {MAX_NAME}")
            }
            Self::ValueCharacter(character) => {
                format!("the value holds {character:?}, and edgecore takes {ALPHABET} only")
            }
            Self::ValueLength(length) => {
                format!("the value has {length} characters, and edgecore takes at most {MAX_VALUE}")
            }
            Self::EncodedLength(length) => {
                format!("the value has {length} characters as base64url, and edgecore takes at most {MAX_VALUE}")
            }
        }
    }

    /// What to do about it.
    pub(crate) fn cure(&self) -> &'static str {
        match self {
            Self::NameCharacter(_) | Self::NameLength(_) => "rename the property",
            Self::ValueCharacter(_) => {
                "let the driver encode it, declare the property as BYTES, or set reportIllegal: replace or base64url for a text"
            }
            Self::ValueLength(_) | Self::EncodedLength(_) => {
                "push it to a sink and set reportToCloud: false, or have a text cut by reportIllegal: replace"
            }
        }
    }
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message(), self.cure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_edgecore_takes_is_legal() {
        assert_eq!(check("temperature", "21.5"), Ok(()));
        assert_eq!(check("a-b_c.d,e:f/g@h#0", &"x".repeat(512)), Ok(()));
        assert_eq!(check("level", ""), Ok(()));
        assert_eq!(check("image", "_-8"), Ok(()), "URL-safe base64 fits");
    }

    #[test]
    fn what_edgecore_drops_is_named() {
        for character in [' ', '+', '=', '{', '°', '\n'] {
            assert_eq!(check("level", &format!("2{character}1")), Err(Illegal::ValueCharacter(character)));
        }
        assert_eq!(check("level", &"x".repeat(513)), Err(Illegal::ValueLength(513)));
        assert_eq!(check("le vel", "1"), Err(Illegal::NameCharacter(' ')));
        assert_eq!(check("", "1"), Err(Illegal::NameLength(0)));
        assert_eq!(check(&"n".repeat(129), "1"), Err(Illegal::NameLength(129)));
    }

    #[test]
    fn the_cure_of_a_text_is_named() {
        for illegal in [Illegal::ValueCharacter(' '), Illegal::ValueLength(513), Illegal::EncodedLength(514)] {
            assert!(illegal.to_string().contains("reportIllegal: replace"), "{illegal}");
        }
    }
}
