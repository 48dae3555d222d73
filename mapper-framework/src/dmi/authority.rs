//! Makes the `:authority` that edgecore sends acceptable to `h2`.
//!
//! # Why
//!
//! edgecore is a grpc-go client that dials the mapper's unix socket by its bare path, and grpc-go derives the
//! `:authority` of each call from what it dialled: `/etc/kubeedge/modbus.sock` (v1.53) or
//! `%2Fetc%2Fkubeedge%2Fmodbus.sock` (v1.67). The first is no authority by RFC 3986; the second is, but the `http` crate
//! takes no `%` in a host name. `h2` asks that crate, and resets the stream with `PROTOCOL_ERROR` before tonic sees the
//! call. So with a bare tonic server *every* call of edgecore fails, while a test written with tonic's own client passes.
//!
//! A fix for `h2` has been an open pull request for years (<https://github.com/hyperium/h2/pull/487>), and hyper's
//! maintainers hold that a path is not an authority (<https://github.com/hyperium/hyper/issues/3750>). A
//! `[patch.crates-io]` cannot help a library: Cargo obeys it in the workspace that builds the binary only, so each user
//! of the library would have to repeat it.
//!
//! # How
//!
//! [`SanitisedStream`] wraps the accepted socket. A [`Rewriter`] walks the HTTP/2 frames (RFC 9113) that the client
//! sends and, in each header block, the HPACK representations (RFC 7541). Where a literal `:authority` has a value that
//! [`http`](tonic::codegen::http::uri::Authority) refuses, it replaces each byte that is not legal everywhere in a host
//! name by `-` and writes the value without Huffman coding. All else passes byte for byte: legal values such as
//! `localhost`, indexed fields, table size updates, other frames.
//!
//! The replacement keeps the value's decoded length. HPACK accounts for its dynamic table in decoded lengths
//! (RFC 7541, section 4.1), so `h2` evicts exactly when the client does, a later indexed field resolves to the replaced
//! value, and the rewriter needs no table of its own.
//!
//! # Limits
//!
//! - A literal `:authority` whose *name* is an index into the dynamic table is not recognised, for want of that table.
//!   Encoders that index the name of `:authority` use its static entry (grpc-go, nghttp2, `h2`), and those that do not
//!   spell it out (grpc's C core). Should one differ, `h2` resets that stream, as it would without the adapter.
//! - An empty `:authority` stays empty, and `h2` resets the stream: no replacement of that length is legal.
//! - A rewritten block loses its padding and is cut into frames anew.
//! - What is not HTTP/2, or not HPACK, passes unchanged: `h2` knows how to answer it. The connection is closed only where
//!   holding on would cost unbounded memory or leave the rewriter out of step, see [`AuthorityError`].

mod block;
mod frames;
mod hpack;
mod huffman;
mod io;
mod rewriter;
mod rule;

#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

pub(crate) use io::{SanitisedStream, SubstitutingStream};
pub(crate) use rewriter::Rewriter;
pub(crate) use rule::placeholder;

/// Why a connection was closed, or a rewriter not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// One header block exceeds what any client sends and tonic's server accepts (16 KiB by default).
    #[error("a header block of more than {} bytes", block::MAX_BLOCK)]
    BlockTooLong,
    /// A CONTINUATION flood: many frames with few bytes or none.
    #[error("a header block of more than {} CONTINUATION frames", block::MAX_CONTINUATIONS)]
    TooManyContinuations,
    /// RFC 9113, section 6.10: only CONTINUATION frames of the same stream may follow until the block ends.
    #[error("a header block interrupted by another frame")]
    Interrupted,
    /// A substitute of another length would put the two dynamic tables out of step.
    #[error("the placeholder and the authority it stands for differ in length")]
    UnequalLength,
}

impl From<AuthorityError> for std::io::Error {
    fn from(error: AuthorityError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}
