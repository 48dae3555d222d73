//! The cure at the end of a message.

/// The words that a cure begins with.
const VERBS: &[&str] = &[
    "add", "correct", "declare", "enable", "end", "give", "indent", "let", "name", "push", "quote", "raise", "rename",
    "set", "take", "use", "write",
];

/// What to do where a message does not say it.
const DEFAULT: &str = "correct it in the manifest";

/// Parts a message of the driver, the sinks or the twins, which ends with its cure: `is empty: write host:port`. What a driver's author
/// has written may have none.
pub(super) fn split(message: &str) -> (String, String) {
    let parts = message.rsplit_once(": ").filter(|(_, cure)| {
        let verb = cure.split([' ', ',']).next().unwrap_or_default();
        VERBS.contains(&verb)
    });
    let (message, cure) = parts.unwrap_or((message, DEFAULT));
    (message.to_owned(), cure.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_parted_where_the_cure_begins_and_gets_one_if_it_has_none() {
        assert_eq!(split("is empty: write host:port"), ("is empty".into(), "write host:port".into()));
        assert_eq!(split("bad address: 0x55"), ("bad address: 0x55".into(), DEFAULT.into()));
    }
}
