//! What stands in registers: values to and from them.
//!
//! - `order`: which register and which byte comes first
//! - `number`: kinds of numbers
//! - `format`, with `raw`, `half`, `bits` and `decimal`: numbers in registers, scaled, and parts of them
//! - `names`: names for numbers
//! - `text`: texts and raw bytes
//! - `time`: times and dates
//! - `go`: what KubeEdge's mapper in Go reads
//! - `describe`: all of them in words

mod bits;
mod decimal;
mod describe;
mod format;
mod go;
mod half;
mod misfit;
mod names;
mod number;
mod order;
mod raw;
mod text;
mod time;

use mapper_framework::{DataType, Reading, Value, model::Quality};

pub(crate) use bits::Part;
pub(crate) use format::Format;
pub(crate) use go::{Go, Word};
pub(crate) use misfit::Misfit;
pub(crate) use names::Names;
pub(crate) use number::Number;
pub(crate) use order::{Layout, Order, OrderName};
pub(crate) use text::{Charset, Text};
pub(crate) use time::Clock;

/// What a property is in its registers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Codec {
    /// A coil or a discrete input.
    Coil,
    Number(Format),
    Named(Format, Names),
    /// So many numbers, one after the other.
    List(Format, u16),
    Text(Text),
    /// So many registers as they are.
    Bytes(Layout, u16),
    Time(Layout, Clock),
    /// Whatever the Go mapper makes of the property's type.
    Go(Go),
}

/// What to write.
#[derive(Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) words: Vec<u16>,
    /// The bits to change in each of them, where the others stay as they are.
    pub(crate) mask: Option<Vec<u16>>,
}

impl From<Vec<u16>> for Change {
    fn from(words: Vec<u16>) -> Self {
        Self { words, mask: None }
    }
}

impl Codec {
    /// How many registers it takes.
    pub(crate) fn registers(&self) -> u32 {
        match self {
            Self::Coil => 1,
            Self::Number(format) | Self::Named(format, _) => format.number.registers().into(),
            Self::List(format, count) => u32::from(format.number.registers()) * u32::from(*count),
            Self::Text(text) => text.length.into(),
            Self::Bytes(_, length) => (*length).into(),
            Self::Time(_, clock) => clock.registers().into(),
            Self::Go(go) => go.limit.into(),
        }
    }

    /// What it holds for a property of this type, and the types that it suits. For reading, STRING suits all of them.
    pub(crate) fn suits(&self, data_type: DataType) -> (&'static str, &'static [DataType]) {
        use DataType as T;
        match self {
            Self::Coil => ("one bit", &[T::Boolean, T::Int]),
            Self::Number(format) if format.part.is_some_and(|part| part.is_bit) => ("one bit", &[T::Boolean, T::Int]),
            Self::Number(format) if format.is_integral() && format.is_plain() => {
                ("an integer", &[T::Int, T::Float, T::Double, T::Boolean])
            }
            Self::Number(format) if format.is_integral() => ("an integer", &[T::Int, T::Float, T::Double]),
            Self::Number(_) => ("a number with a fraction", &[T::Float, T::Double]),
            Self::Named(..) => ("a number with names", &[T::String]),
            Self::List(..) => ("a list of numbers", &[T::String]),
            Self::Text(_) => ("a text", &[T::String]),
            Self::Bytes(..) => ("bytes", &[T::String, T::Bytes]),
            Self::Time(_, clock) if clock.is_unix() => ("a time", &[T::String, T::Int]),
            Self::Time(..) => ("a time", &[T::String]),
            Self::Go(go) => go.suits(data_type),
        }
    }

    /// The value of these registers. What the device says to be none is a reading of bad quality.
    // A reading costs more to be moved than to be made.
    #[inline(always)]
    pub(crate) fn decode(&self, words: &[u16], data_type: DataType) -> Result<Reading, Misfit> {
        let of = |value: Option<Value>| match value {
            Some(value) => Reading::new(value),
            None => Reading::new(nothing(data_type)).quality(Quality::Bad),
        };
        let value = match self {
            Self::Number(format) => return format.decode(words, data_type).map(of),
            Self::Coil => Some(Value::from(words[0] != 0)),
            Self::Named(format, names) => format.decode(words, data_type)?.map(|value| match value {
                Value::Int(number) => names.name(number).map_or(value, Value::from),
                Value::Boolean(bit) => names.name(bit.into()).map_or(value, Value::from),
                other => other,
            }),
            Self::List(format, _) => Some(list(format, words)?.into()),
            Self::Text(text) => {
                let (text, is_whole) = text.decode(words);
                let quality = if is_whole { Quality::Good } else { Quality::Bad };
                return Ok(Reading::new(text).quality(quality));
            }
            Self::Bytes(layout, _) if data_type == DataType::Bytes => Some(layout.to_bytes(words).into()),
            Self::Bytes(layout, _) => Some(text::to_hex(&layout.to_bytes(words)).into()),
            Self::Time(layout, clock) if data_type == DataType::Int => Some(Value::Int(clock.count(*layout, words))),
            Self::Time(layout, clock) => clock.decode(*layout, words).map(|moment| {
                let zone = if clock.is_unix() { "Z" } else { "" };
                format!("{moment}{zone}").into()
            }),
            Self::Go(go) => go.decode(words, data_type)?,
        };
        Ok(of(value))
    }

    /// What to write for a value.
    pub(crate) fn encode(&self, value: &Value) -> Result<Change, Misfit> {
        let bit = |bit: &bool| Change::from(vec![u16::from(*bit)]);
        match (self, value) {
            (Self::Coil, Value::Boolean(value)) => Ok(bit(value)),
            (Self::Coil, Value::Int(0 | 1)) => Ok(bit(&(*value == Value::Int(1)))),
            (Self::Coil, value) => Err(Misfit::Bit { value: value.to_string() }),
            (Self::Number(format), value) => format.encode(value),
            (Self::Named(format, names), value) => {
                let misfit = || Misfit::Name { value: value.to_string(), names: names.list() };
                format.encode(&Value::Int(names.number(&value.to_string()).ok_or_else(misfit)?))
            }
            (Self::List(format, count), value) => of_list(format, *count, &value.to_string()),
            (Self::Text(text), value) => text.encode(&value.to_string()).map(Change::from),
            (Self::Bytes(layout, length), value) => {
                let bytes = match value {
                    Value::Bytes(bytes) => Some(bytes.to_vec()),
                    other => text::of_hex(&other.to_string()),
                };
                let count = length * 2;
                let misfit = || Misfit::Hex { value: value.to_string(), count };
                let bytes = bytes.filter(|bytes| bytes.len() == usize::from(count)).ok_or_else(misfit)?;
                Ok(layout.of_bytes(&bytes).into())
            }
            (Self::Time(layout, clock), Value::Int(count)) => {
                clock.encode_count(*layout, *count).map(Change::from).ok_or(Misfit::TimeOutOfRange)
            }
            (Self::Time(layout, clock), value) => clock.encode(*layout, &value.to_string()).map(Change::from),
            (Self::Go(go), value) => go.encode(value),
        }
    }
}

/// What a property reads whose device says that there is no value. Its quality is bad.
fn nothing(data_type: DataType) -> Value {
    match data_type {
        DataType::String | DataType::Stream => Value::from(""),
        DataType::Bytes => Value::from(Vec::new()),
        DataType::Boolean => Value::Boolean(false),
        _ => Value::Int(0),
    }
}

/// A JSON list of the numbers. One that is not available is null.
fn list(format: &Format, words: &[u16]) -> Result<String, Misfit> {
    let each = words.chunks_exact(format.number.registers().into());
    let values: Result<Vec<String>, Misfit> = each
        .map(|words| {
            let value = format.decode(words, DataType::String)?;
            Ok(value.map_or_else(|| "null".to_owned(), |value| value.to_string()))
        })
        .collect();
    Ok(format!("[{}]", values?.join(",")))
}

/// The registers for a JSON list of numbers.
fn of_list(format: &Format, count: u16, text: &str) -> Result<Change, Misfit> {
    let misfit = || Misfit::List { value: text.to_owned(), count };
    let inner = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']')).ok_or_else(misfit)?;
    let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
    if parts.len() != usize::from(count) {
        return Err(misfit());
    }
    let mut words = Vec::with_capacity(parts.len());
    for part in parts {
        let integer = part.parse().map(Value::Int).ok();
        let value = integer.or_else(|| part.parse().map(Value::Double).ok()).ok_or_else(misfit)?;
        words.extend(format.encode(&value)?.words);
    }
    Ok(words.into())
}
