//! Walks the representations of a header block (RFC 7541, section 6) without decoding the fields.

use std::borrow::Cow;

use super::huffman;
use super::rule::Rule;

/// The entry of the static table with the name `:authority` (RFC 7541, appendix A).
const AUTHORITY_INDEX: usize = 1;
const AUTHORITY: &[u8] = b":authority";
/// The same, Huffman-coded: RFC 7541 leaves an encoder one way to do so.
const AUTHORITY_HUFFMAN: &[u8] = &[0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];

/// The block is not HPACK.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Applies `rule` to each literal `:authority` of a whole block, and gives the new block if one had to change.
pub(super) fn rewrite(block: &[u8], rule: &Rule) -> Result<Option<Vec<u8>>, Malformed> {
    let mut reader = Reader { block, at: 0 };
    let mut rewritten = Vec::new();
    let mut copied = 0;
    while let Some(&first) = block.get(reader.at) {
        let name_index_bits = match first {
            0x80.. => {
                reader.integer(7)?;
                continue;
            }
            0x40.. => 6,
            0x20.. => {
                reader.integer(5)?;
                continue;
            }
            _ => 4,
        };
        let is_authority = reader.name_is_authority(name_index_bits)?;
        let value_at = reader.at;
        let value = reader.string()?;
        if is_authority && let Some(replacement) = rule.replacement(&value.decoded()?) {
            rewritten.extend_from_slice(&block[copied..value_at]);
            put_raw_string(&replacement, &mut rewritten);
            copied = reader.at;
        }
    }
    if copied == 0 {
        return Ok(None);
    }
    rewritten.extend_from_slice(&block[copied..]);
    Ok(Some(rewritten))
}

fn put_raw_string(text: &[u8], output: &mut Vec<u8>) {
    put_integer(0, 7, text.len(), output);
    output.extend_from_slice(text);
}

/// Writes an integer with a prefix of `bits`, the bits of `pattern` above it (RFC 7541, section 5.1).
pub(super) fn put_integer(pattern: u8, bits: u32, value: usize, output: &mut Vec<u8>) {
    let full = (1 << bits) - 1;
    if value < full {
        output.push(pattern | value as u8);
        return;
    }
    output.push(pattern | full as u8);
    let mut rest = value - full;
    while rest >= 0x80 {
        output.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    output.push(rest as u8);
}

struct Reader<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = self.block.get(self.at).copied().ok_or(Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    /// Reads an integer with a prefix of `bits`. At most four bytes may follow the prefix, as in `h2`, so it is small.
    fn integer(&mut self, bits: u32) -> Result<usize, Malformed> {
        let full = (1 << bits) - 1;
        let mut value = usize::from(self.byte()?) & full;
        if value < full {
            return Ok(value);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn name_is_authority(&mut self, index_bits: u32) -> Result<bool, Malformed> {
        let index = self.integer(index_bits)?;
        Ok(if index == 0 { self.string()?.is_authority() } else { index == AUTHORITY_INDEX })
    }

    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        let huffman = self.block.get(self.at).is_some_and(|first| first & 0x80 != 0);
        let length = self.integer(7)?;
        let bytes = self.block[self.at..].get(..length).ok_or(Malformed)?;
        self.at += length;
        Ok(Text { huffman, bytes })
    }
}

/// A string as it stands in the block.
struct Text<'a> {
    huffman: bool,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    fn is_authority(&self) -> bool {
        self.bytes == if self.huffman { AUTHORITY_HUFFMAN } else { AUTHORITY }
    }

    fn decoded(&self) -> Result<Cow<'a, [u8]>, Malformed> {
        if self.huffman {
            return huffman::decode(self.bytes).map(Cow::Owned).ok_or(Malformed);
        }
        Ok(Cow::Borrowed(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"/etc/kubeedge/x.sock";
    const LEGAL: &[u8] = b"-etc-kubeedge-x.sock";

    fn sanitise(block: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        rewrite(block, &Rule::Sanitise)
    }

    /// `before`, then the value as a string.
    fn block(before: &[u8], value: &[u8], huffman: bool) -> Vec<u8> {
        let mut block = before.to_vec();
        if huffman {
            let coded = huffman::encode(value);
            put_integer(0x80, 7, coded.len(), &mut block);
            block.extend(coded);
        } else {
            put_raw_string(value, &mut block);
        }
        block
    }

    /// The literal forms of `:authority`, up to the value.
    fn literals() -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for form in [0x40, 0x00, 0x10] {
            all.push(vec![form | 1]);
            all.push(block(&[form], AUTHORITY, false));
            all.push(block(&[form], AUTHORITY, true));
        }
        all
    }

    #[test]
    fn the_huffman_code_of_the_name_is_right() {
        assert_eq!(huffman::encode(AUTHORITY), AUTHORITY_HUFFMAN);
    }

    #[test]
    fn a_literal_authority_keeps_its_decoded_length_in_each_form() {
        for literal in literals() {
            for huffman in [false, true] {
                let rewritten = sanitise(&block(&literal, RAW, huffman));
                assert_eq!(rewritten, Ok(Some(block(&literal, LEGAL, false))), "{literal:x?} huffman={huffman}");
            }
        }
    }

    #[test]
    fn a_legal_authority_stays_byte_for_byte() {
        for literal in literals() {
            for huffman in [false, true] {
                assert_eq!(sanitise(&block(&literal, b"localhost", huffman)), Ok(None));
            }
        }
    }

    #[test]
    fn what_surrounds_the_authority_stays_byte_for_byte() {
        let before = [0x3f, 0xe1, 0x1f, 0x83, 0x86, 0x41];
        let after = [0x04, 0x02, b'/', b'%', 0xbe, 0x40, 0x01, b'a', 0x81, 0x07];
        let original = [&block(&before, RAW, true)[..], &after].concat();
        let rewritten = [&block(&before, LEGAL, false)[..], &after].concat();
        assert_eq!(sanitise(&original), Ok(Some(rewritten)));
    }

    #[test]
    fn each_of_several_authorities_is_rewritten() {
        let original = [block(&[0x41], RAW, true), block(&[0x01], b"localhost", true), block(&[0x11], RAW, false)];
        let rewritten =
            [block(&[0x41], LEGAL, false), block(&[0x01], b"localhost", true), block(&[0x11], LEGAL, false)];
        assert_eq!(sanitise(&original.concat()), Ok(Some(rewritten.concat())));
    }

    #[test]
    fn other_fields_with_such_a_value_stay() {
        for before in [&[0x44][..], &[0x04], &[0x14], &[0x7f, 0x00], &[0x40, 2, b'x', b'y'], &[0x40, 10], &[0x40]] {
            let before =
                if before == [0x40, 10] { [&[0x40, 10], &b":authoritx"[..]].concat() } else { before.to_vec() };
            let before = if before == [0x40] { block(&[0x40], b":status", true) } else { before };
            assert_eq!(sanitise(&block(&before, RAW, false)), Ok(None), "{before:x?}");
        }
    }

    #[test]
    fn a_long_value_takes_a_long_length() {
        let long = b"/".repeat(5_000);
        let legal = b"-".repeat(5_000);
        for huffman in [false, true] {
            assert_eq!(sanitise(&block(&[0x41], &long, huffman)), Ok(Some(block(&[0x41], &legal, false))));
        }
    }

    #[test]
    fn a_value_of_one_byte_is_rewritten_at_the_very_start() {
        assert_eq!(sanitise(&block(&[0x41], b"/", false)), Ok(Some(block(&[0x41], b"-", false))));
    }

    #[test]
    fn indexed_fields_and_size_updates_are_no_literals() {
        assert_eq!(sanitise(&[]), Ok(None));
        assert_eq!(sanitise(&[0x20, 0x3f, 0xe1, 0x1f, 0x81, 0xbe, 0xff, 0x80, 0x01, 0xc0]), Ok(None));
    }

    #[test]
    fn a_block_that_is_not_hpack_is_malformed() {
        let hostile: [&[u8]; 10] = [
            &[0x41],
            &[0x41, 0x05, b'a'],
            &[0x40],
            &[0x40, 0x01],
            &[0x40, 0x01, b'a'],
            &[0xff],
            &[0xff, 0x80, 0x80, 0x80, 0x80, 0x01],
            &[0x41, 0x7f, 0xff, 0xff, 0xff, 0x7f],
            &[0x41, 0x81, 0x00],
            &[0x01, 0x84, 0xff, 0xff, 0xff, 0xff],
        ];
        for block in hostile {
            assert_eq!(sanitise(block), Err(Malformed), "{block:x?}");
        }
    }
}
