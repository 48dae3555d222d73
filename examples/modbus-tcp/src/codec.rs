//! Numbers in registers.

use std::fmt;

use mapper_framework::{DataType, Value, model::ValueError};
use serde::Deserialize;

/// What stands in the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Number {
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Float32,
    Float64,
}

/// Which part comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// The most significant.
    #[default]
    Big,
    /// The least significant.
    Little,
}

/// How a number stands in registers: value = number · `scale` + `bias`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Format {
    pub(crate) number: Number,
    /// Of the two bytes in a register.
    pub(crate) byte_order: Order,
    /// Of the registers.
    pub(crate) word_order: Order,
    /// Never zero.
    pub(crate) scale: f64,
    pub(crate) bias: f64,
}

impl Number {
    /// How many registers it takes.
    pub(crate) fn registers(self) -> u16 {
        match self {
            Self::Int16 | Self::Uint16 => 1,
            Self::Int32 | Self::Uint32 | Self::Float32 => 2,
            Self::Int64 | Self::Uint64 | Self::Float64 => 4,
        }
    }

    /// The least and the greatest, if it is an integer.
    fn integers(self) -> Option<(i128, i128)> {
        match self {
            Self::Int16 => Some((i16::MIN.into(), i16::MAX.into())),
            Self::Uint16 => Some((0, u16::MAX.into())),
            Self::Int32 => Some((i32::MIN.into(), i32::MAX.into())),
            Self::Uint32 => Some((0, u32::MAX.into())),
            Self::Int64 => Some((i64::MIN.into(), i64::MAX.into())),
            Self::Uint64 => Some((0, u64::MAX.into())),
            Self::Float32 | Self::Float64 => None,
        }
    }
}

impl Format {
    /// The value of these registers, of which there must be [`Number::registers`], for a property of this type.
    pub(crate) fn decode(&self, registers: &[u16], data_type: DataType) -> Result<Value, ValueError> {
        let bits = self.join(registers);
        let number = match self.number {
            Number::Int16 => Value::from(bits as i16),
            Number::Uint16 => Value::from(bits as u16),
            Number::Int32 => Value::from(bits as i32),
            Number::Uint32 => Value::from(bits as u32),
            Number::Int64 => Value::from(bits as i64),
            Number::Uint64 if self.is_plain() => return Value::from_u64(bits, data_type),
            Number::Uint64 => Value::from(bits as f64),
            Number::Float32 => Value::from(f32::from_bits(bits as u32)),
            Number::Float64 => Value::from(f64::from_bits(bits)),
        };
        match decimal(&number) {
            Some(decimal) if !self.is_plain() => Ok(Value::Double(tidy(decimal * self.scale + self.bias))),
            _ => Ok(number),
        }
    }

    /// The registers for a value.
    pub(crate) fn encode(&self, value: &Value) -> Result<Vec<u16>, Misfit> {
        let bits = match self.number {
            Number::Float32 => self
                .number_of(value)
                .map(|number| number as f32)
                .filter(|number| number.is_finite())
                .map(|number| number.to_bits().into()),
            Number::Float64 => self.number_of(value).filter(|number| number.is_finite()).map(f64::to_bits),
            // Of a negative integer the lower bits are its two's complement.
            _ => self.integer_of(value).map(|integer| integer as u64),
        };
        bits.map(|bits| self.split(bits)).ok_or_else(|| Misfit { value: value.to_string(), format: *self })
    }

    /// The bits in the registers.
    fn join(&self, registers: &[u16]) -> u64 {
        let append = |bits: u64, register: &u16| (bits << 16) | u64::from(self.swap(*register));
        match self.word_order {
            Order::Big => registers.iter().fold(0, append),
            Order::Little => registers.iter().rev().fold(0, append),
        }
    }

    /// The registers that hold the bits.
    fn split(&self, bits: u64) -> Vec<u16> {
        let register = |n: u16| self.swap((bits >> (16 * n)) as u16);
        let count = self.number.registers();
        match self.word_order {
            Order::Big => (0..count).rev().map(register).collect(),
            Order::Little => (0..count).map(register).collect(),
        }
    }

    fn swap(&self, register: u16) -> u16 {
        match self.byte_order {
            Order::Big => register,
            Order::Little => register.swap_bytes(),
        }
    }

    /// The integer that stands for a value, if there is one in the range.
    fn integer_of(&self, value: &Value) -> Option<i128> {
        let integer = match value {
            // A float would lose what is beyond 2^53.
            Value::Int(integer) if self.is_plain() => i128::from(*integer),
            _ => self.number_of(value).filter(|number| number.fract() == 0.0)? as i128,
        };
        let (least, greatest) = self.number.integers()?;
        (least..=greatest).contains(&integer).then_some(integer)
    }

    /// The number that stands for a value.
    fn number_of(&self, value: &Value) -> Option<f64> {
        let decimal = decimal(value)?;
        Some(if self.is_plain() { decimal } else { tidy((decimal - self.bias) / self.scale) })
    }

    /// Whether the number stands as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.scale == 1.0 && self.bias == 0.0
    }

    /// Whether no value has a fraction.
    pub(crate) fn is_integral(&self) -> bool {
        self.number.integers().is_some() && self.scale.fract() == 0.0 && self.bias.fract() == 0.0
    }
}

/// The value as the decimal that its author wrote: of the `f32` 0.1 it is 0.1, not 0.10000000149011612, which no scale would
/// bring to an integer.
fn decimal(value: &Value) -> Option<f64> {
    match value {
        Value::Float(float) => float.to_string().parse().ok(),
        Value::Boolean(bit) => Some(f64::from(u8::from(*bit))),
        other => other.as_f64(),
    }
}

/// The number without the dirt that arithmetic leaves in the last digits: 7 · 0.1 is 0.7, not 0.7000000000000001.
fn tidy(number: f64) -> f64 {
    format!("{number:.14e}").parse().unwrap_or(number)
}

/// That a value has no place in its registers.
#[derive(Debug)]
pub(crate) struct Misfit {
    value: String,
    format: Format,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Format { number, scale, bias, .. } = self.format;
        let name = format!("{number:?}").to_lowercase();
        write!(f, "{:?} does not fit: {name}", self.value)?;
        if !self.format.is_plain() {
            write!(f, " with scale {scale} and bias {bias}")?;
        }
        let Some((least, greatest)) = number.integers() else { return write!(f, " holds finite numbers only") };
        let [a, b] = [least, greatest].map(|integer| tidy(integer as f64 * scale + bias));
        write!(f, " holds {} to {} in steps of {}", a.min(b), a.max(b), scale.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Number; 8] = [
        Number::Int16,
        Number::Uint16,
        Number::Int32,
        Number::Uint32,
        Number::Int64,
        Number::Uint64,
        Number::Float32,
        Number::Float64,
    ];

    fn plain(number: Number) -> Format {
        Format { number, byte_order: Order::Big, word_order: Order::Big, scale: 1.0, bias: 0.0 }
    }

    fn scaled(number: Number, scale: f64, bias: f64) -> Format {
        Format { scale, bias, ..plain(number) }
    }

    #[test]
    fn a_number_comes_back_from_its_registers_in_every_order() {
        for number in ALL {
            for byte_order in [Order::Big, Order::Little] {
                for word_order in [Order::Big, Order::Little] {
                    let format = Format { byte_order, word_order, ..plain(number) };
                    let registers = format.encode(&Value::Int(1234)).expect("1234 fits everywhere");
                    assert_eq!(registers.len(), usize::from(number.registers()));
                    let back = format.decode(&registers, DataType::Int).expect("it was a value before");
                    assert_eq!(back.as_f64(), Some(1234.0), "{format:?}");
                }
            }
        }
    }

    #[test]
    fn orders_say_where_the_most_significant_part_stands() {
        let at = |byte_order, word_order| Format { byte_order, word_order, ..plain(Number::Uint32) };
        let value = Value::Int(0x0102_0304);
        for (format, registers) in [
            (at(Order::Big, Order::Big), [0x0102, 0x0304]),
            (at(Order::Big, Order::Little), [0x0304, 0x0102]),
            (at(Order::Little, Order::Big), [0x0201, 0x0403]),
            (at(Order::Little, Order::Little), [0x0403, 0x0201]),
        ] {
            assert_eq!(format.encode(&value).ok().as_deref(), Some(&registers[..]), "{format:?}");
            assert_eq!(format.decode(&registers, DataType::Int), Ok(value.clone()), "{format:?}");
        }
    }

    #[test]
    fn scale_and_bias_leave_no_dirt_in_the_last_digits() {
        assert_eq!(scaled(Number::Int16, 0.1, 0.0).decode(&[7], DataType::Int), Ok(Value::Double(0.7)));
        assert_eq!(scaled(Number::Uint16, 0.5, -40.0).decode(&[100], DataType::Int), Ok(Value::Double(10.0)));
        let kilo = scaled(Number::Float32, 1000.0, 0.0);
        let registers = kilo.encode(&Value::Double(100.0)).expect("it fits");
        assert_eq!(kilo.decode(&registers, DataType::Int), Ok(Value::Double(100.0)));
    }

    #[test]
    fn a_32_bit_float_finds_its_step() {
        let tenths = scaled(Number::Int16, 0.1, 0.0);
        assert_eq!(tenths.encode(&Value::Float(21.3)).ok(), Some(vec![213]));
        assert_eq!(tenths.encode(&Value::Double(-0.1)).ok(), Some(vec![0xffff]));
    }

    #[test]
    fn the_ends_of_a_range_fit_and_what_lies_beyond_does_not() {
        for number in ALL {
            let Some((least, greatest)) = number.integers() else { continue };
            for inside in [least, greatest] {
                let Ok(inside) = i64::try_from(inside) else { continue };
                let registers = plain(number).encode(&Value::Int(inside)).expect("it is in the range");
                assert_eq!(plain(number).decode(&registers, DataType::Int), Ok(Value::Int(inside)), "{number:?}");
            }
            for outside in [least - 1, greatest + 1] {
                let Ok(outside) = i64::try_from(outside) else { continue };
                assert!(plain(number).encode(&Value::Int(outside)).is_err(), "{number:?} took {outside}");
            }
        }
    }

    #[test]
    fn a_misfit_names_value_and_range() {
        let misfit = |format: Format, value: Value| format.encode(&value).expect_err("it does not fit").to_string();
        assert_eq!(
            misfit(scaled(Number::Int16, 0.1, 0.0), Value::Double(21.55)),
            r#""21.55" does not fit: int16 with scale 0.1 and bias 0 holds -3276.8 to 3276.7 in steps of 0.1"#
        );
        assert_eq!(
            misfit(plain(Number::Uint16), Value::Int(70000)),
            r#""70000" does not fit: uint16 holds 0 to 65535 in steps of 1"#
        );
        assert_eq!(
            misfit(plain(Number::Float32), Value::Double(1e300)).split(": ").nth(1),
            Some("float32 holds finite numbers only")
        );
        assert!(plain(Number::Int16).encode(&Value::from("21")).is_err(), "text is no number");
    }

    #[test]
    fn an_unsigned_number_beyond_what_an_int_holds_is_text_or_a_double_and_no_int() {
        assert!(plain(Number::Uint64).decode(&[0xffff; 4], DataType::Int).is_err());
        let greatest = |data_type| plain(Number::Uint64).decode(&[0xffff; 4], data_type);
        assert_eq!(greatest(DataType::String), Ok(Value::from("18446744073709551615")));
        assert_eq!(greatest(DataType::Double), Ok(Value::Double(u64::MAX as f64)));
        assert_eq!(
            scaled(Number::Uint64, 0.5, 0.0).decode(&[0xffff; 4], DataType::Double),
            Ok(Value::Double(9.223_372_036_854_78e18))
        );
    }
}
