//! The state machine over the bytes of one direction of a connection.

use std::mem;

use bytes::BytesMut;

use super::AuthorityError;
use super::block::{self, Held, MAX_BLOCK, Verdict};
use super::frames::{HEADERS, Head};
use super::rule::Rule;

/// What a client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Rewrites the authorities in the bytes that an HTTP/2 client sends. Knows nothing of IO.
///
/// Holds back at most one header block ([`MAX_BLOCK`]); after an error it gives nothing but that error.
#[derive(Debug)]
pub(crate) struct Rewriter {
    rule: Rule,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So many bytes of the preface have passed.
    Preface(usize),
    /// The client does not speak HTTP/2: all passes.
    Foreign,
    /// The next byte is the first of a frame.
    Boundary,
    /// So many bytes of payload may pass.
    Payload(usize),
    Holding(Held),
    Failed(AuthorityError),
}

impl State {
    fn payload(left: usize) -> Self {
        if left == 0 { Self::Boundary } else { Self::Payload(left) }
    }
}

impl Rewriter {
    /// Replaces what `h2` refuses, on the way in to the mapper's server.
    pub(crate) fn sanitising() -> Self {
        Self::new(Rule::Sanitise)
    }

    /// Replaces each authority `placeholder` by `raw`, on the way out of an in-process edgecore: tonic's client refuses
    /// to send what edgecore does. Fails unless both have the same length; [`placeholder`](super::placeholder) makes
    /// one that has.
    pub(crate) fn substituting(placeholder: &str, raw: &str) -> Result<Self, AuthorityError> {
        Rule::substitute(placeholder, raw).map(Self::new)
    }

    fn new(rule: Rule) -> Self {
        Self { rule, state: State::Preface(0) }
    }

    /// Takes all of `input`, and appends to `output` what may go on.
    pub(crate) fn push(&mut self, mut input: &[u8], output: &mut BytesMut) -> Result<(), AuthorityError> {
        loop {
            let passed = self.pass(input);
            output.extend_from_slice(&input[..passed]);
            input = &input[passed..];
            if input.is_empty() {
                return Ok(());
            }
            let held = self.hold(input, output)?;
            input = &input[held..];
        }
    }

    /// Takes the leading bytes of `input` that go on unchanged, and returns how many, so that the caller need not copy
    /// them. The rest is for [`push`](Self::push).
    pub(super) fn pass(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            at += match self.state {
                State::Preface(seen) => self.pass_preface(seen, rest),
                State::Foreign => rest.len(),
                State::Boundary => match self.pass_frame(rest) {
                    0 => break,
                    passed => passed,
                },
                State::Payload(left) => {
                    let passed = left.min(rest.len());
                    self.state = State::payload(left - passed);
                    passed
                }
                State::Holding(_) | State::Failed(_) => break,
            };
        }
        at
    }

    fn pass_preface(&mut self, seen: usize, rest: &[u8]) -> usize {
        let expected = &PREFACE[seen..];
        let passed = expected.len().min(rest.len());
        self.state = if rest[..passed] != expected[..passed] {
            State::Foreign
        } else if passed == expected.len() {
            State::Boundary
        } else {
            State::Preface(seen + passed)
        };
        passed
    }

    /// Passes a whole header block that stays as it is, or the head of a frame of another kind.
    fn pass_frame(&mut self, rest: &[u8]) -> usize {
        let Some(head) = Head::parse(rest) else { return 0 };
        if head.kind != HEADERS {
            self.state = State::payload(head.length);
            return Head::LEN;
        }
        let Some(payload) = rest[Head::LEN..].get(..head.length) else { return 0 };
        let judged = head.ends_block() && head.length <= MAX_BLOCK;
        if judged && block::is_unchanged(head, payload, &self.rule) { Head::LEN + head.length } else { 0 }
    }

    fn hold(&mut self, input: &[u8], output: &mut BytesMut) -> Result<usize, AuthorityError> {
        let mut held = match mem::replace(&mut self.state, State::Boundary) {
            State::Holding(held) => held,
            State::Failed(error) => return Err(self.fail(error)),
            State::Preface(_) | State::Foreign | State::Boundary | State::Payload(_) => Held::default(),
        };
        let (taken, verdict) = held.take(input).map_err(|error| self.fail(error))?;
        match verdict {
            Verdict::Incomplete => self.state = State::Holding(held),
            Verdict::NoBlock(head) => {
                output.extend_from_slice(held.bytes());
                self.state = State::payload(head.length);
            }
            Verdict::Block => held.put(&self.rule, output),
        }
        Ok(taken)
    }

    fn fail(&mut self, error: AuthorityError) -> AuthorityError {
        self.state = State::Failed(error);
        error
    }
}

#[cfg(test)]
mod tests;
