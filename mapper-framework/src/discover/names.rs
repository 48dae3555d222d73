//! Legal names, and different ones.

use std::{
    collections::{HashMap, HashSet},
    iter,
};

/// The longest name of a resource, so that it is a label as well.
const RESOURCE: usize = 63;

/// The longest name of a property that edgecore takes.
const PROPERTY: usize = 128;

/// A name as Kubernetes takes it: lower-case letters, digits and `-`. `fallback`, where nothing is left of the text.
pub(super) fn resource(text: &str, fallback: &str) -> String {
    let slug = |text: &str| {
        let lower = text.to_lowercase();
        words(&lower, RESOURCE, |character| character.is_ascii_lowercase() || character.is_ascii_digit())
    };
    [text, fallback].map(slug).into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "device".to_owned())
}

/// A name as edgecore takes it of a property: letters, digits and `-_.,:/@#`.
pub(super) fn property(text: &str) -> String {
    let is_legal = |character: char| character.is_ascii_alphanumeric() || "_.,:/@#".contains(character);
    let name = words(text, PROPERTY, is_legal);
    if name.is_empty() { "property".to_owned() } else { name }
}

/// The parts of a text that are legal, with `-` for what is between them.
fn words(text: &str, longest: usize, is_legal: impl Fn(char) -> bool) -> String {
    let words = text.split(|character| !is_legal(character)).filter(|word| !word.is_empty());
    let joined: String = words.collect::<Vec<_>>().join("-").chars().take(longest).collect();
    joined.trim_end_matches('-').to_owned()
}

/// Names that are taken.
#[derive(Default)]
pub(super) struct Taken {
    names: HashSet<String>,
    /// By the name, below which number all are taken.
    numbers: HashMap<String, usize>,
}

impl Taken {
    /// The name, or where it is taken already, the name with the first number that is free.
    pub(super) fn free_resource(&mut self, name: &str) -> String {
        self.free(name, RESOURCE)
    }

    /// As for a resource.
    pub(super) fn free_property(&mut self, name: &str) -> String {
        self.free(name, PROPERTY)
    }

    fn free(&mut self, name: &str, longest: usize) -> String {
        // All legal characters are one byte long.
        let numbered = |number: usize| {
            let end = format!("-{number}");
            let begin: String = name.chars().take(longest - end.len()).collect();
            format!("{}{end}", begin.trim_end_matches('-'))
        };
        let number = self.numbers.entry(name.to_owned()).or_insert(2);
        let later = iter::from_fn(|| {
            *number += 1;
            Some(numbered(*number - 1))
        });
        let mut candidates = iter::once(name.to_owned()).chain(later);
        let free = candidates.find(|candidate| !self.names.contains(candidate)).unwrap_or_default();
        self.names.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_legal() {
        for (text, expected) in [
            ("HD Pro Webcam C920", "hd-pro-webcam-c920"),
            ("  -- pump_1 --", "pump-1"),
            ("192.0.2.7:502/3", "192-0-2-7-502-3"),
            ("温度计", "my-protocol"),
            ("", "my-protocol"),
        ] {
            assert_eq!(resource(text, "My_Protocol"), expected);
        }
        assert_eq!(resource("", "温"), "device");
        let long = resource(&"long ".repeat(30), "");
        assert!(long.len() <= 63 && !long.ends_with('-'), "{long}");
        for (text, expected) in [
            ("Motor Temp (°C)", "Motor-Temp-C"),
            ("hall/2.fan#1", "hall/2.fan#1"),
            ("ns=2;s=Level", "ns-2-s-Level"),
            ("温度", "property"),
        ] {
            assert_eq!(property(text), expected);
        }
    }

    #[test]
    fn names_that_are_taken_get_a_number() {
        let mut taken = Taken::default();
        let names = ["pump", "pump", "pump-2", "pump"].map(|name| taken.free_resource(name));
        assert_eq!(names, ["pump", "pump-2", "pump-2-2", "pump-3"]);
        let long = "x".repeat(63);
        let names = [0; 2].map(|_| taken.free_resource(&long));
        assert_eq!(names, [long.clone(), format!("{}-2", &long[..61])]);
    }
}
