//! Why a value and its registers do not fit each other.

use mapper_framework::model::ValueError;

use super::text::Charset;

/// That a value has no place in its registers, or that the registers hold no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("{value:?} does not fit: {holds}")]
    Number { value: String, holds: String },
    #[error("{value:?} does not fit: a bit is 0 or 1")]
    Bit { value: String },
    #[error("{value:?} is neither a number nor one of {names}")]
    Name { value: String, names: String },
    #[error("{value:?} is not a list of {count} numbers, such as [1, 2]")]
    List { value: String, count: u16 },
    #[error("the character {character:?} does not exist in the charset {}", .charset.name())]
    Character { character: char, charset: Charset },
    #[error("the text has {bytes} bytes, and there is room for {room}")]
    TooLong { bytes: usize, room: usize },
    #[error("{value:?} is not {count} bytes in hexadecimal")]
    Hex { value: String, count: u16 },
    #[error("this is no time: write it as 2026-11-30T21:30:00")]
    NoTime,
    #[error("the time lies outside of what these registers hold")]
    TimeOutOfRange,
    #[error("{bits:#x} are no decimal digits")]
    Bcd { bits: u64 },
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl Charset {
    fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Utf8 => "utf-8",
            Self::Latin1 => "latin1",
        }
    }
}
