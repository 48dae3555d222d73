//! What `type` says.

use crate::codec::{Clock, Number};

/// A type of this mapper's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number(Number),
    Time(Clock),
    Text,
    Bytes,
}

/// All types, in the order in which a message lists them.
const KINDS: [(&str, Kind); 26] = {
    use Clock as C;
    use Kind::{Bytes, Text, Time};
    use Number as N;
    [
        ("int8", Kind::Number(N::Int8)),
        ("uint8", Kind::Number(N::Uint8)),
        ("int16", Kind::Number(N::Int16)),
        ("uint16", Kind::Number(N::Uint16)),
        ("int24", Kind::Number(N::Int24)),
        ("uint24", Kind::Number(N::Uint24)),
        ("int32", Kind::Number(N::Int32)),
        ("uint32", Kind::Number(N::Uint32)),
        ("int48", Kind::Number(N::Int48)),
        ("uint48", Kind::Number(N::Uint48)),
        ("int64", Kind::Number(N::Int64)),
        ("uint64", Kind::Number(N::Uint64)),
        ("float16", Kind::Number(N::Float16)),
        ("float32", Kind::Number(N::Float32)),
        ("float64", Kind::Number(N::Float64)),
        ("bcd16", Kind::Number(N::Bcd16)),
        ("bcd32", Kind::Number(N::Bcd32)),
        ("string", Text),
        ("bytes", Bytes),
        ("unix32", Time(C::Unix32)),
        ("unix64", Time(C::Unix64)),
        ("unix64ms", Time(C::Unix64Ms)),
        ("iec870", Time(C::Iec870)),
        ("date6", Time(C::Date6)),
        ("date3", Time(C::Date3)),
        ("date3bcd", Time(C::Date3Bcd)),
    ]
};

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind)
    }

    pub(super) fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        KINDS.map(|(name, _)| name).join(", ")
    }
}
