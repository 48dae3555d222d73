//! Holds back what cannot be judged yet: a frame head that is not whole, or a header block that has not ended.

use bytes::BytesMut;

use super::AuthorityError;
use super::frames::{self, CONTINUATION, Fragment, HEADERS, Head};
use super::hpack;
use super::rule::Rule;

/// The most payload of one header block, with its padding. tonic's server accepts 16 KiB by default.
pub(super) const MAX_BLOCK: usize = 64 * 1024;
/// The most CONTINUATION frames of one block. A client fills its frames, so four suffice for [`MAX_BLOCK`].
pub(super) const MAX_CONTINUATIONS: usize = 64;

/// The frames of one header block as they came, at most [`MAX_BLOCK`] bytes and the heads.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Where in `bytes` the current frame begins.
    frame: usize,
    /// The stream whose block is open: none before the head of HEADERS is whole.
    stream: Option<u32>,
    /// The payload of all frames so far, of which the last may not be here yet.
    payload: usize,
    continuations: usize,
}

/// What is known after some bytes more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Incomplete,
    /// The head of a frame that begins no header block: it may pass, and so may its payload.
    NoBlock(Head),
    /// The block has ended.
    Block,
}

impl Held {
    /// Takes bytes up to the end of the current head or frame, and returns how many.
    pub(super) fn take(&mut self, input: &[u8]) -> Result<(usize, Verdict), AuthorityError> {
        let was_known = self.head().is_some();
        let taken = self.fill(input);
        let Some(head) = self.head() else { return Ok((taken, Verdict::Incomplete)) };
        if !was_known && !self.admit(head)? {
            return Ok((taken, Verdict::NoBlock(head)));
        }
        if self.missing() > 0 {
            return Ok((taken, Verdict::Incomplete));
        }
        self.frame = self.bytes.len();
        Ok((taken, if head.ends_block() { Verdict::Block } else { Verdict::Incomplete }))
    }

    fn head(&self) -> Option<Head> {
        Head::parse(&self.bytes[self.frame..])
    }

    /// How many bytes the current head, or else the current frame, lacks.
    fn missing(&self) -> usize {
        let wanted = self.frame + Head::LEN + self.head().map_or(0, |head| head.length);
        wanted - self.bytes.len()
    }

    fn fill(&mut self, input: &[u8]) -> usize {
        let taken = self.missing().min(input.len());
        self.bytes.extend_from_slice(&input[..taken]);
        taken
    }

    /// Checks a head that has just become whole: whether it belongs to a block, and whether that stays bounded.
    fn admit(&mut self, head: Head) -> Result<bool, AuthorityError> {
        match (self.stream, head.kind) {
            (None, HEADERS) => self.stream = Some(head.stream),
            (None, _) => return Ok(false),
            (Some(stream), CONTINUATION) if stream == head.stream => self.continuations += 1,
            (Some(_), _) => return Err(AuthorityError::Interrupted),
        }
        if self.continuations > MAX_CONTINUATIONS {
            return Err(AuthorityError::TooManyContinuations);
        }
        self.payload += head.length;
        if self.payload > MAX_BLOCK {
            return Err(AuthorityError::BlockTooLong);
        }
        Ok(true)
    }

    /// The bytes as they came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes the whole block, changed where `rule` says so, or else as it came.
    pub(super) fn put(&self, rule: &Rule, output: &mut BytesMut) {
        let Some((first, Fragment { priority, block })) = assemble(&self.bytes) else {
            return output.extend_from_slice(&self.bytes);
        };
        match hpack::rewrite(&block, rule) {
            Ok(Some(rewritten)) => frames::put_block(first, priority, &rewritten, output),
            Ok(None) | Err(hpack::Malformed) => output.extend_from_slice(&self.bytes),
        }
    }
}

/// Whether `frame`, a whole header block in one HEADERS frame, stays as it is.
pub(super) fn is_unchanged(head: Head, payload: &[u8], rule: &Rule) -> bool {
    frames::fragment(head, payload).is_none_or(|fragment| !matches!(hpack::rewrite(&fragment.block, rule), Ok(Some(_))))
}

/// The first head and the joined fragments of HEADERS and its CONTINUATION frames.
fn assemble(frames: &[u8]) -> Option<(Head, Fragment<'_>)> {
    let (first, payload, mut rest) = split_frame(frames)?;
    let mut whole = frames::fragment(first, payload)?;
    while let Some((_, more, next)) = split_frame(rest) {
        whole.block.to_mut().extend_from_slice(more);
        rest = next;
    }
    Some((first, whole))
}

fn split_frame(bytes: &[u8]) -> Option<(Head, &[u8], &[u8])> {
    let head = Head::parse(bytes)?;
    let (payload, rest) = bytes[Head::LEN..].split_at_checked(head.length)?;
    Some((head, payload, rest))
}
