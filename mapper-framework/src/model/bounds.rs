//! The least and the greatest value of a property, in the property's own type.

use std::cmp::Ordering;

use super::{DataType, Value, ValueError, decimal, value::excerpt};

/// What a property may be written with. Both bounds belong to it, and are of its type: 0.1 as a bound of a FLOAT is the FLOAT 0.1.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    minimum: Option<Value>,
    maximum: Option<Value>,
}

/// Why two bounds are none, and which of them is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadBound {
    /// `minimum` or `maximum`.
    pub(crate) field: &'static str,
    pub(crate) message: String,
    pub(crate) cure: &'static str,
}

impl Bounds {
    /// Reads the bounds as a device model gives them, empty where there is none. Those of a type without an order mean nothing.
    ///
    /// An INT has the next integer within as its bound where the model gives a fraction.
    ///
    /// # Errors
    ///
    /// One is no number, or nothing lies between them.
    pub(crate) fn parse(minimum: &str, maximum: &str, data_type: DataType) -> Result<Self, BadBound> {
        if !data_type.is_numeric() {
            return Ok(Self::default());
        }
        let bounds = Self {
            minimum: bound("minimum", minimum, data_type, false)?,
            maximum: bound("maximum", maximum, data_type, true)?,
        };
        if let (Some(least), Some(greatest)) = (&bounds.minimum, &bounds.maximum)
            && !is_at_most(least, greatest)
        {
            return Err(empty(minimum, maximum, data_type));
        }
        Ok(bounds)
    }

    /// The same bounds with a least value.
    pub(super) fn with_minimum(self, minimum: f64, data_type: DataType) -> Self {
        Self { minimum: bound("minimum", &minimum.to_string(), data_type, false).ok().flatten(), ..self }
    }

    /// The same bounds with a greatest value.
    pub(super) fn with_maximum(self, maximum: f64, data_type: DataType) -> Self {
        Self { maximum: bound("maximum", &maximum.to_string(), data_type, true).ok().flatten(), ..self }
    }

    pub(super) fn minimum(&self) -> Option<&Value> {
        self.minimum.as_ref()
    }

    pub(super) fn maximum(&self) -> Option<&Value> {
        self.maximum.as_ref()
    }

    /// Checks a value of the property's type.
    pub(super) fn check(&self, value: &Value) -> Result<(), ValueError> {
        let fits = |least: Option<&Value>, greatest: Option<&Value>| match (least, greatest) {
            (Some(least), Some(greatest)) => is_at_most(least, greatest),
            _ => true,
        };
        if fits(self.minimum(), Some(value)) && fits(Some(value), self.maximum()) {
            return Ok(());
        }
        Err(ValueError::OutOfBounds {
            value: value.to_string(),
            minimum: self.minimum.as_ref().map_or_else(|| "-∞".to_owned(), Value::to_string),
            maximum: self.maximum.as_ref().map_or_else(|| "∞".to_owned(), Value::to_string),
        })
    }
}

fn empty(minimum: &str, maximum: &str, data_type: DataType) -> BadBound {
    let (low, high) = (excerpt(minimum), excerpt(maximum));
    let (message, cure) = if finite(minimum) <= finite(maximum) {
        (format!("no {data_type} lies from {low} to {high}"), "widen the bounds")
    } else {
        (format!("{low} is greater than the maximum, {high}"), "exchange them, or correct one")
    };
    BadBound { field: "minimum", message, cure }
}

fn bound(field: &'static str, text: &str, data_type: DataType, is_greatest: bool) -> Result<Option<Value>, BadBound> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = match data_type {
        DataType::Int => decimal::floor(text).map(|(floor, is_whole)| {
            let inner = if is_whole || is_greatest { floor } else { floor.saturating_add(1) };
            // What lies beyond every INT excludes none.
            Value::Int(inner.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
        }),
        DataType::Float => finite(text).and_then(|_| text.parse().ok()).map(Value::Float),
        _ => finite(text).map(Value::Double),
    };
    let message = || format!("{:?} is no number", excerpt(text));
    let cure = "write digits, such as \"-40\" or \"12.5\"";
    number.map(Some).ok_or_else(|| BadBound { field, message: message(), cure })
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether two numbers of one type are in order.
fn is_at_most(a: &Value, b: &Value) -> bool {
    a.order(b).is_none_or(Ordering::is_le)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn takes(bounds: (&str, &str), value: &str, data_type: DataType) -> bool {
        let bounds = Bounds::parse(bounds.0, bounds.1, data_type).unwrap();
        bounds.check(&Value::parse(value, data_type).unwrap()).is_ok()
    }

    #[test]
    fn a_float_may_have_its_bound() {
        for text in ["0.1", "0.3", "23.3", "99.9", "-0.1"] {
            assert!(takes(("", text), text, DataType::Float) && takes((text, ""), text, DataType::Float), "{text}");
        }
        assert!(!takes(("", "0.1"), "0.10000001", DataType::Float));
    }

    #[test]
    fn an_int_beyond_what_a_float_holds_is_compared_as_an_int() {
        assert!(!takes(("0", "9007199254740992"), "9007199254740993", DataType::Int));
        assert!(takes(("0", "9007199254740993"), "9007199254740993", DataType::Int));
        assert!(!takes(("", "9223372036854775806"), "9223372036854775807", DataType::Int));
        assert!(!takes(("9007199254740993.0", ""), "9007199254740992", DataType::Int));
        let bounds = Bounds::parse("-9007199254740993", "9007199254740993", DataType::Int).unwrap();
        let text = |bound: Option<&Value>| bound.map(Value::to_string);
        assert_eq!(text(bounds.minimum()).as_deref(), Some("-9007199254740993"));
        assert_eq!(text(bounds.maximum()).as_deref(), Some("9007199254740993"));
    }

    #[test]
    fn a_bound_that_no_int_reaches_excludes_none_and_a_fraction_ends_at_the_next_int_within() {
        assert!(takes(("-1e30", "18446744073709551615"), "9223372036854775807", DataType::Int));
        assert!(takes(("0.5", "1.5"), "1", DataType::Int));
        assert!(!takes(("0.5", "1.5"), "0", DataType::Int) && !takes(("-1.5", "1.5"), "2", DataType::Int));
        assert!(takes(("-1.5", ""), "-1", DataType::Int) && !takes(("-1.5", ""), "-2", DataType::Int));
    }

    #[test]
    fn a_bound_of_any_length_makes_a_short_message() {
        let bad = Bounds::parse(&"x".repeat(1_000_000), "", DataType::Int).unwrap_err();
        assert!(bad.message.len() < 200, "{}", bad.message.len());
    }

    #[test]
    fn bounds_that_are_no_numbers_or_hold_nothing_are_refused_by_name() {
        let field = |minimum, maximum, data_type| Bounds::parse(minimum, maximum, data_type).map_err(|bad| bad.field);
        assert_eq!(field("low", "1", DataType::Int), Err("minimum"));
        assert_eq!(field("1", "inf", DataType::Double), Err("maximum"));
        assert_eq!(field("2", "1", DataType::Float), Err("minimum"));
        assert_eq!(field("0.2", "0.8", DataType::Int), Err("minimum"));
        assert_eq!(field("low", "", DataType::String), Ok(Bounds::default()));
    }

    proptest! {
        #[test]
        fn whatever_a_type_holds_lies_within_bounds_of_the_same_text(int in any::<i64>(), float in any::<f32>(), double in any::<f64>()) {
            prop_assume!(float.is_finite() && double.is_finite());
            for (text, data_type) in [
                (int.to_string(), DataType::Int), (float.to_string(), DataType::Float), (double.to_string(), DataType::Double),
            ] {
                prop_assert!(takes((&text, &text), &text, data_type), "{} {}", text, data_type);
            }
        }

        #[test]
        fn ints_are_ordered_as_ints(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(takes((&a.to_string(), ""), &b.to_string(), DataType::Int), a <= b);
            prop_assert_eq!(takes(("", &a.to_string()), &b.to_string(), DataType::Int), b <= a);
        }
    }
}
