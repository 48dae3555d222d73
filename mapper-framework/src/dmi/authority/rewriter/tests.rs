use super::super::block::MAX_CONTINUATIONS;
use super::super::testing::{
    Encoder, Framing, LEGAL, PREFACE, RAW, Seen, Spelling, authorities, call_block, frame, see,
};
use super::*;

impl Rewriter {
    /// The bytes that wait for the end of their head or block.
    pub(crate) fn held(&self) -> usize {
        if let State::Holding(held) = &self.state { held.bytes().len() } else { 0 }
    }
}

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// The bytes of a connection after its preface, rewritten in chunks of `chunk` bytes.
fn rewrite_in(chunk: usize, frames: &[u8]) -> Result<Vec<u8>, AuthorityError> {
    let mut rewriter = Rewriter::sanitising();
    let mut output = BytesMut::new();
    for input in [PREFACE, frames].concat().chunks(chunk) {
        rewriter.push(input, &mut output)?;
    }
    Ok(output.strip_prefix(PREFACE).expect("the preface passes").to_vec())
}

fn rewrite(frames: &[u8]) -> Result<Vec<u8>, AuthorityError> {
    let whole = rewrite_in(usize::MAX, frames);
    assert_eq!(rewrite_in(1, frames), whole, "byte by byte");
    whole
}

fn call(authority: &str) -> Vec<u8> {
    call_block(&mut Encoder::new(), authority, Spelling::GO)
}

fn plain(stream: u32, block: &[u8]) -> Vec<u8> {
    Framing::default().frames(stream, block)
}

#[test]
fn the_authorities_of_both_grpc_go_versions_become_legal() {
    for raw in [RAW, "%2Fetc%2Fkubeedge%2Fx.sock"] {
        for spelling in [Spelling::GO, Spelling::RAW] {
            let block = call_block(&mut Encoder::new(), raw, spelling);
            let rewritten = rewrite(&plain(1, &block)).expect("legal frames");
            assert_eq!(authorities(&rewritten), [super::super::placeholder(raw)]);
        }
    }
}

#[test]
fn a_connection_may_be_cut_at_each_byte() {
    let data = frame(0, 1, 1, b"a message");
    let frames = [&SETTINGS[..], &plain(1, &call(RAW)), &data].concat();
    let bytes = [PREFACE, &frames].concat();
    let whole = rewrite(&frames).expect("legal frames");
    for cut in 0..bytes.len() {
        let mut rewriter = Rewriter::sanitising();
        let mut output = BytesMut::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            rewriter.push(part, &mut output).expect("legal frames");
        }
        assert_eq!(output[PREFACE.len()..], whole, "cut at {cut}");
    }
}

#[test]
fn a_well_behaved_connection_passes_byte_for_byte() {
    let mut encoder = Encoder::new();
    let padded = Framing { padding: Some(7), cuts: vec![3, 0, 5], ..Framing::default() };
    let frames = [
        &SETTINGS[..],
        &plain(1, &call_block(&mut encoder, "localhost", Spelling::GO)),
        &frame(0, 1, 1, &[0xaa; 20_000]),
        &padded.frames(3, &call_block(&mut encoder, "localhost:80", Spelling::RAW)),
        &frame(8, 0, 0, &[0, 0, 1, 0]),
        &frame(0x77, 0xff, 9, b"unknown"),
    ]
    .concat();
    assert_eq!(rewrite(&frames), Ok(frames));
}

#[test]
fn other_frames_pass_although_they_look_like_header_blocks() {
    let block = call(RAW);
    for kind in [0x0, 0x5, 0x9, 0xa] {
        let frames = frame(kind, 0x4, 1, &block);
        assert_eq!(rewrite(&frames), Ok(frames));
    }
}

#[test]
fn padding_goes_while_priority_and_end_stream_stay() {
    for cuts in [vec![], vec![2], vec![0, 9, 0, 1]] {
        let framing = Framing { flags: 0x1, padding: Some(200), priority: Some([0x80, 0, 0, 0, 16]), cuts };
        let rewritten = rewrite(&framing.frames(5, &call(RAW))).expect("legal frames");
        let Seen::Block { stream, end_stream, priority, .. } = &see(&rewritten)[0] else { panic!("no block") };
        assert_eq!((*stream, *end_stream, &priority[..]), (5, true, &[0x80, 0, 0, 0, 16][..]));
        assert_eq!(rewritten[4], 0x1 | 0x4 | 0x20, "the flags");
        assert_eq!(authorities(&rewritten), [LEGAL]);
    }
}

#[test]
fn a_block_in_continuation_frames_is_joined() {
    let block = call(RAW);
    for cut in 0..=block.len() {
        let framing = Framing { cuts: vec![cut], ..Framing::default() };
        assert_eq!(authorities(&rewrite(&framing.frames(1, &block)).expect("legal frames")), [LEGAL], "cut at {cut}");
    }
}

#[test]
fn a_block_that_grows_past_a_frame_is_cut_anew() {
    let long = format!("/{}", "0".repeat(20_000));
    let block = call(&long);
    assert!(block.len() < 16_384, "Huffman coding makes it fit");
    let rewritten = rewrite(&plain(1, &block)).expect("legal frames");
    assert_eq!(authorities(&rewritten), [long.replace('/', "-")]);
    let after = [&plain(1, &block)[..], &SETTINGS].concat();
    assert!(rewrite(&after).expect("legal frames").ends_with(&SETTINGS), "the boundary is kept");
}

#[test]
fn dynamic_tables_stay_in_step_over_several_blocks() {
    let mut encoder = Encoder::new();
    let mut frames = Vec::new();
    for (n, authority) in [RAW, RAW, "/other", RAW, "/other", "localhost"].into_iter().enumerate() {
        let mut block = Vec::new();
        if n == 3 {
            encoder.resize(0, &mut block);
            encoder.resize(150, &mut block);
        }
        block.extend(call_block(&mut encoder, authority, Spelling::GO));
        frames.extend(plain(2 * n as u32 + 1, &block));
    }
    let rewritten = rewrite(&frames).expect("legal frames");
    assert_eq!(authorities(&rewritten), [LEGAL, LEGAL, "-other", LEGAL, "-other", "localhost"]);
}

#[test]
fn blocks_after_the_first_pass_byte_for_byte() {
    let mut encoder = Encoder::new();
    let first = call_block(&mut encoder, RAW, Spelling::GO);
    let second = plain(3, &call_block(&mut encoder, RAW, Spelling::GO));
    assert_eq!(second.len(), Head::LEN + 5, "indexed fields only");
    let rewritten = rewrite(&[plain(1, &first), second.clone()].concat()).expect("legal frames");
    assert!(rewritten.ends_with(&second));
}

#[test]
fn trailers_pass_byte_for_byte() {
    let mut block = Vec::new();
    Encoder::new().field(b"grpc-status", b"0", Spelling::GO, &mut block);
    let frames = Framing { flags: 0x1, ..Framing::default() }.frames(1, &block);
    assert_eq!(rewrite(&frames), Ok(frames));
}

#[test]
fn a_client_of_another_protocol_passes_untouched() {
    let mut rewriter = Rewriter::sanitising();
    let mut output = BytesMut::new();
    let bytes = [&b"PRI * HTTP/1.1\r\n\r\n"[..], PREFACE, &plain(1, &call(RAW))].concat();
    for byte in bytes.chunks(1) {
        rewriter.push(byte, &mut output).expect("nothing to refuse");
    }
    assert_eq!(output, bytes);
}

#[test]
fn a_block_that_is_not_hpack_is_left_to_h2() {
    let truncated = &call(RAW)[..8];
    let oversized_padding = frame(0x1, 0x4 | 0x8, 1, &[9, 0x82]);
    let short_priority = frame(0x1, 0x4 | 0x20, 1, &[0x82]);
    let in_two = Framing { cuts: vec![4], ..Framing::default() }.frames(1, truncated);
    for frames in [plain(1, truncated), oversized_padding, short_priority, in_two] {
        assert_eq!(rewrite(&frames), Ok(frames));
    }
}

#[test]
fn a_block_may_be_interrupted_by_nothing() {
    let open = frame(0x1, 0, 1, &call(RAW));
    let other_stream = frame(0x9, 0x4, 3, &[]);
    let data = frame(0x0, 0, 1, &[]);
    let headers = frame(0x1, 0x4, 1, &[]);
    for next in [other_stream, data, headers, SETTINGS.to_vec()] {
        assert_eq!(rewrite(&[open.clone(), next].concat()), Err(AuthorityError::Interrupted));
    }
}

#[test]
fn a_flood_of_continuation_frames_is_refused() {
    for payload in [&[][..], &[0x82]] {
        let open = frame(0x1, 0, 1, &[]);
        let more = frame(0x9, 0, 1, payload);
        let allowed = [open.clone(), more.repeat(MAX_CONTINUATIONS)].concat();
        assert_eq!(rewrite(&allowed), Ok(vec![]), "held until it ends");
        assert_eq!(rewrite(&[allowed, more].concat()), Err(AuthorityError::TooManyContinuations));
    }
}

#[test]
fn a_block_past_the_cap_is_refused_by_its_head_alone() {
    let head = |kind: u8, length: usize| {
        let bytes = (length as u32).to_be_bytes();
        vec![bytes[1], bytes[2], bytes[3], kind, 0x4, 0, 0, 0, 1]
    };
    assert_eq!(rewrite(&head(0x1, MAX_BLOCK + 1)), Err(AuthorityError::BlockTooLong));
    assert_eq!(rewrite(&head(0x1, MAX_BLOCK)), Ok(vec![]), "held until it ends");
    let open = frame(0x1, 0, 1, &[0; 60_000]);
    assert_eq!(rewrite(&[open, head(0x9, 6_000)].concat()), Err(AuthorityError::BlockTooLong));
    assert_eq!(rewrite(&frame(0x1, 0x4, 1, &[0; MAX_BLOCK + 1])), Err(AuthorityError::BlockTooLong));
}

#[test]
fn nothing_passes_after_an_error() {
    let mut rewriter = Rewriter::sanitising();
    let mut output = BytesMut::new();
    let hostile = [PREFACE, &frame(0x1, 0, 1, &[]), &SETTINGS].concat();
    assert_eq!(rewriter.push(&hostile, &mut output), Err(AuthorityError::Interrupted));
    output.clear();
    for _ in 0..2 {
        assert_eq!(rewriter.push(&SETTINGS, &mut output), Err(AuthorityError::Interrupted));
    }
    assert!(output.is_empty());
}

#[test]
fn a_placeholder_is_substituted_on_the_way_out() {
    let mut rewriter = Rewriter::substituting(LEGAL, RAW).expect("of one length");
    let mut output = BytesMut::new();
    let mut encoder = Encoder::new();
    for (stream, authority) in [(1, LEGAL), (3, "localhost"), (5, LEGAL)] {
        let frames = plain(stream, &call_block(&mut encoder, authority, Spelling::GO));
        let preface = if stream == 1 { PREFACE } else { &[] };
        rewriter.push(&[preface, &frames].concat(), &mut output).expect("legal frames");
    }
    assert_eq!(authorities(&output[PREFACE.len()..]), [RAW, "localhost", RAW]);
}
