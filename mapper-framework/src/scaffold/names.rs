//! The names of properties as variants of an enum.

use std::{collections::HashSet, iter};

/// A name for each property, in their order: all different, and such as rustc and clippy like them.
pub(super) fn variants<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut free = |name: String| {
        let numbered = (2..).map(|number| format!("{name}{number}"));
        let mut candidates = iter::once(name.clone()).chain(numbered);
        candidates.find(|candidate| taken.insert(candidate.clone())).expect("numbers do not end")
    };
    names.map(|name| free(variant(name))).collect()
}

/// Such as `LowWater` for `low-water`, `lowWater` and `LOW_WATER`.
fn variant(name: &str) -> String {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric());
    let name = calm(&words.map(|word| capitalised(&calm(word))).collect::<String>());
    match name.bytes().next() {
        Some(first) if first.is_ascii_alphabetic() && name != "Self" => name,
        _ => format!("P{name}"),
    }
}

/// What shouts, as `CO2` does, becomes `Co2`: in clippy's eyes it is a word.
fn calm(word: &str) -> String {
    let shouts = !word.bytes().any(|byte| byte.is_ascii_lowercase());
    if shouts { capitalised(&word.to_ascii_lowercase()) } else { word.to_owned() }
}

fn capitalised(word: &str) -> String {
    let mut word = word.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_a_variant() {
        for (name, expected) in [
            ("temperature", "Temperature"),
            ("lowWater", "LowWater"),
            ("low-water", "LowWater"),
            ("LOW_WATER", "LowWater"),
            ("CO2", "Co2"),
            ("a-b-c", "Abc"),
            ("hall/2.fan#1", "Hall2Fan1"),
            ("2nd:fan", "P2ndFan"),
            ("42", "P42"),
            ("self", "PSelf"),
            ("type", "Type"),
            ("@,-", "P"),
        ] {
            assert_eq!(variant(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_fall_together_are_numbered() {
        let names = ["a-b", "a_b", "a-b-2", "a.b"];
        assert_eq!(variants(names.into_iter()), ["Ab", "Ab2", "Ab22", "Ab3"]);
    }
}
