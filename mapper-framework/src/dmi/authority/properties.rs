//! Properties of whole connections, with an independent HPACK decoder as the judge.

use std::borrow::Cow;

use bytes::BytesMut;
use proptest::prelude::*;

use super::block::{MAX_BLOCK, MAX_CONTINUATIONS};
use super::frames::Head;
use super::rule::Rule;
use super::testing::{Encoder, Form, Framing, PREFACE, Seen, Spelling, fields, frame, see};
use super::{AuthorityError, Rewriter};

/// One block to send: a table size for its start, its fields, its framing and the payload of a DATA frame after it.
type Call = (Option<usize>, Vec<(usize, Vec<u8>, Spelling)>, Framing, Vec<u8>);

const NAMES: [&[u8]; 6] = [b":authority", b":path", b":method", b":scheme", b"user-agent", b"x-authority"];

fn spelling() -> impl Strategy<Value = Spelling> {
    let form = prop_oneof![3 => Just(Form::Indexed), 1 => Just(Form::Plain), 1 => Just(Form::NeverIndexed)];
    (form, any::<[bool; 3]>()).prop_map(|(form, [index_name, huffman_name, huffman_value])| Spelling {
        form,
        index_name,
        huffman_name,
        huffman_value,
    })
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"localhost".to_vec()),
        Just(b"POST".to_vec()),
        Just(b"/etc/kubeedge/x.sock".to_vec()),
        Just(b"%2Fetc%2Fkubeedge%2Fx.sock".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn framing() -> impl Strategy<Value = Framing> {
    let cuts = prop::collection::vec(0..60_usize, 0..4);
    (any::<bool>(), any::<Option<u8>>(), any::<Option<[u8; 5]>>(), cuts)
        .prop_map(|(end, padding, priority, cuts)| Framing { flags: u8::from(end), padding, priority, cuts })
}

fn connection() -> impl Strategy<Value = Vec<Call>> {
    let field = (0..NAMES.len(), value(), spelling());
    let size = prop::option::weighted(0.2, 0..200_usize);
    let call = (size, prop::collection::vec(field, 1..6), framing(), prop::collection::vec(any::<u8>(), 0..50));
    prop::collection::vec(call, 1..6)
}

fn bytes_of(calls: &[Call]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut bytes = Vec::new();
    for (n, (size, fields, framing, data)) in calls.iter().enumerate() {
        let stream = 2 * n as u32 + 1;
        let mut block = Vec::new();
        if let Some(size) = size {
            encoder.resize(*size, &mut block);
        }
        for (name, value, spelling) in fields {
            encoder.field(NAMES[*name], value, *spelling, &mut block);
        }
        bytes.extend(framing.frames(stream, &block));
        bytes.extend(frame(0x0, 0, stream, data));
    }
    bytes
}

fn rewrite(rewriter: &mut Rewriter, bytes: &[u8], chunks: &[usize]) -> Result<Vec<u8>, AuthorityError> {
    let mut output = BytesMut::new();
    let mut rest = bytes;
    for chunk in chunks.iter().cycle() {
        let now;
        (now, rest) = rest.split_at(rest.len().min(*chunk));
        rewriter.push(now, &mut output)?;
        if rest.is_empty() {
            break;
        }
    }
    Ok(output.to_vec())
}

/// What the peer should see in place of an authority.
fn expect(rule: &Rule, (name, value): (String, Vec<u8>)) -> (String, Vec<u8>) {
    let replacement = if name == ":authority" { rule.replacement(&value).map(Cow::into_owned) } else { None };
    (name, replacement.unwrap_or(value))
}

/// A frame that need not make sense, of the kinds that matter most of the time.
fn hostile_frame() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![3 => Just(0x1), 6 => Just(0x9), 1 => 0..12_u8];
    let flags = prop_oneof![Just(0), any::<u8>()];
    let stream = prop_oneof![9 => Just(1), 1 => any::<u32>()];
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..100),
        1 => any::<u8>().prop_map(|byte| vec![byte; 30_000]),
    ];
    (kind, flags, stream, payload).prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn only_authorities_change_over_a_whole_connection(
        calls in connection(),
        chunks in prop::collection::vec(1..200_usize, 1..5),
        substitute: bool,
    ) {
        let (rule, mut rewriter) = if substitute {
            let (placeholder, raw) = ("localhost", "/run/sock");
            (Rule::substitute(placeholder, raw), Rewriter::substituting(placeholder, raw))
        } else {
            (Ok(Rule::Sanitise), Ok(Rewriter::sanitising()))
        };
        let (rule, rewriter) = (rule.expect("of one length"), rewriter.as_mut().expect("of one length"));
        let original = bytes_of(&calls);
        let rewritten = rewrite(rewriter, &[PREFACE, &original].concat(), &chunks).expect("legal frames");
        let rewritten = &rewritten[PREFACE.len()..];

        let intended: Vec<Vec<_>> = fields(&original)
            .into_iter()
            .map(|block| block.into_iter().map(|field| expect(&rule, field)).collect())
            .collect();
        prop_assert_eq!(fields(rewritten), intended);
        prop_assert_eq!(without_blocks(rewritten), without_blocks(&original));
    }

    #[test]
    fn random_frames_never_panic_and_memory_stays_bounded(
        frames in prop::collection::vec(hostile_frame(), 0..80),
        tail: Vec<u8>,
        chunk in 1..40_000_usize,
    ) {
        let bytes = [PREFACE, &frames.concat(), &tail].concat();
        let mut rewriter = Rewriter::sanitising();
        let mut output = BytesMut::new();
        for input in bytes.chunks(chunk) {
            let before = output.len();
            let pushed = rewriter.push(input, &mut output);
            prop_assert!(rewriter.held() <= MAX_BLOCK + (MAX_CONTINUATIONS + 1) * Head::LEN);
            // Huffman coding makes eight bytes of five at the most.
            prop_assert!(output.len() - before <= 2 * (input.len() + MAX_BLOCK));
            if pushed.is_err() {
                break;
            }
        }
    }
}

/// All that is not compressed: other frames, and what the heads of the blocks say.
fn without_blocks(bytes: &[u8]) -> Vec<Seen> {
    let strip = |seen| match seen {
        Seen::Block { stream, end_stream, priority, .. } => {
            Seen::Block { stream, end_stream, priority, block: Vec::new() }
        }
        other @ Seen::Frame { .. } => other,
    };
    see(bytes).into_iter().map(strip).collect()
}
