//! Floats of 16 bits, which Rust has no stable type for.

/// The float with these bits.
pub(crate) fn to_f32(bits: u16) -> f32 {
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f32::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2_f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(i32::from(exponent) - 15),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// The bits of the nearest float; `None` if that is none of the finite ones.
pub(crate) fn of_f64(number: f64) -> Option<u16> {
    // Half way between the greatest float, 65504, and the next one, which is infinite.
    const TOO_LARGE: f64 = 65520.0;
    let magnitude = number.abs();
    if magnitude.is_nan() || magnitude >= TOO_LARGE {
        return None;
    }
    let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).max(-14);
    // In units of the last place; 1024 of them are the implied bit of a normal number, and carry into the exponent by themselves.
    let units = (magnitude * 2_f64.powi(10 - exponent)).round_ties_even() as u32;
    let bits = ((exponent + 14) as u32 * 1024 + units) as u16;
    Some(if number.is_sign_negative() { bits | 0x8000 } else { bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_float_comes_back_from_its_number() {
        for bits in 0..=u16::MAX {
            let float = to_f32(bits);
            if float.is_finite() {
                assert_eq!(of_f64(float.into()), Some(bits), "{float}");
            }
        }
    }

    #[test]
    fn known_floats_have_their_known_bits() {
        // From the table of examples of IEEE 754 half precision.
        for (bits, float) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x3555, 0.333_251_95), (0x0001, 5.960_464_5e-8)]
        {
            assert_eq!(to_f32(bits), float);
        }
        assert!(to_f32(0x7e00).is_nan() && to_f32(0xfc00) == f32::NEG_INFINITY);
        assert_eq!((of_f64(65519.0), of_f64(65520.0), of_f64(f64::NAN)), (Some(0x7bff), None, None));
        assert_eq!(of_f64(1.24), Some(0x3cf6), "the nearest one");
    }
}
