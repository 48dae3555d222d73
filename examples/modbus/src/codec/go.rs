//! Registers as KubeEdge's mapper in Go reads them.
//!
//= mappers-go mappers/modbus/driver/client.go: a request for `limit` registers, or coils, from `offset` on
//= mappers-go mappers/modbus/device/twindata.go: TransferData swaps registers, then bytes, and reads integers without a sign
//= kubeedge/examples temperature-sensor/modbus/driver/driver.go: one register is a FLOAT or DOUBLE, too

use mapper_framework::{DataType, Value};

use super::{Change, Charset, Codec, Format, Layout, Misfit, Number, Text};

/// What `limit`, `isSwap`, `isRegisterSwap`, `scale` and `dataType` say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Go {
    /// None where the property's type says it.
    pub(crate) word: Option<Word>,
    /// How many registers, or bits, there are.
    pub(crate) limit: u16,
    pub(crate) layout: Layout,
    pub(crate) scale: f64,
    /// Whether they are coils or discrete inputs.
    pub(crate) holds_bits: bool,
}

/// The words of `dataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Int,
    Float,
    Double,
    Boolean,
    String,
    Bytes,
}

impl Word {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.to_lowercase().as_str() {
            "int" => Some(Self::Int),
            "float" => Some(Self::Float),
            "double" => Some(Self::Double),
            "boolean" | "bool" => Some(Self::Boolean),
            "string" => Some(Self::String),
            "bytes" => Some(Self::Bytes),
            _ => None,
        }
    }

    fn of(data_type: DataType) -> Self {
        match data_type {
            DataType::Int => Self::Int,
            DataType::Float => Self::Float,
            DataType::Double => Self::Double,
            DataType::Boolean => Self::Boolean,
            DataType::Bytes => Self::Bytes,
            _ => Self::String,
        }
    }
}

impl Go {
    fn word(&self, data_type: DataType) -> Word {
        self.word.unwrap_or_else(|| Word::of(data_type))
    }

    /// The same in this mapper's own words, for a property of this type; `None` if there are too few registers, or too many.
    pub(crate) fn codec(&self, data_type: DataType) -> Option<Codec> {
        let Self { limit, layout, scale, .. } = *self;
        if self.holds_bits {
            return (limit == 1).then_some(Codec::Coil);
        }
        let number = |number| {
            let (part, bias, decimals, absent) = (None, 0.0, None, None);
            Some(Codec::Number(Format { number, layout, part, scale, bias, decimals, absent }))
        };
        match (self.word(data_type), limit) {
            (Word::Int | Word::Float | Word::Double, 1) => number(Number::Uint16),
            (Word::Int, 2) => number(Number::Uint32),
            (Word::Int, 4) => number(Number::Uint64),
            (Word::Float, 2) => number(Number::Float32),
            (Word::Double, 4) => number(Number::Float64),
            (Word::Int | Word::Float | Word::Double, _) => None,
            (Word::String, length) => Some(Codec::Text(Text { length, layout, charset: Charset::Utf8, pad: 0 })),
            (Word::Boolean | Word::Bytes, length) => Some(Codec::Bytes(layout, length)),
        }
    }

    /// How many registers each word takes, for messages.
    pub(crate) fn limits(&self, data_type: DataType) -> &'static str {
        match self.word(data_type) {
            _ if self.holds_bits => "numbers, and a boolean",
            Word::Int => "an int, which takes 1, 2 or 4 registers",
            Word::Float => "a float, which takes 1 or 2 registers",
            Word::Double => "a double, which takes 1 or 4 registers",
            _ => "a value",
        }
    }

    /// Whether registers of so many can be read as a property of this type.
    pub(crate) fn is_readable(&self, data_type: DataType) -> bool {
        if self.holds_bits { self.word(data_type) != Word::Bytes } else { self.codec(data_type).is_some() }
    }

    /// What it holds, and the types of properties that it suits.
    pub(crate) fn suits(&self, data_type: DataType) -> (&'static str, &'static [DataType]) {
        use DataType as T;
        match self.word(data_type) {
            Word::Int => ("an integer", &[T::Int, T::Float, T::Double]),
            Word::Float | Word::Double => ("a number with a fraction", &[T::Float, T::Double]),
            Word::Boolean => ("a boolean", &[T::Boolean, T::Int]),
            Word::String => ("a text", &[T::String]),
            Word::Bytes => ("bytes", &[T::Bytes, T::String]),
        }
    }

    /// The value of these registers; `None` if it is not a number.
    pub(crate) fn decode(&self, words: &[u16], data_type: DataType) -> Result<Option<Value>, Misfit> {
        let word = self.word(data_type);
        if self.holds_bits {
            // The first coil is the least significant bit of the byte that Modbus sends.
            let byte = words.iter().rev().fold(0, |byte, bit| (byte << 1) | u64::from(*bit != 0));
            return Ok(Some(match word {
                Word::Boolean => Value::Boolean(byte == 1),
                Word::Int => self.truncated(byte, data_type)?,
                Word::Float | Word::Double => Value::Double(byte as f64 * self.scale),
                Word::String | Word::Bytes => byte.to_string().into(),
            }));
        }
        match (word, self.codec(data_type)) {
            (Word::Boolean, _) => Ok(Some(Value::Boolean(self.layout.to_bytes(words).first() == Some(&1)))),
            (Word::Int, Some(Codec::Number(_))) => self.truncated(self.layout.join(words), data_type).map(Some),
            (_, Some(Codec::Number(format))) => format.decode(words, data_type),
            (_, Some(codec)) => Ok(Some(codec.decode(words, data_type)?.into_value())),
            (_, None) => Ok(None),
        }
    }

    /// An integer whose fraction is cut off.
    fn truncated(&self, number: u64, data_type: DataType) -> Result<Value, Misfit> {
        if self.scale == 1.0 {
            return Ok(
                i64::try_from(number).map_or_else(|_| Value::from_u64(number, data_type), |it| Ok(Value::Int(it)))?
            );
        }
        Ok(Value::Int((number as f64 * self.scale) as i64))
    }

    /// Whether the Go mapper, which writes one register as it is, writes something else than is read back.
    pub(crate) fn is_written_otherwise(&self) -> bool {
        let is_swapped = self.layout != Layout::default();
        !self.holds_bits && (self.scale != 1.0 || self.limit > 1 || is_swapped)
    }

    /// What to write so that the value is read back. The Go mapper writes an integer as it is, neither scaled nor swapped.
    pub(crate) fn encode(&self, value: &Value) -> Result<Change, Misfit> {
        let data_type = match value {
            Value::Int(_) => DataType::Int,
            Value::Float(_) => DataType::Float,
            Value::Double(_) => DataType::Double,
            Value::Boolean(_) => DataType::Boolean,
            Value::Bytes(_) => DataType::Bytes,
            _ => DataType::String,
        };
        let misfit = || Misfit::Number { value: value.to_string(), holds: self.limits(data_type).to_owned() };
        match (self.word(data_type), self.codec(data_type).ok_or_else(misfit)?) {
            (Word::Boolean, Codec::Bytes(layout, length)) => {
                let is_set = value.as_f64().map_or_else(|| *value == Value::Boolean(true), |number| number == 1.0);
                let mut bytes = vec![0; usize::from(length) * 2];
                bytes[0] = u8::from(is_set);
                Ok(layout.of_bytes(&bytes).into())
            }
            (_, codec) => codec.encode(value),
        }
    }
}
