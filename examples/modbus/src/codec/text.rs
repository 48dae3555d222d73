//! Texts and raw bytes in registers.

use serde::Deserialize;

use super::{Layout, Misfit};

/// Which characters the bytes stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Charset {
    #[default]
    #[serde(rename = "ascii")]
    Ascii,
    #[serde(rename = "utf-8", alias = "utf8")]
    Utf8,
    #[serde(rename = "latin1", alias = "iso-8859-1")]
    Latin1,
}

/// How a text stands in its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// How many registers it has.
    pub(crate) length: u16,
    pub(crate) layout: Layout,
    pub(crate) charset: Charset,
    /// What fills the rest.
    pub(crate) pad: u8,
}

impl Text {
    /// The text, which ends with the first NUL, and whether all of its bytes are characters. One that is not reads as U+FFFD.
    pub(crate) fn decode(&self, registers: &[u16]) -> (String, bool) {
        let bytes = self.layout.to_bytes(registers);
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let end = text.iter().rposition(|byte| *byte != self.pad).map_or(0, |last| last + 1);
        let text = &text[..end];
        match self.charset {
            Charset::Ascii if text.is_ascii() => (text.iter().copied().map(char::from).collect(), true),
            Charset::Ascii => {
                let replaced =
                    |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
                (text.iter().map(replaced).collect(), false)
            }
            Charset::Utf8 => (String::from_utf8_lossy(text).into_owned(), std::str::from_utf8(text).is_ok()),
            Charset::Latin1 => (text.iter().copied().map(char::from).collect(), true),
        }
    }

    /// The registers with a text and its padding.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u16>, Misfit> {
        let mut bytes = Vec::with_capacity(text.len());
        for character in text.chars() {
            let is_known = match self.charset {
                Charset::Ascii => character.is_ascii(),
                Charset::Utf8 => true,
                Charset::Latin1 => u32::from(character) < 256,
            };
            if character == '\0' || !is_known {
                return Err(Misfit::Character { character, charset: self.charset });
            }
            match self.charset {
                Charset::Utf8 => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Charset::Ascii | Charset::Latin1 => bytes.push(u32::from(character) as u8),
            }
        }
        let room = usize::from(self.length) * 2;
        if bytes.len() > room {
            return Err(Misfit::TooLong { bytes: bytes.len(), room });
        }
        bytes.resize(room, self.pad);
        Ok(self.layout.of_bytes(&bytes))
    }
}

/// The bytes as hexadecimal text.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a hexadecimal text, in which spaces and colons may stand between bytes.
pub(crate) fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|character| !matches!(character, ' ' | ':')).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[char]| Some((pair[0].to_digit(16)? * 16 + pair[1].to_digit(16)?) as u8);
    digits.chunks_exact(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::OrderName;

    const ASCII: Text = Text {
        length: 3,
        layout: Layout { byte_order: crate::codec::Order::Big, word_order: crate::codec::Order::Big },
        charset: Charset::Ascii,
        pad: 0,
    };

    #[test]
    fn a_text_is_padded_and_read_without_its_padding() {
        assert_eq!(ASCII.encode("Abc").unwrap(), [0x4162, 0x6300, 0]);
        assert_eq!(ASCII.decode(&[0x4162, 0x6300, 0x7878]), ("Abc".to_owned(), true));
        let spaces = Text { pad: b' ', ..ASCII };
        assert_eq!(spaces.encode("A b").unwrap(), [0x4120, 0x6220, 0x2020]);
        assert_eq!(spaces.decode(&[0x4120, 0x6220, 0x2020]), ("A b".to_owned(), true));
        assert_eq!(spaces.decode(&[0x2020; 3]), (String::new(), true));
        let swapped = Text { layout: OrderName::Badc.layout(), ..ASCII };
        assert_eq!(swapped.encode("Abc").unwrap(), [0x6241, 0x0063, 0]);
    }

    #[test]
    fn a_byte_that_is_no_character_is_replaced_and_reported() {
        assert_eq!(ASCII.decode(&[0x41b0, 0x4300, 0]), ("A\u{fffd}C".to_owned(), false));
        let utf8 = Text { charset: Charset::Utf8, ..ASCII };
        assert_eq!(utf8.decode(&[0x41c2, 0xb043, 0]), ("A\u{b0}C".to_owned(), true));
        assert_eq!(utf8.decode(&[0x41b0, 0x4300, 0]), ("A\u{fffd}C".to_owned(), false));
        let latin1 = Text { charset: Charset::Latin1, ..ASCII };
        assert_eq!(latin1.decode(&[0x41b0, 0x4300, 0]), ("A\u{b0}C".to_owned(), true));
        assert_eq!(latin1.encode("A\u{b0}C").unwrap(), [0x41b0, 0x4300, 0]);
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        assert_eq!(ASCII.encode("1234567").unwrap_err().to_string(), "the text has 7 bytes, and there is room for 6");
        assert_eq!(
            ASCII.encode("\u{b0}C").unwrap_err().to_string(),
            "the character '\u{b0}' does not exist in the charset ascii"
        );
        assert!(ASCII.encode("a\0b").is_err(), "it would be cut off there when it is read");
    }

    #[test]
    fn bytes_are_hexadecimal_text() {
        assert_eq!(to_hex(&[0, 0xab, 0x1c]), "00ab1c");
        assert_eq!(of_hex("00:AB 1c"), Some(vec![0, 0xab, 0x1c]));
        assert_eq!((of_hex("0"), of_hex("0g")), (None, None));
    }
}
