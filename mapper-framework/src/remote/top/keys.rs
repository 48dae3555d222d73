//! Keys as a terminal sends them.

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// The keys in what was read from a terminal, which sends the bytes of a key together.
pub(super) fn keys(mut bytes: &[u8]) -> Vec<Key> {
    const SEQUENCES: [(&[u8], Key); 12] = [
        (b"\x1b[A", Key::Up),
        (b"\x1bOA", Key::Up),
        (b"\x1b[B", Key::Down),
        (b"\x1bOB", Key::Down),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6~", Key::PageDown),
        (b"\x1b[H", Key::First),
        (b"\x1b[F", Key::Last),
        (b"k", Key::Up),
        (b"j", Key::Down),
        (b"q", Key::Quit),
        (b"Q", Key::Quit),
    ];
    let mut keys = Vec::new();
    while let Some(first) = bytes.first() {
        let known = SEQUENCES.iter().find(|(sequence, _)| bytes.starts_with(sequence));
        let length = match known {
            Some((sequence, key)) => {
                keys.push(*key);
                sequence.len()
            }
            // Of a sequence that means nothing here, no byte is a key.
            None if *first == b'\x1b' => bytes.len(),
            None => 1,
        };
        bytes = &bytes[length..];
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_and_letters_are_keys_and_unknown_sequences_are_none() {
        assert_eq!(keys(b"\x1b[A\x1bOBjkx"), [Key::Up, Key::Down, Key::Down, Key::Up]);
        assert_eq!(keys(b"\x1b[5~\x1b[6~\x1b[H\x1b[F"), [Key::PageUp, Key::PageDown, Key::First, Key::Last]);
        assert_eq!(keys(b"q"), [Key::Quit]);
        assert_eq!(keys(b"\x1b[15;q"), []);
        assert_eq!(keys(b"\x1b"), []);
    }
}
