//! Decodes Huffman-coded strings (RFC 7541, section 5.2 and appendix B).
//!
//! The code is canonical: within one length the codes count up in the order of the symbols, and the first code of the
//! next length follows on. So the lengths alone are the whole table.

/// The symbols by the length of their code in bits. The 257th, EOS, comes last of the 30 bits and is never legal.
#[rustfmt::skip]
const SYMBOLS: [(u32, &[u8]); 21] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\x00$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xc3\xd0"),
    (20, b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"),
    (21, b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"),
    (22, b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\
        \xbe\xc4\xc6\xe4\xe8\xe9"),
    (23, b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\
        \xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef"),
    (24, b"\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"),
    (25, b"\xc7\xcf\xea\xeb"),
    (26, b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"),
    (27, b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"),
    (28, b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\
        \x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9"),
    (30, b"\x0a\x0d\x16"),
];

/// The codes of one length, as a range of 32-bit windows that begin with one of them.
#[derive(Clone, Copy)]
struct Row {
    bits: u32,
    symbols: &'static [u8],
    /// The code of the first symbol.
    first: u32,
    /// The first window past the codes of this length.
    end: u32,
}

const ROWS: [Row; SYMBOLS.len()] = rows();

const fn rows() -> [Row; SYMBOLS.len()] {
    let mut rows = [Row { bits: 0, symbols: &[], first: 0, end: 0 }; SYMBOLS.len()];
    let mut end = 0;
    let mut n = 0;
    while n < rows.len() {
        let (bits, symbols) = SYMBOLS[n];
        let first = end >> (32 - bits);
        end += (symbols.len() as u32) << (32 - bits);
        rows[n] = Row { bits, symbols, first, end };
        n += 1;
    }
    rows
}

/// The string that `coded` stands for, or nothing where it holds EOS or its padding is not a proper prefix of EOS.
pub(super) fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let length = coded.len() * 8;
    let mut decoded = Vec::with_capacity(length / 5);
    let mut at = 0;
    while !is_padding(coded, at) {
        let window = window(coded, at);
        let row = ROWS.iter().find(|row| window < row.end)?;
        let nth = (window >> (32 - row.bits)) - row.first;
        at += row.bits as usize;
        if at > length {
            return None;
        }
        decoded.push(*row.symbols.get(nth as usize)?);
    }
    Some(decoded)
}

/// Whether fewer than eight bits are left, all of them ones.
fn is_padding(coded: &[u8], at: usize) -> bool {
    coded.len() * 8 - at < 8 && window(coded, at) == u32::MAX
}

/// The 32 bits from bit `at` on, with ones past the end.
fn window(coded: &[u8], at: usize) -> u32 {
    let rest = &coded[at / 8..];
    let mut wide = [0xff; 8];
    let known = rest.len().min(wide.len());
    wide[..known].copy_from_slice(&rest[..known]);
    (u64::from_be_bytes(wide) << (at % 8) >> 32) as u32
}

/// The inverse, for the tests' own clients.
#[cfg(test)]
pub(super) fn encode(text: &[u8]) -> Vec<u8> {
    let mut bits = Vec::new();
    for byte in text {
        let (row, nth) = ROWS
            .iter()
            .find_map(|row| Some((row, row.symbols.iter().position(|symbol| symbol == byte)?)))
            .expect("each byte has a code");
        let code = row.first + nth as u32;
        bits.extend((0..row.bits).rev().map(|bit| code >> bit & 1 == 1));
    }
    bits.resize(bits.len().next_multiple_of(8), true);
    bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, &bit| sum << 1 | u8::from(bit))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_holds_each_byte_once_and_leaves_only_eos() {
        let mut all: Vec<u8> = SYMBOLS.iter().flat_map(|(_, symbols)| symbols.iter().copied()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..=255).collect::<Vec<u8>>());
        assert_eq!(ROWS[ROWS.len() - 1].end, 0xffff_fffc, "EOS is thirty ones");
    }

    #[test]
    fn the_examples_of_the_rfc_decode() {
        let example = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decode(&example).as_deref(), Some(&b"www.example.com"[..]));
        assert_eq!(decode(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]).as_deref(), Some(&b"no-cache"[..]));
        assert_eq!(decode(&[]).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn an_independent_decoder_agrees_on_each_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let independent = loona_hpack::huffman::HuffmanDecoder::new().decode(&encode(&all)).ok();
        assert_eq!(independent, Some(all));
    }

    #[test]
    fn padding_must_be_ones_and_shorter_than_a_byte() {
        assert_eq!(decode(&[0b0000_0111]).as_deref(), Some(&b"0"[..]));
        assert_eq!(decode(&[0b0000_0110]), None, "a zero in the padding");
        assert_eq!(decode(&[0b0000_0111, 0xff]), None, "eleven bits of padding");
        assert_eq!(decode(&[0xff]), None, "nothing but padding");
        assert_eq!(decode(&[0xff; 4]), None, "EOS");
    }

    proptest! {
        #[test]
        fn any_string_survives(text: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }

        #[test]
        fn any_bytes_decode_like_the_independent_decoder(coded in prop::collection::vec(any::<u8>(), 0..24)) {
            let independent = loona_hpack::huffman::HuffmanDecoder::new().decode(&coded).ok();
            prop_assert_eq!(decode(&coded), independent);
        }
    }
}
