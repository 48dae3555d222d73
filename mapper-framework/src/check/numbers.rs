//! Integers that do not arrive as they are written: edgecore sends every number as a 32-bit float.

use serde_json::Number;

use super::{Verdicts, finding::Place};
use crate::manifest::Config;

pub(super) fn check(configs: &[Config<'_>], place: &Place<'_>, verdicts: &mut Verdicts) {
    for config in configs {
        for (key, value) in config.data {
            if let Some(number) = value.as_number()
                && let Some(arrives) = damaged(number)
            {
                let message = format!("{number} arrives as {arrives}, for edgecore sends numbers as 32-bit floats");
                let field = format!("{}.{key}", config.field);
                let written = place.written(&field).map_or_else(|| number.to_string(), str::to_owned);
                let cure = format!("write it as text, \"{written}\", which the driver has to read, or as two keys");
                verdicts.error(config.fault(key, message, cure));
            }
        }
    }
}

/// What arrives of an integer, if not itself. Decimals are no exact numbers anyway.
fn damaged(number: &Number) -> Option<i128> {
    let integer = number.as_i128()?;
    let arrives = integer as f32 as i128;
    (arrives != integer).then_some(arrives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_integers_that_no_float_holds_are_damaged() {
        let arrives = |text: &str| damaged(&text.parse().unwrap());
        for whole in ["0", "-16777216", "16777216", "16777218", "4294967296", "0.1", "123456789.5"] {
            assert_eq!(arrives(whole), None, "{whole}");
        }
        assert_eq!(arrives("16777217"), Some(16_777_216));
        assert_eq!(arrives("123456789"), Some(123_456_792));
        assert_eq!(arrives("18446744073709551615"), Some(18_446_744_073_709_551_616));
    }
}
