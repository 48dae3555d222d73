//! Names for numbers.

/// The names of some numbers, as `values: "0=off, 1=on"` has them. One text, since edgecore carries no maps in `configData`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names(Vec<(i64, String)>);

impl Names {
    /// Reads the list. `None` if a part is not `number=name`, or a number or a name comes twice.
    pub(crate) fn parse(list: &str) -> Option<Self> {
        let mut names: Vec<(i64, String)> = Vec::new();
        for entry in list.split(',') {
            let (number, name) = entry.split_once('=')?;
            let (number, name) = (integer(number)?, name.trim());
            if name.is_empty() || names.iter().any(|(n, it)| *n == number || it == name) {
                return None;
            }
            names.push((number, name.to_owned()));
        }
        Some(Self(names))
    }

    pub(crate) fn name(&self, number: i64) -> Option<&str> {
        self.0.iter().find(|(n, _)| *n == number).map(|(_, name)| name.as_str())
    }

    /// The number with this name, or the number itself.
    pub(crate) fn number(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        let named = self.0.iter().find(|(_, name)| name == text).map(|(number, _)| *number);
        named.or_else(|| integer(text))
    }

    /// All names, for messages.
    pub(crate) fn list(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(_, name)| name.as_str()).collect();
        names.join(", ")
    }
}

/// A number in decimal, also a negative one, or in hexadecimal.
fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok().or_else(|| i64::try_from(crate::scalar::parse(text)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_name_and_a_name_its_number() {
        let names = Names::parse("0=off, 1 = on,0x10=very hot, -1=broken").unwrap();
        assert_eq!(
            (names.name(1), names.name(16), names.name(-1), names.name(2)),
            (Some("on"), Some("very hot"), Some("broken"), None)
        );
        assert_eq!((names.number("very hot"), names.number("3"), names.number("hot")), (Some(16), Some(3), None));
        assert_eq!(names.list(), "off, on, very hot, broken");
    }

    #[test]
    fn a_list_with_a_mistake_is_none() {
        for list in ["", "off", "0=", "x=off", "0=off, 0=on", "0=off, 1=off", "0=off,"] {
            assert_eq!(Names::parse(list), None, "{list}");
        }
    }
}
