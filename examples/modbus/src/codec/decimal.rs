//! Numbers as people write them, in decimal digits.

use mapper_framework::Value;

/// The powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// How many digits a float keeps of every number.
const DIGITS: i32 = 15;

/// The value as the decimal that its author wrote.
pub(super) fn of(value: &Value) -> Option<f64> {
    match value {
        Value::Float(float) => Some(of_single(*float)),
        Value::Boolean(bit) => Some(f64::from(u8::from(*bit))),
        other => other.as_f64(),
    }
}

/// Of the `f32` 0.1 it is 0.1, not 0.10000000149011612, which no scale would bring to an integer.
pub(super) fn of_single(float: f32) -> f64 {
    float.to_string().parse().unwrap_or(f64::from(float))
}

/// The number without the dirt that arithmetic leaves in the last digits: 7 * 0.1 is 0.7, not 0.7000000000000001.
pub(super) fn tidy(number: f64) -> f64 {
    if number == 0.0 {
        return number;
    }
    let decimals = (DIGITS - 1).saturating_sub(number.abs().log10().floor() as i32);
    rounded(number, decimals).unwrap_or_else(|| by_text(number))
}

/// The number with so many decimals, or with zeros before its point. `None` where a float does not hold its digits exactly.
fn rounded(number: f64, decimals: i32) -> Option<f64> {
    let power = POWERS.get(decimals.unsigned_abs() as usize)?;
    let is_fraction = decimals > 0;
    let digits = if is_fraction { number * power } else { number / power }.round();
    // Both are exact, and so this is the float next to the decimal.
    let is_exact = digits.abs() < 9_007_199_254_740_992.0;
    is_exact.then(|| if is_fraction { digits / power } else { digits * power })
}

/// The same by way of its digits, which takes ten times as long.
fn by_text(number: f64) -> f64 {
    format!("{number:.*e}", DIGITS as usize - 1).parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn what_cannot_be_tidied_stays() {
        for number in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324] {
            assert_eq!(tidy(number), by_text(number), "{number:e}");
        }
        assert!(tidy(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn a_decimal_comes_back_from_its_neighbours(digits in 1..99_999_999_999_999_i64, sign in prop::sample::select(vec!["", "-"]), exponent in -30..30) {
            let decimal: f64 = format!("{sign}{digits}e{exponent}").parse().expect("a decimal");
            for dirty in [decimal, decimal.next_up(), decimal.next_down()] {
                prop_assert_eq!(tidy(dirty), decimal);
            }
        }

        #[test]
        fn a_number_is_tidied_as_its_text_is_rounded(number in any::<f64>()) {
            let (tidied, rounded) = (tidy(number), by_text(number));
            // A digit that lies in the middle may go either way.
            prop_assert!((tidied - rounded).abs() <= rounded.abs() * 1e-14, "{tidied:e} {rounded:e}");
        }
    }
}
