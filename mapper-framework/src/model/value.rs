//! Values of properties, and the data types a device model declares for them.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;

/// The type a device model declares for a property (`ModelProperty.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// A signed 64-bit integer.
    Int,
    /// A 32-bit float.
    Float,
    /// A 64-bit float.
    Double,
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// Bytes; in a twin they stand as URL-safe base64 without padding, which is all that edgecore lets through.
    Bytes,
    /// A stream: the driver hands over text (a file's name, an address) or bytes (a frame).
    Stream,
}

impl DataType {
    /// The name as KubeEdge writes it, such as `INT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Int => "INT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::String => "STRING",
            Self::Boolean => "BOOLEAN",
            Self::Bytes => "BYTES",
            Self::Stream => "STREAM",
        }
    }

    /// Whether values have an order, so that `minimum` and `maximum` mean something.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Double)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataType {
    type Err = ValueError;

    /// Reads the name in any case.
    fn from_str(name: &str) -> Result<Self, ValueError> {
        let all = [Self::Int, Self::Float, Self::Double, Self::String, Self::Boolean, Self::Bytes, Self::Stream];
        all.into_iter()
            .find(|data_type| data_type.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| ValueError::UnknownDataType(name.to_owned()))
    }
}

/// A value of a property.
///
/// [`Display`](fmt::Display) writes it as it stands in a twin: numbers in plain decimals, bytes as URL-safe base64.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A signed 64-bit integer.
    Int(i64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// Text.
    String(String),
    /// True or false.
    Boolean(bool),
    /// Bytes.
    Bytes(Bytes),
}

impl Value {
    /// Turns the value into the form that `data_type` asks for.
    ///
    /// A number changes its width where nothing but the precision that the type lacks is lost, 0 and 1 become booleans and
    /// booleans become them, and anything becomes text.
    ///
    /// # Errors
    ///
    /// The value has no such form: a fraction for an `INT`, text for a number, a float that is not finite.
    pub fn conform(self, data_type: DataType) -> Result<Self, ValueError> {
        let conformed = match (data_type, &self) {
            (DataType::Int, Self::Int(_))
            | (DataType::Boolean, Self::Boolean(_))
            | (DataType::String | DataType::Stream, Self::String(_))
            | (DataType::Bytes | DataType::Stream, Self::Bytes(_)) => Some(self.clone()),
            (DataType::Int, Self::Boolean(boolean)) => Some(Self::Int((*boolean).into())),
            (DataType::Int, Self::Float(float)) => integral(f64::from(*float)),
            (DataType::Int, Self::Double(double)) => integral(*double),
            (DataType::Float, Self::Int(int)) => Some(Self::Float(*int as f32)),
            (DataType::Float, Self::Float(float)) => finite(Self::Float(*float), f64::from(*float)),
            (DataType::Float, Self::Double(double)) => finite(Self::Float(*double as f32), f64::from(*double as f32)),
            (DataType::Double, Self::Int(int)) => Some(Self::Double(*int as f64)),
            (DataType::Double, Self::Float(float)) => finite(Self::Double(f64::from(*float)), f64::from(*float)),
            (DataType::Double, Self::Double(double)) => finite(Self::Double(*double), *double),
            (DataType::Boolean, Self::Int(0)) => Some(Self::Boolean(false)),
            (DataType::Boolean, Self::Int(1)) => Some(Self::Boolean(true)),
            (DataType::Bytes, Self::String(text)) => Some(Self::Bytes(Bytes::copy_from_slice(text.as_bytes()))),
            (DataType::String | DataType::Stream, other) => Some(Self::String(other.to_string())),
            _ => None,
        };
        conformed.ok_or_else(|| ValueError::NotOfType { value: self.excerpt(), data_type })
    }

    /// Reads a value from its text, as a user writes it in `desired` or a REST client sends it.
    ///
    /// # Errors
    ///
    /// The text is no value of the type.
    pub fn parse(text: &str, data_type: DataType) -> Result<Self, ValueError> {
        let parsed = match data_type {
            DataType::Int => text.parse().ok().map(Self::Int).or_else(|| text.parse().ok().and_then(integral)),
            DataType::Float => text.parse().ok().and_then(|float: f32| finite(Self::Float(float), f64::from(float))),
            DataType::Double => text.parse().ok().and_then(|double| finite(Self::Double(double), double)),
            DataType::Boolean => boolean(text),
            DataType::Bytes => URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok().map(Self::from),
            DataType::String | DataType::Stream => Some(Self::String(text.to_owned())),
        };
        parsed.ok_or_else(|| ValueError::NotOfType { value: excerpt(text), data_type })
    }

    /// The value as a number; `None` for text, booleans and bytes.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Int(int) => Some(int as f64),
            Self::Float(float) => Some(f64::from(float)),
            Self::Double(double) => Some(double),
            _ => None,
        }
    }

    /// Whether two values are the same setting of a device: equal, or floats that differ by no more than rounding to 32 bits.
    pub fn is_close_to(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(_) | Self::Double(_), _) | (_, Self::Float(_) | Self::Double(_)) => {
                let (Some(a), Some(b)) = (self.as_f64(), other.as_f64()) else { return false };
                (a - b).abs() <= f64::from(f32::EPSILON) * a.abs().max(b.abs())
            }
            _ => self == other,
        }
    }

    /// The beginning of the value's text, for messages.
    fn excerpt(&self) -> String {
        excerpt(&self.to_string())
    }
}

/// The most characters of a value that stand in a message.
const EXCERPT: usize = 40;

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn integral(number: f64) -> Option<Value> {
    // Beyond 2^53 a float no longer tells neighbouring integers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(Value::Int(number as i64))
}

fn finite(value: Value, number: f64) -> Option<Value> {
    number.is_finite().then_some(value)
}

fn boolean(text: &str) -> Option<Value> {
    let is = |words: [&str; 2]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(["true", "1"]) {
        Some(Value::Boolean(true))
    } else if is(["false", "0"]) {
        Some(Value::Boolean(false))
    } else {
        None
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => int.fmt(f),
            Self::Float(float) => float.fmt(f),
            Self::Double(double) => double.fmt(f),
            Self::String(text) => text.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Bytes(bytes) => f.write_str(&URL_SAFE_NO_PAD.encode(bytes)),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

value_from! {
    i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int,
    f32 => Float, f64 => Double, bool => Boolean, String => String, &str => String, Bytes => Bytes, Vec<u8> => Bytes,
}

impl TryFrom<u64> for Value {
    type Error = ValueError;

    fn try_from(value: u64) -> Result<Self, ValueError> {
        i64::try_from(value)
            .map(Self::Int)
            .map_err(|_| ValueError::NotOfType { value: value.to_string(), data_type: DataType::Int })
    }
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The device model names a type that does not exist.
    #[error("unknown data type {0:?}: use INT, FLOAT, DOUBLE, STRING, BOOLEAN, BYTES or STREAM")]
    UnknownDataType(String),
    /// The value cannot be brought into the form of the property's type.
    #[error("{value:?} is not a value of type {data_type}")]
    #[non_exhaustive]
    NotOfType {
        /// The beginning of the value.
        value: String,
        /// The type that was asked for.
        data_type: DataType,
    },
    /// The value lies outside what the device model allows.
    #[error("{value} lies outside {minimum} to {maximum}, the bounds that the device model sets")]
    #[non_exhaustive]
    OutOfBounds {
        /// The value.
        value: String,
        /// The lower bound, or `-∞`.
        minimum: String,
        /// The upper bound, or `∞`.
        maximum: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_type_is_read_in_any_case() {
        for name in ["INT", "int", "Int"] {
            assert_eq!(name.parse(), Ok(DataType::Int));
        }
        assert!("INTEGER".parse::<DataType>().is_err());
    }

    #[test]
    fn numbers_conform_where_nothing_is_lost() {
        assert_eq!(Value::Double(21.0).conform(DataType::Int), Ok(Value::Int(21)));
        assert_eq!(Value::Int(21).conform(DataType::Double), Ok(Value::Double(21.0)));
        assert_eq!(Value::Int(1).conform(DataType::Boolean), Ok(Value::Boolean(true)));
        assert_eq!(Value::Boolean(true).conform(DataType::Int), Ok(Value::Int(1)));
        assert_eq!(Value::Int(5).conform(DataType::String), Ok(Value::String("5".into())));
        assert!(Value::Double(21.5).conform(DataType::Int).is_err());
        assert!(Value::Int(2).conform(DataType::Boolean).is_err());
        assert!(Value::from("21").conform(DataType::Int).is_err());
    }

    #[test]
    fn a_float_that_is_not_finite_is_no_value() {
        assert!(Value::Double(f64::NAN).conform(DataType::Double).is_err());
        assert!(Value::Double(1e300).conform(DataType::Float).is_err());
        assert!(Value::parse("inf", DataType::Double).is_err());
    }

    #[test]
    fn text_is_read_by_type() {
        assert_eq!(Value::parse("22", DataType::Int), Ok(Value::Int(22)));
        assert_eq!(Value::parse("22.0", DataType::Int), Ok(Value::Int(22)));
        assert_eq!(Value::parse("0.1", DataType::Float), Ok(Value::Float(0.1)));
        assert_eq!(Value::parse("TRUE", DataType::Boolean), Ok(Value::Boolean(true)));
        assert_eq!(Value::parse("_-8", DataType::Bytes), Ok(Value::from(vec![0xff, 0xef])));
        assert!(Value::parse("", DataType::Int).is_err());
        assert!(Value::parse("yes", DataType::Boolean).is_err());
    }

    #[test]
    fn a_value_is_written_as_it_stands_in_a_twin() {
        assert_eq!(Value::Float(0.1).to_string(), "0.1");
        assert_eq!(Value::Double(1e21).to_string(), "1000000000000000000000");
        assert_eq!(Value::from(vec![0xff, 0xef]).to_string(), "_-8");
    }

    #[test]
    fn floats_are_close_when_only_rounding_parts_them() {
        assert!(Value::Double(0.1).is_close_to(&Value::Float(0.1)));
        assert!(!Value::Double(0.1).is_close_to(&Value::Double(0.1001)));
        assert!(!Value::from("0.1").is_close_to(&Value::Double(0.1)));
    }

    #[test]
    fn a_long_value_is_cut_in_messages() {
        let error = Value::parse(&"é".repeat(500), DataType::Int).unwrap_err();
        assert!(error.to_string().len() < 200, "{error}");
    }
}
