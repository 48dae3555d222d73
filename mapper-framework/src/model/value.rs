//! Values of properties, and the data types a device model declares for them.

use std::{cmp::Ordering, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;

use super::decimal;

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
            (DataType::Double, Self::Float(float)) => widened(*float),
            (DataType::Double, Self::Double(double)) => finite(Self::Double(*double), *double),
            (DataType::Boolean, Self::Int(0)) => Some(Self::Boolean(false)),
            (DataType::Boolean, Self::Int(1)) => Some(Self::Boolean(true)),
            (DataType::Bytes, Self::String(text)) => Some(Self::Bytes(Bytes::copy_from_slice(text.as_bytes()))),
            (DataType::String | DataType::Stream, other) => Some(Self::String(other.to_string())),
            _ => None,
        };
        conformed.ok_or_else(|| ValueError::NotOfType { value: self.excerpt(), data_type })
    }

    /// An unsigned integer in the form that `data_type` asks for. What lies beyond the greatest `INT` is the nearest `FLOAT` or `DOUBLE`, or
    /// text with all of its digits.
    ///
    /// # Errors
    ///
    /// The integer has no such form.
    pub fn from_u64(number: u64, data_type: DataType) -> Result<Self, ValueError> {
        match (i64::try_from(number), data_type) {
            (Ok(int), _) => Self::Int(int).conform(data_type),
            (Err(_), DataType::Float) => Ok(Self::Float(number as f32)),
            (Err(_), DataType::Double) => Ok(Self::Double(number as f64)),
            (Err(_), DataType::String | DataType::Stream) => Ok(Self::String(number.to_string())),
            (Err(_), _) => Err(ValueError::BeyondInt(number)),
        }
    }

    /// Reads a value from its text, as a user writes it in `desired` or a REST client sends it.
    ///
    /// # Errors
    ///
    /// The text is no value of the type.
    pub fn parse(text: &str, data_type: DataType) -> Result<Self, ValueError> {
        let parsed = match data_type {
            DataType::Int => whole(text),
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

    /// The value as a number whose decimals are those of the value's own; `None` for text, booleans and bytes.
    pub(crate) fn decimal(&self) -> Option<f64> {
        match self {
            Self::Float(float) => float.to_string().parse().ok(),
            other => other.as_f64(),
        }
    }

    /// Whether two values are the same setting of a device: equal, or floats that differ by no more than one step of rounding, which
    /// a driver's own arithmetic may cost (a register of 3 with a scale of 0.1 reads 0.30000000000000004).
    ///
    /// Two `Double`s are compared with 64 bits, and with 32 bits where either value is a `Float`.
    pub fn is_close_to(&self, other: &Self) -> bool {
        let precision = match (self, other) {
            (Self::Float(_), _) | (_, Self::Float(_)) => f64::from(f32::EPSILON),
            (Self::Double(_), _) | (_, Self::Double(_)) => f64::EPSILON,
            _ => return self == other,
        };
        let (Some(a), Some(b)) = (self.as_f64(), other.as_f64()) else { return false };
        (a - b).abs() <= precision * a.abs().max(b.abs())
    }

    /// Which of two numbers is the greater one, integers as integers; `None` if one is no number.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            _ => self.as_f64()?.partial_cmp(&other.as_f64()?),
        }
    }

    /// The beginning of the value's text, for messages.
    fn excerpt(&self) -> String {
        excerpt(&self.to_string())
    }
}

/// The most characters of a value that stand in a message.
const EXCERPT: usize = 40;

pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn integral(number: f64) -> Option<Value> {
    // Beyond 2^53 neighbouring integers are the same float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(Value::Int(number as i64))
}

/// An integer's decimals, read without a detour by way of a float: 9007199254740993.0 is no other than 9007199254740993.
fn whole(text: &str) -> Option<Value> {
    let (floor, is_whole) = decimal::floor(text)?;
    i64::try_from(floor).ok().filter(|_| is_whole).map(Value::Int)
}

/// A 32-bit float with 64 bits: the number that its shortest decimals mean, 0.1 and not 0.10000000149011612.
fn widened(float: f32) -> Option<Value> {
    float.to_string().parse().ok().filter(|double: &f64| double.is_finite()).map(Value::Double)
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
        i64::try_from(value).map(Self::Int).map_err(|_| ValueError::BeyondInt(value))
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
    /// An integer above the greatest INT.
    #[error(
        "{0} lies beyond the greatest INT, 9223372036854775807: declare the property as DOUBLE or STRING in the model (in a driver: Value::from_u64)"
    )]
    BeyondInt(u64),
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
    fn an_unsigned_integer_beyond_2_to_the_63_keeps_its_value_as_text_and_its_precision_as_a_double() {
        let text = "18446744073709551615";
        assert_eq!(Value::parse(text, DataType::String), Ok(Value::from(text)));
        assert_eq!(Value::from_u64(u64::MAX, DataType::String), Ok(Value::from(text)));
        assert_eq!(Value::from_u64(u64::MAX, DataType::Int), Err(ValueError::BeyondInt(u64::MAX)));
        assert_eq!(Value::from_u64(7, DataType::Int), Ok(Value::Int(7)));
        assert_eq!(Value::from_u64(7, DataType::String), Ok(Value::from("7")));
        assert!(Value::from_u64(7, DataType::Boolean).is_err());
        // 2^63 + 2^11 and 2^64 - 2^11 are doubles.
        for exact in [9_223_372_036_854_777_856_u64, 18_446_744_073_709_549_568] {
            let double = Value::from_u64(exact, DataType::Double).unwrap();
            assert_eq!(double, Value::Double(exact as f64));
            assert_eq!(Value::parse(&exact.to_string(), DataType::Double), Ok(double.clone()));
            assert_eq!(double.to_string().parse::<f64>().unwrap() as u64, exact);
            assert_eq!(double.clone().conform(DataType::Double), Ok(double));
        }
    }

    #[test]
    fn a_float_has_its_own_decimals_wherever_it_goes() {
        let float = Value::parse("0.1", DataType::Float).unwrap();
        assert_eq!((float.to_string(), float.decimal()), ("0.1".to_owned(), Some(0.1)));
        assert_eq!(float.clone().conform(DataType::Double), Ok(Value::Double(0.1)));
        assert_eq!(float.clone().conform(DataType::String), Ok(Value::from("0.1")));
        assert_eq!(Value::Double(0.1).conform(DataType::Float), Ok(float));
    }

    #[test]
    fn floats_are_close_when_only_rounding_parts_them() {
        assert!(Value::Double(0.1).is_close_to(&Value::Float(0.1)));
        assert!(Value::Double(0.1 * 3.0).is_close_to(&Value::Double(0.3)));
        assert!(Value::Float(0.1 * 3.0).is_close_to(&Value::Float(0.3)));
        assert!(!Value::Double(0.1).is_close_to(&Value::Double(0.1001)));
        assert!(!Value::from("0.1").is_close_to(&Value::Double(0.1)));
    }

    #[test]
    fn doubles_that_only_32_bits_would_take_for_the_same_are_not() {
        for (have, want) in [(1_764_338_521.0, 1_764_338_520.0), (113.264_393, 113.264_394), (0.1, 0.100_000_001)] {
            assert!(!Value::Double(have).is_close_to(&Value::Double(want)), "{have} {want}");
        }
        assert!(!Value::Int(9_007_199_254_740_993).is_close_to(&Value::Int(9_007_199_254_740_992)));
    }

    #[test]
    fn a_device_that_holds_32_bits_has_a_double_that_fits_into_them() {
        let read = Value::Float(113.25).conform(DataType::Double).unwrap();
        assert!(read.is_close_to(&Value::parse("113.25", DataType::Double).unwrap()));
        let read = Value::Float(0.1).conform(DataType::Double).unwrap();
        assert_eq!(read, Value::Double(0.1));
        // What does not fit is another setting: the device cannot have it.
        let read = Value::Float(113.264_4).conform(DataType::Double).unwrap();
        assert!(!read.is_close_to(&Value::parse("113.2643941", DataType::Double).unwrap()));
    }

    #[test]
    fn an_int_is_read_digit_by_digit() {
        let int = |text| Value::parse(text, DataType::Int);
        assert_eq!(int("9007199254740993.0"), Ok(Value::Int(9_007_199_254_740_993)));
        assert_eq!(int("-9223372036854775808.00"), Ok(Value::Int(i64::MIN)));
        assert_eq!(int("1e3"), Ok(Value::Int(1000)));
        for text in ["9223372036854775808", "22.5", "1e19", "inf", "0x10", "1_000"] {
            assert!(int(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unsigned_integer_that_no_int_holds_is_refused_with_a_cure() {
        assert_eq!(Value::try_from(5_u64), Ok(Value::Int(5)));
        let error = Value::try_from(u64::MAX).unwrap_err().to_string();
        assert!(error.contains("18446744073709551615") && error.contains("STRING"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(int in proptest::num::i64::ANY, float in proptest::num::f32::NORMAL, double in proptest::num::f64::NORMAL) {
            for value in [Value::Int(int), Value::Float(float), Value::Double(double)] {
                let data_type = match value {
                    Value::Int(_) => DataType::Int,
                    Value::Float(_) => DataType::Float,
                    _ => DataType::Double,
                };
                proptest::prop_assert_eq!(Value::parse(&value.to_string(), data_type), Ok(value.clone()));
                proptest::prop_assert!(value.is_close_to(&value));
            }
        }

        #[test]
        fn a_float_with_64_bits_says_the_same_and_comes_back(float in proptest::num::f32::NORMAL) {
            let double = Value::Float(float).conform(DataType::Double).unwrap();
            proptest::prop_assert_eq!(double.to_string(), float.to_string());
            proptest::prop_assert_eq!(double.conform(DataType::Float), Ok(Value::Float(float)));
        }

        #[test]
        fn doubles_further_apart_than_rounding_are_told_apart(double in 1e-300..1e300_f64, steps in 3_u64..1_000_000) {
            let other = f64::from_bits(double.to_bits() + steps);
            proptest::prop_assert!(!Value::Double(double).is_close_to(&Value::Double(other)));
        }
    }

    #[test]
    fn a_long_value_is_cut_in_messages() {
        let error = Value::parse(&"é".repeat(500), DataType::Int).unwrap_err();
        assert!(error.to_string().len() < 200, "{error}");
    }
}
