//! The twin names and values that edgecore stores.

/// The longest property name.
const MAX_NAME: usize = 128;

/// The longest value.
const MAX_VALUE: usize = 512;

/// Whether edgecore stores a twin of this property name: `^[a-zA-Z0-9-_.,:/@#]{1,128}$`.
pub(super) fn is_legal_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_legal)
}

/// Whether edgecore stores a twin of this value: empty, or `^[a-zA-Z0-9-_.,:/@#]{1,512}$`.
pub(super) fn is_legal_value(value: &str) -> bool {
    value.len() <= MAX_VALUE && value.bytes().all(is_legal)
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.,:/@#".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_and_eight_signs_are_legal() {
        assert!(is_legal_value("azAZ09-_.,:/@#"));
        assert!(is_legal_name("azAZ09-_.,:/@#"));
    }

    #[test]
    fn everything_else_is_illegal() {
        for value in ["a b", "1+1", "a=b", "{}", "21°", "\n", "21.4\n", "ä"] {
            assert!(!is_legal_value(value), "{value:?}");
            assert!(!is_legal_name(value), "{value:?}");
        }
    }

    #[test]
    fn the_length_ends_at_512_for_values_and_at_128_for_names() {
        assert!(is_legal_value(&"x".repeat(512)) && !is_legal_value(&"x".repeat(513)));
        assert!(is_legal_name(&"x".repeat(128)) && !is_legal_name(&"x".repeat(129)));
    }

    #[test]
    fn an_empty_value_is_legal_and_an_empty_name_is_not() {
        assert!(is_legal_value(""));
        assert!(!is_legal_name(""));
    }
}
