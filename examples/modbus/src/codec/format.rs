//! Numbers in registers.

use mapper_framework::{DataType, Value};

use super::{Change, Layout, Misfit, Number, bits, bits::Part, decimal, half, raw::Raw};

/// How a number stands in registers: value = number * `scale` + `bias`, rounded to `decimals`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Format {
    pub(crate) number: Number,
    pub(crate) layout: Layout,
    /// The bits that count, if not all of them do.
    pub(crate) part: Option<Part>,
    /// Never zero.
    pub(crate) scale: f64,
    pub(crate) bias: f64,
    pub(crate) decimals: Option<u8>,
    /// The bits by which the device says that there is no value.
    pub(crate) absent: Option<u64>,
}

impl Format {
    /// The value of these registers, of which there must be [`Number::registers`], for a property of this type. `None` if the device
    /// says that it has none, or if it is not a number.
    pub(crate) fn decode(&self, registers: &[u16], data_type: DataType) -> Result<Option<Value>, Misfit> {
        let unused = 64 - self.number.width();
        let bits = (self.layout.join(registers) << unused) >> unused;
        if self.absent == Some(bits) {
            return Ok(None);
        }
        let raw = match (self.part, self.number) {
            (Some(part), _) if part.is_bit => return Ok(Some(Value::from(part.extract(bits) != 0))),
            (Some(part), _) => Raw::unsigned(part.extract(bits)),
            (None, Number::Float16) => Raw::Single(half::to_f32(bits as u16)),
            (None, Number::Float32) => Raw::Single(f32::from_bits(bits as u32)),
            (None, Number::Float64) => Raw::Double(f64::from_bits(bits)),
            (None, number) if number.is_bcd() => Raw::unsigned(bits::of_bcd(bits).ok_or(Misfit::Bcd { bits })?),
            (None, number) if number.is_signed() => Raw::Int(((bits << unused) as i64) >> unused),
            (None, _) => Raw::unsigned(bits),
        };
        let is_rounded = self.number.is_float() && self.decimals.is_some();
        match (raw.is_finite(), self.is_plain()) {
            (false, _) => Ok(None),
            (true, false) => Ok(Some(self.round(decimal::tidy(raw.decimal() * self.scale + self.bias)).into())),
            (true, true) if is_rounded => Ok(Some(self.round(raw.decimal()).into())),
            (true, true) => match raw {
                Raw::Int(integer) => Ok(Some(integer.into())),
                Raw::Large(integer) => Ok(Some(Value::from_u64(integer, data_type)?)),
                Raw::Single(float) => Ok(Some(float.into())),
                Raw::Double(float) => Ok(Some(float.into())),
            },
        }
    }

    /// The registers for a value.
    pub(crate) fn encode(&self, value: &Value) -> Result<Change, Misfit> {
        let misfit = || Misfit::Number { value: value.to_string(), holds: self.holds() };
        if let Some(part) = self.part {
            let placed = self.integer_of(value).and_then(|integer| part.place(u64::try_from(integer).ok()?));
            let placed = placed.ok_or_else(misfit)?;
            let [words, mask] = [placed, part.mask()].map(|bits| self.layout.split(bits, self.number.registers()));
            return Ok(Change { words, mask: Some(mask) });
        }
        let finite = || self.number_of(value).filter(|number| number.is_finite());
        let bits = match self.number {
            Number::Float16 => finite().and_then(half::of_f64).map(u64::from),
            Number::Float32 => {
                let narrow = finite().map(|number| number as f32).filter(|number| number.is_finite());
                narrow.map(|number| number.to_bits().into())
            }
            Number::Float64 => finite().map(f64::to_bits),
            Number::Bcd16 | Number::Bcd32 => self.integer_of(value).map(|integer| bits::to_bcd(integer as u64)),
            // Of a negative integer the lower bits are its two's complement.
            _ => self.integer_of(value).map(|integer| integer as u64),
        };
        bits.map(|bits| self.layout.split(bits, self.number.registers()).into()).ok_or_else(misfit)
    }

    /// The least and the greatest number of its bits, if it is an integer.
    pub(super) fn integers(&self) -> Option<(i128, i128)> {
        match self.part {
            Some(part) => Some((0, part.greatest().into())),
            None => self.number.integers(),
        }
    }

    /// The integer that stands for a value, if there is one in the range.
    fn integer_of(&self, value: &Value) -> Option<i128> {
        let integer = match value {
            // A float would lose what is beyond 2^53.
            Value::Int(integer) if self.is_plain() => i128::from(*integer),
            _ => self.number_of(value).filter(|number| number.fract() == 0.0)? as i128,
        };
        let (least, greatest) = self.integers()?;
        (least..=greatest).contains(&integer).then_some(integer)
    }

    /// The number that stands for a value.
    fn number_of(&self, value: &Value) -> Option<f64> {
        let decimal = decimal::of(value)?;
        Some(if self.is_plain() { decimal } else { decimal::tidy((decimal - self.bias) / self.scale) })
    }

    /// The value with as many decimals as the manifest says.
    fn round(&self, number: f64) -> f64 {
        let Some(decimals) = self.decimals else { return number };
        format!("{number:.*}", usize::from(decimals)).parse().unwrap_or(number)
    }

    /// Whether the number stands as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.scale == 1.0 && self.bias == 0.0
    }

    /// Whether no value has a fraction.
    pub(crate) fn is_integral(&self) -> bool {
        let is_rounded = self.decimals == Some(0);
        is_rounded || (self.integers().is_some() && self.scale.fract() == 0.0 && self.bias.fract() == 0.0)
    }

    /// What the registers hold, for messages.
    fn holds(&self) -> String {
        let Self { number, scale, bias, .. } = self;
        if self.part.is_some_and(|part| part.is_bit) {
            return "a bit is 0 or 1".to_owned();
        }
        let mut holds = format!("{number:?}").to_lowercase();
        if self.part.is_some() {
            holds += " with this mask";
        }
        if !self.is_plain() {
            holds += &format!(" with scale {scale} and bias {bias}");
        }
        let Some((least, greatest)) = self.integers() else { return holds + " holds finite numbers only" };
        let [a, b] = [least, greatest].map(|integer| decimal::tidy(integer as f64 * scale + bias));
        holds + &format!(" holds {} to {} in steps of {}", a.min(b), a.max(b), scale.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::codec::Order;

    const ALL: [Number; 15] = [
        Number::Int24,
        Number::Uint24,
        Number::Int48,
        Number::Uint48,
        Number::Float16,
        Number::Bcd16,
        Number::Bcd32,
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
        Format { number, layout: Layout::default(), part: None, scale: 1.0, bias: 0.0, decimals: None, absent: None }
    }

    fn read(format: Format, registers: &[u16], data_type: DataType) -> Value {
        format.decode(registers, data_type).expect("it can be read").expect("it is there")
    }

    fn write(format: Format, value: &Value) -> Option<Vec<u16>> {
        format.encode(value).ok().map(|change| change.words)
    }

    fn scaled(number: Number, scale: f64, bias: f64) -> Format {
        Format { scale, bias, ..plain(number) }
    }

    #[test]
    fn a_number_comes_back_from_its_registers_in_every_order() {
        for number in ALL {
            for byte_order in [Order::Big, Order::Little] {
                for word_order in [Order::Big, Order::Little] {
                    let format = Format { layout: Layout { byte_order, word_order }, ..plain(number) };
                    let registers = write(format, &Value::Int(1234)).expect("1234 fits everywhere");
                    assert_eq!(registers.len(), usize::from(number.registers()));
                    let back = read(format, &registers, DataType::Int);
                    assert_eq!(back.as_f64(), Some(1234.0), "{format:?}");
                }
            }
        }
    }

    #[test]
    fn orders_say_where_the_most_significant_part_stands() {
        let at = |byte_order, word_order| Format { layout: Layout { byte_order, word_order }, ..plain(Number::Uint32) };
        let value = Value::Int(0x0102_0304);
        for (format, registers) in [
            (at(Order::Big, Order::Big), [0x0102, 0x0304]),
            (at(Order::Big, Order::Little), [0x0304, 0x0102]),
            (at(Order::Little, Order::Big), [0x0201, 0x0403]),
            (at(Order::Little, Order::Little), [0x0403, 0x0201]),
        ] {
            assert_eq!(write(format, &value).as_deref(), Some(&registers[..]), "{format:?}");
            assert_eq!(read(format, &registers, DataType::Int), value, "{format:?}");
        }
    }

    #[test]
    fn scale_and_bias_leave_no_dirt_in_the_last_digits() {
        assert_eq!(read(scaled(Number::Int16, 0.1, 0.0), &[7], DataType::Int), Value::Double(0.7));
        assert_eq!(read(scaled(Number::Uint16, 0.5, -40.0), &[100], DataType::Int), Value::Double(10.0));
        let kilo = scaled(Number::Float32, 1000.0, 0.0);
        let registers = write(kilo, &Value::Double(100.0)).expect("it fits");
        assert_eq!(read(kilo, &registers, DataType::Int), Value::Double(100.0));
    }

    #[test]
    fn a_32_bit_float_finds_its_step() {
        let tenths = scaled(Number::Int16, 0.1, 0.0);
        assert_eq!(write(tenths, &Value::Float(21.3)), Some(vec![213]));
        assert_eq!(write(tenths, &Value::Double(-0.1)), Some(vec![0xffff]));
    }

    #[test]
    fn the_ends_of_a_range_fit_and_what_lies_beyond_does_not() {
        for number in ALL {
            let Some((least, greatest)) = number.integers() else { continue };
            for inside in [least, greatest] {
                let Ok(inside) = i64::try_from(inside) else { continue };
                let registers = write(plain(number), &Value::Int(inside)).expect("it is in the range");
                assert_eq!(read(plain(number), &registers, DataType::Int), Value::Int(inside), "{number:?}");
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
        let greatest = |data_type| read(plain(Number::Uint64), &[0xffff; 4], data_type);
        assert_eq!(greatest(DataType::String), Value::from("18446744073709551615"));
        assert_eq!(greatest(DataType::Double), Value::Double(u64::MAX as f64));
        assert_eq!(
            read(scaled(Number::Uint64, 0.5, 0.0), &[0xffff; 4], DataType::Double),
            Value::Double(9.223_372_036_854_78e18)
        );
    }

    #[test]
    fn what_stands_above_a_narrow_number_is_not_read_and_written_as_the_sign() {
        assert_eq!(read(plain(Number::Int8), &[0x7fd6], DataType::Int), Value::Int(-42));
        assert_eq!(read(plain(Number::Uint8), &[0xff2a], DataType::Int), Value::Int(42));
        assert_eq!(read(plain(Number::Int24), &[0x12ff, 0xfffe], DataType::Int), Value::Int(-2));
        assert_eq!(write(plain(Number::Int24), &Value::Int(-2)), Some(vec![0xffff, 0xfffe]));
        assert_eq!(write(plain(Number::Uint48), &Value::Int(1 << 47)), Some(vec![0x8000, 0, 0]));
        assert_eq!(write(plain(Number::Uint8), &Value::Int(256)), None);
    }

    #[test]
    fn decimal_digits_are_a_number_and_anything_else_is_an_error() {
        assert_eq!(read(plain(Number::Bcd32), &[0x1234, 0x5678], DataType::Int), Value::Int(12_345_678));
        assert_eq!(write(scaled(Number::Bcd16, 0.01, 0.0), &Value::Double(12.34)), Some(vec![0x1234]));
        assert_eq!(write(plain(Number::Bcd16), &Value::Int(10_000)), None);
        let error = plain(Number::Bcd16).decode(&[0x12af], DataType::Int).expect_err("no digits");
        assert_eq!(error.to_string(), "0x12af are no decimal digits");
    }

    #[test]
    fn a_part_is_a_number_of_its_own_and_changes_no_other_bit() {
        let part = |part| Format { part, ..plain(Number::Uint16) };
        let middle = part(Part::masked(0x0ff0, None));
        assert_eq!(read(middle, &[0xabcd], DataType::Int), Value::Int(0xbc));
        let change = middle.encode(&Value::Int(0x12)).expect("it fits");
        assert_eq!((change.words, change.mask), (vec![0x0120], Some(vec![0x0ff0])));
        assert_eq!(
            middle.encode(&Value::Int(256)).expect_err("too large").to_string(),
            r#""256" does not fit: uint16 with this mask holds 0 to 255 in steps of 1"#
        );
        let bit = part(Some(Part::bit(3)));
        assert_eq!(read(bit, &[0x0008], DataType::Boolean), Value::Boolean(true));
        assert_eq!(bit.encode(&Value::Int(2)).expect_err("no bit").to_string(), r#""2" does not fit: a bit is 0 or 1"#);
        // The low byte comes first, and so bit 0 stands in the high one.
        let layout = Layout { byte_order: Order::Little, word_order: Order::Big };
        let swapped = Format { layout, ..part(Some(Part::bit(0))) };
        assert_eq!(read(swapped, &[0x0100], DataType::Boolean), Value::Boolean(true));
        assert_eq!(swapped.encode(&Value::Boolean(true)).expect("it fits").mask, Some(vec![0x0100]));
    }

    #[test]
    fn decimals_round_what_is_read() {
        let rounded = Format { decimals: Some(1), ..scaled(Number::Uint16, 0.01, 0.0) };
        assert_eq!(read(rounded, &[2136], DataType::Double), Value::Double(21.4));
        let float = Format { decimals: Some(0), ..plain(Number::Float32) };
        assert_eq!(read(float, &[0x41ac, 0], DataType::Int), Value::Double(22.0));
    }

    #[test]
    fn a_number_that_is_not_available_is_no_value() {
        for number in ALL {
            let format = Format { absent: number.absent_in_sunspec(), ..plain(number) };
            let Some(absent) = format.absent else { continue };
            let registers = format.layout.split(absent, number.registers());
            assert_eq!(format.decode(&registers, DataType::Double).ok(), Some(None), "{number:?}");
            let registers = format.layout.split(absent - 1, number.registers());
            assert!(matches!(format.decode(&registers, DataType::Double), Ok(Some(_))), "{number:?}");
        }
        for registers in [[0x7fc0, 0], [0xffff, 0xffff], [0x7f80, 0], [0xff80, 0]] {
            assert_eq!(plain(Number::Float32).decode(&registers, DataType::Double).ok(), Some(None));
        }
        assert_eq!(plain(Number::Float16).decode(&[0x7e00], DataType::Float).ok(), Some(None));
    }
}
