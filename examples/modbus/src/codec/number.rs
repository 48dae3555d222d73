//! Kinds of numbers.

/// What stands in the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int24,
    Uint24,
    Int32,
    Uint32,
    Int48,
    Uint48,
    Int64,
    Uint64,
    Float16,
    Float32,
    Float64,
    Bcd16,
    Bcd32,
}

impl Number {
    /// How many bits count. What stands above them is not read, and written as the sign.
    pub(crate) fn width(self) -> u32 {
        match self {
            Self::Int8 | Self::Uint8 => 8,
            Self::Int16 | Self::Uint16 | Self::Float16 | Self::Bcd16 => 16,
            Self::Int24 | Self::Uint24 => 24,
            Self::Int32 | Self::Uint32 | Self::Float32 | Self::Bcd32 => 32,
            Self::Int48 | Self::Uint48 => 48,
            Self::Int64 | Self::Uint64 | Self::Float64 => 64,
        }
    }

    /// How many registers it takes.
    pub(crate) fn registers(self) -> u16 {
        self.width().div_ceil(16) as u16
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }

    pub(super) fn is_bcd(self) -> bool {
        matches!(self, Self::Bcd16 | Self::Bcd32)
    }

    pub(super) fn is_signed(self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int24 | Self::Int32 | Self::Int48 | Self::Int64)
    }

    /// Whether its bits are a number without a sign, of which a part is a number, too.
    pub(crate) fn has_parts(self) -> bool {
        !self.is_float() && !self.is_bcd() && !self.is_signed()
    }

    /// The bits by which devices of `SunSpec` say that there is no value. Of a float it is any NaN.
    pub(crate) fn absent_in_sunspec(self) -> Option<u64> {
        match self {
            number if number.is_float() || number.is_bcd() => None,
            number if number.is_signed() => Some(1 << (number.width() - 1)),
            number => Some(u64::MAX >> (64 - number.width())),
        }
    }

    /// The least and the greatest, if it is an integer.
    pub(super) fn integers(self) -> Option<(i128, i128)> {
        let width = self.width();
        match self {
            number if number.is_float() => None,
            Self::Bcd16 => Some((0, 9999)),
            Self::Bcd32 => Some((0, 99_999_999)),
            number if number.is_signed() => Some((-(1 << (width - 1)), (1 << (width - 1)) - 1)),
            _ => Some((0, (1 << width) - 1)),
        }
    }
}
