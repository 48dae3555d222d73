//! What stands in registers, in words: `uint32 CDAB × 0.1`.

use mapper_framework::DataType;

use super::{Codec, Format, Layout, Number, Order};

impl Codec {
    /// What is read for a property of this type; empty for one bit, of which the table says it all.
    pub(crate) fn describe(&self, data_type: DataType) -> String {
        match self {
            Self::Coil => String::new(),
            Self::Number(format) => format.describe(),
            Self::Named(format, _) => format!("{} by name", format.describe()),
            Self::List(format, count) => format!("{count} times {}", format.describe()),
            Self::Text(text) => format!("text{}", text.layout.describe_odd(text.length)),
            Self::Bytes(layout, length) => format!("bytes{}", layout.describe_odd(*length)),
            Self::Time(layout, clock) => {
                format!("time as {}{}", format!("{clock:?}").to_lowercase(), layout.describe(clock.registers()))
            }
            Self::Go(go) if go.holds_bits && go.limit > 1 => format!("one number, × {}", go.scale),
            Self::Go(go) => match (go.codec(data_type), data_type) {
                (Some(Self::Bytes(layout, length)), DataType::Boolean) => {
                    format!("true if the first byte is 1{}", layout.describe_odd(length))
                }
                (Some(Self::Number(format)), DataType::Int) if !format.is_integral() => {
                    format!("{}, cut to an integer", format.describe())
                }
                (codec, _) => codec.map(|codec| codec.describe(data_type)).unwrap_or_default(),
            },
        }
    }

    /// The number in the registers, if it is one alone.
    pub(crate) fn format(&self, data_type: DataType) -> Option<Format> {
        match self {
            Self::Number(format) => Some(*format),
            Self::Go(go) => go.codec(data_type)?.format(data_type),
            _ => None,
        }
    }
}

impl Format {
    fn describe(&self) -> String {
        let Self { number, layout, part, scale, bias, decimals, .. } = self;
        let mut text = format!("{number:?}").to_lowercase() + layout.describe(number.registers());
        match part {
            Some(part) if part.is_bit => text += &format!(", bit {}", part.mask().trailing_zeros()),
            Some(part) => text += &format!(", mask {:#x}", part.mask()),
            None => {}
        }
        if *scale != 1.0 {
            text += &format!(", × {scale}");
        }
        if *bias != 0.0 {
            text += &format!(", {} {}", if *bias < 0.0 { "−" } else { "+" }, bias.abs());
        }
        if let Some(decimals) = decimals {
            text += &format!(", {decimals} decimals");
        }
        text
    }

    /// How many binary digits a number of these registers has at most.
    pub(crate) fn digits(&self) -> u32 {
        match (self.integers(), self.number) {
            (Some((least, greatest)), _) => {
                // The least of a signed integer is a power of two, which takes no digit more.
                let greatest = greatest.unsigned_abs().max((least + i128::from(least < 0)).unsigned_abs());
                u128::BITS - greatest.leading_zeros()
            }
            (None, Number::Float16) => 11,
            (None, Number::Float32) => 24,
            (None, _) => 53,
        }
    }

    /// The least and the greatest value, if they are bounded.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let (least, greatest) = self.integers()?;
        let [one, other] = [least, greatest].map(|number| number as f64 * self.scale + self.bias);
        Some((one.min(other), one.max(other)))
    }
}

impl Layout {
    /// The order where it is not the one in which texts are written.
    fn describe_odd(self, registers: u16) -> &'static str {
        if self == Self::default() { "" } else { self.describe(registers) }
    }

    /// The order of so many registers, after a space; nothing for what needs no word.
    fn describe(self, registers: u16) -> &'static str {
        match (self.word_order, self.byte_order) {
            (_, Order::Big) if registers < 2 => "",
            (_, Order::Little) if registers < 2 => " BA",
            (Order::Big, Order::Big) => " ABCD",
            (Order::Little, Order::Big) => " CDAB",
            (Order::Big, Order::Little) => " BADC",
            (Order::Little, Order::Little) => " DCBA",
        }
    }
}
