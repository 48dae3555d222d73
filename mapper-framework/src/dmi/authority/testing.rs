//! A small HTTP/2 client for the tests: an HPACK encoder that spells fields in every way, and frames cut at will. What
//! reads the outcome back shares no code with the rewriter.

use std::collections::VecDeque;

use super::hpack::put_integer;
use super::huffman;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const RAW: &str = "/etc/kubeedge/x.sock";
pub(super) const LEGAL: &str = "-etc-kubeedge-x.sock";

/// How a field is represented where it is not in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    pub(super) form: Form,
    /// Refers to a name in a table, instead of spelling it out.
    pub(super) index_name: bool,
    pub(super) huffman_name: bool,
    pub(super) huffman_value: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Indexed,
    Plain,
    NeverIndexed,
}

impl Spelling {
    /// What grpc-go does for its `:authority`.
    pub(super) const GO: Self = Self { form: Form::Indexed, index_name: true, huffman_name: true, huffman_value: true };
    pub(super) const RAW: Self =
        Self { form: Form::Plain, index_name: true, huffman_name: false, huffman_value: false };
}

/// The static entries that the tests use.
const STATIC: [(usize, &str, &str); 5] =
    [(1, ":authority", ""), (3, ":method", "POST"), (4, ":path", "/"), (6, ":scheme", "http"), (8, ":status", "200")];
const STATIC_LEN: usize = 61;

/// An HPACK encoder with a dynamic table of its own.
#[derive(Debug)]
pub(super) struct Encoder {
    /// Newest first, as indexes count.
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    max: usize,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { table: VecDeque::new(), max: 4096 }
    }

    /// Legal at the start of a block only.
    pub(super) fn resize(&mut self, max: usize, block: &mut Vec<u8>) {
        self.max = max;
        self.evict();
        put_integer(0x20, 5, max, block);
    }

    pub(super) fn field(&mut self, name: &[u8], value: &[u8], spelling: Spelling, block: &mut Vec<u8>) {
        if let (Form::Indexed, Some(index)) = (spelling.form, self.index_of(name, value)) {
            return put_integer(0x80, 7, index, block);
        }
        let (pattern, bits) = match spelling.form {
            Form::Indexed => (0x40, 6),
            Form::Plain => (0x00, 4),
            Form::NeverIndexed => (0x10, 4),
        };
        match self.index_of_name(name) {
            Some(index) if spelling.index_name => put_integer(pattern, bits, index, block),
            _ => {
                block.push(pattern);
                put_string(name, spelling.huffman_name, block);
            }
        }
        put_string(value, spelling.huffman_value, block);
        if let Form::Indexed = spelling.form {
            self.table.push_front((name.to_vec(), value.to_vec()));
            self.evict();
        }
    }

    fn index_of(&self, name: &[u8], value: &[u8]) -> Option<usize> {
        let fixed = STATIC.iter().find(|(_, n, v)| n.as_bytes() == name && v.as_bytes() == value);
        let dynamic = || Some(STATIC_LEN + 1 + self.table.iter().position(|(n, v)| n == name && v == value)?);
        fixed.map(|(index, ..)| *index).or_else(dynamic)
    }

    /// The static table first, as every encoder known to us does.
    fn index_of_name(&self, name: &[u8]) -> Option<usize> {
        let fixed = STATIC.iter().find(|(_, n, _)| n.as_bytes() == name);
        let dynamic = || Some(STATIC_LEN + 1 + self.table.iter().position(|(n, _)| n == name)?);
        fixed.map(|(index, ..)| *index).or_else(dynamic)
    }

    fn evict(&mut self) {
        while self.table.iter().map(|(name, value)| 32 + name.len() + value.len()).sum::<usize>() > self.max {
            self.table.pop_back();
        }
    }
}

fn put_string(text: &[u8], coded: bool, block: &mut Vec<u8>) {
    let bytes = if coded { huffman::encode(text) } else { text.to_vec() };
    put_integer(if coded { 0x80 } else { 0 }, 7, bytes.len(), block);
    block.extend(bytes);
}

/// The fields of a gRPC call, the authority spelled as asked.
pub(super) fn call_block(encoder: &mut Encoder, authority: &str, spelling: Spelling) -> Vec<u8> {
    let mut block = Vec::new();
    encoder.field(b":method", b"POST", Spelling::GO, &mut block);
    encoder.field(b":scheme", b"http", Spelling::GO, &mut block);
    encoder.field(b":path", b"/v1beta1.DeviceMapperService/GetDevice", Spelling::GO, &mut block);
    encoder.field(b":authority", authority.as_bytes(), spelling, &mut block);
    encoder.field(b"content-type", b"application/grpc", Spelling::GO, &mut block);
    block
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// How a block is put into frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Framing {
    pub(super) flags: u8,
    pub(super) padding: Option<u8>,
    pub(super) priority: Option<[u8; 5]>,
    /// The bytes of the block in each frame but the last.
    pub(super) cuts: Vec<usize>,
}

impl Framing {
    pub(super) fn frames(&self, stream: u32, block: &[u8]) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut rest = block;
        for cut in &self.cuts {
            let now;
            (now, rest) = rest.split_at(rest.len().min(*cut));
            parts.push(now);
        }
        parts.push(rest);

        let mut frames = Vec::new();
        let last = parts.len() - 1;
        for (n, part) in parts.into_iter().enumerate() {
            let end = if n == last { 0x4 } else { 0 };
            if n == 0 {
                let (flags, payload) = self.first_payload(part);
                frames.extend(frame(0x1, self.flags | flags | end, stream, &payload));
            } else {
                frames.extend(frame(0x9, end, stream, part));
            }
        }
        frames
    }

    fn first_payload(&self, part: &[u8]) -> (u8, Vec<u8>) {
        let mut flags = 0;
        let mut payload = Vec::new();
        if let Some(padding) = self.padding {
            flags |= 0x8;
            payload.push(padding);
        }
        if let Some(priority) = self.priority {
            flags |= 0x20;
            payload.extend(priority);
        }
        payload.extend(part);
        payload.extend(vec![0; self.padding.unwrap_or(0).into()]);
        (flags, payload)
    }
}

/// What a peer makes of the bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Block { stream: u32, end_stream: bool, priority: Vec<u8>, block: Vec<u8> },
    Frame { kind: u8, flags: u8, stream: u32, payload: Vec<u8> },
}

/// Reads a connection after its preface. Panics where the frames are not as RFC 9113 has them.
pub(super) fn see(mut bytes: &[u8]) -> Vec<Seen> {
    let mut all = Vec::new();
    let mut open: Option<Seen> = None;
    while !bytes.is_empty() {
        let length = usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        let (kind, flags) = (bytes[3], bytes[4]);
        let stream = u32::from_be_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]);
        let mut payload = &bytes[9..9 + length];
        bytes = &bytes[9 + length..];
        assert!(length <= 16_384, "a frame of {length} bytes");
        let seen = match (open.take(), kind) {
            (None, 0x1) => {
                if flags & 0x8 != 0 {
                    payload = &payload[1..payload.len() - usize::from(payload[0])];
                }
                let (priority, block) = payload.split_at(if flags & 0x20 != 0 { 5 } else { 0 });
                let (priority, block) = (priority.to_vec(), block.to_vec());
                Seen::Block { stream, end_stream: flags & 0x1 != 0, priority, block }
            }
            (Some(Seen::Block { stream: same, end_stream, priority, mut block }), 0x9) if same == stream => {
                block.extend(payload);
                Seen::Block { stream, end_stream, priority, block }
            }
            (None, _) => {
                all.push(Seen::Frame { kind, flags, stream, payload: payload.to_vec() });
                continue;
            }
            (Some(_), _) => panic!("a frame inside a block"),
        };
        if flags & 0x4 != 0 {
            all.push(seen);
        } else {
            open = Some(seen);
        }
    }
    assert!(open.is_none(), "a block without an end");
    all
}

/// The blocks alone, decoded by an independent decoder that lives as long as the connection.
pub(super) fn fields(bytes: &[u8]) -> Vec<Vec<(String, Vec<u8>)>> {
    let mut decoder = loona_hpack::Decoder::new();
    let mut all = Vec::new();
    for seen in see(bytes) {
        if let Seen::Block { block, .. } = seen {
            let decoded = decoder.decode(&block).expect("HPACK");
            all.push(decoded.into_iter().map(|(n, v)| (String::from_utf8_lossy(&n).into_owned(), v)).collect());
        }
    }
    all
}

/// The authorities of each block, in order.
pub(super) fn authorities(bytes: &[u8]) -> Vec<String> {
    let all = fields(bytes).into_iter().flatten().filter(|(name, _)| name == ":authority");
    all.map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect()
}
