//! Numbers as they stand in registers, before they are scaled.

use super::decimal;

/// What the bits mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Raw {
    Int(i64),
    /// One that is too large for an INT.
    Large(u64),
    Single(f32),
    Double(f64),
}

impl Raw {
    pub(super) fn unsigned(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Large(number), Self::Int)
    }

    /// Whether it is not a float that stands for no number.
    pub(super) fn is_finite(self) -> bool {
        match self {
            Self::Int(_) | Self::Large(_) => true,
            Self::Single(float) => float.is_finite(),
            Self::Double(float) => float.is_finite(),
        }
    }

    /// The number to calculate with.
    pub(super) fn decimal(self) -> f64 {
        match self {
            Self::Int(integer) => integer as f64,
            Self::Large(integer) => integer as f64,
            Self::Single(float) => decimal::of_single(float),
            Self::Double(float) => float,
        }
    }
}
