//! Decimal numbers as text, read without the rounding of a float.

/// The most digits of an integer that differs from its neighbours; more are beyond every integer type that is used here.
const DIGITS: usize = 38;

/// The greatest integer that is not above a number such as `-12.5` or `1e3`, and whether it is the number itself. An integer of more
/// than 38 digits is given as the greatest, or the least, that there is. `None` for what is no number.
pub(super) fn floor(text: &str) -> Option<(i128, bool)> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [before, after].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(before.len()).ok()? + i64::from(exponent);
    let (whole, is_whole) = integer_part(&digits, point);
    Some(match (is_negative, is_whole) {
        (false, _) => (whole, is_whole),
        (true, true) => (-whole, true),
        (true, false) => (-whole - 1, false),
    })
}

/// The integer before the point, which stands behind so many digits, and whether there are only zeros behind it.
fn integer_part(digits: &str, point: i64) -> (i128, bool) {
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return (0, true);
    }
    let Ok(length) = usize::try_from(point - leading as i64) else { return (0, false) };
    if length > DIGITS {
        return (i128::MAX, true);
    }
    let before: String = significant.chars().chain(std::iter::repeat('0')).take(length).collect();
    (before.parse().unwrap_or(0), significant.len() <= length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, floor_of) in [
            ("0", Some((0, true))),
            ("-0.0", Some((0, true))),
            ("9007199254740993.0", Some((9_007_199_254_740_993, true))),
            ("-12.5", Some((-13, false))),
            ("12.5", Some((12, false))),
            (".5", Some((0, false))),
            ("5.", Some((5, true))),
            ("1e3", Some((1000, true))),
            ("1.25E+1", Some((12, false))),
            ("1200e-2", Some((12, true))),
            ("1e-2000000000", Some((0, false))),
            ("0e2000000000", Some((0, true))),
            ("1e300", Some((i128::MAX, true))),
        ] {
            assert_eq!(floor(text), floor_of, "{text}");
        }
        for text in ["", "-", ".", "e5", "1e", "1_000", "0x10", "inf", "NaN", "1 ", "١", "--1"] {
            assert_eq!(floor(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_integer_is_its_own_floor(number in any::<i64>(), zeros in 0_usize..3) {
            prop_assert_eq!(floor(&format!("{number}.{}", "0".repeat(zeros))), Some((number.into(), true)));
        }

        #[test]
        fn fractions_are_floored_as_a_float_does_where_it_is_exact(number in -1_000_000_i32..1_000_000, places in 1..4_i32) {
            let text = format!("{number}e-{places}");
            let float = f64::from(number) / 10_f64.powi(places);
            prop_assert_eq!(floor(&text), Some((float.floor() as i128, float.fract() == 0.0)));
        }
    }
}
