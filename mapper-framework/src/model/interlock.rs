//! A condition of another property, by which a property is written or not (docs/writing-to-machines.md).

use std::{fmt, mem, sync::Arc};

use super::{
    DataType, Property, Value,
    keys::{Keys, Misfit},
};

/// The key of a visitor.
pub(super) const INTERLOCK: &str = "writeInterlock";

/// A condition of another property, which must hold at the moment of a write (`writeInterlock: "pump == off"`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interlock {
    pub(crate) property: String,
    relation: Relation,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Relation {
    const ALL: [(&str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::Greater),
    ];
}

impl Interlock {
    /// What a property of this name has for its key.
    pub(super) fn read(keys: &mut Keys<'_>, property: &str) -> Option<Self> {
        let written = keys.get(INTERLOCK)?;
        let interlock = written.as_str().and_then(Self::parse);
        match &interlock {
            None => {
                let cure = "write one such as \"pump == off\" or \"level < 80\"";
                keys.misfit(INTERLOCK, format!("{written} is no condition"), cure);
            }
            Some(condition) if condition.property == property => {
                keys.misfit(INTERLOCK, "is a condition of the property itself", "name another property of the device");
            }
            Some(_) => {}
        }
        interlock
    }

    /// `property relation value`, with spaces between them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (property, rest) = text.trim().split_once(char::is_whitespace)?;
        let (relation, value) = rest.trim_start().split_once(char::is_whitespace)?;
        let (_, relation) = Relation::ALL.into_iter().find(|(sign, _)| *sign == relation)?;
        let value = value.trim();
        // They would be part of the value, and a condition with != would always hold.
        let is_quoted = value.contains(['"', '\'']);
        (!value.is_empty() && !is_quoted).then(|| Self {
            property: property.to_owned(),
            relation,
            value: value.to_owned(),
        })
    }

    /// What is wrong with it in a device of these properties.
    pub(super) fn misfit(&self, properties: &[Arc<Property>]) -> Option<Misfit> {
        let misfit = |message: String, cure| Misfit::new(INTERLOCK, message, cure);
        match properties.iter().find(|property| property.name() == self.property) {
            None => {
                let message = format!("{self}: the device has no property {:?}", self.property);
                Some(misfit(message, "correct the name, or add the property"))
            }
            Some(property) => {
                let wrong = self.value(property.data_type()).err();
                wrong.map(|message| misfit(message, "write a value that the property can have"))
            }
        }
    }

    /// Whether a value that was just read fulfils the condition.
    ///
    /// # Errors
    ///
    /// The condition cannot be put to what was read: it does not hold then, != no more than any other.
    pub(crate) fn holds(&self, read: &Value, data_type: DataType) -> Result<bool, String> {
        let value = self.value(data_type)?;
        if mem::discriminant(read) != mem::discriminant(&value) {
            let read = match read {
                Value::Bytes(_) => "bytes",
                Value::String(_) => "a text",
                Value::Boolean(_) => "a boolean",
                Value::Int(_) | Value::Float(_) | Value::Double(_) => "a number of another type",
            };
            return Err(format!("{self}: it reads {read}, which cannot be compared with {data_type}"));
        }
        if read.as_f64().is_some_and(f64::is_nan) {
            return Err(format!("{self}: NaN was read, which is no number"));
        }
        Ok(match self.relation {
            Relation::Equal => read.is_close_to(&value),
            Relation::Unequal => !read.is_close_to(&value),
            relation => {
                let order = read.order(&value);
                order.is_some_and(|order| match relation {
                    Relation::Less => order.is_lt(),
                    Relation::AtMost => order.is_le(),
                    Relation::Greater => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
        })
    }

    /// The value that is compared with.
    ///
    /// # Errors
    ///
    /// It is not of the property's type, or the type has no order and one is asked for.
    pub(crate) fn value(&self, data_type: DataType) -> Result<Value, String> {
        let has_order = !matches!(self.relation, Relation::Equal | Relation::Unequal);
        if has_order && !data_type.is_numeric() {
            return Err(format!("{self}: {data_type} has no order but == and !="));
        }
        Value::parse(&self.value, data_type).map_err(|error| format!("{self}: {error}"))
    }
}

impl fmt::Display for Interlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign =
            Relation::ALL.into_iter().find(|(_, relation)| *relation == self.relation).map_or("", |(sign, _)| sign);
        write!(f, "{} {sign} {}", self.property, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interlock_does_not_hold_where_nothing_can_be_compared() {
        let holds = |text: &str, read: Value, data_type| {
            Interlock::parse(text).expect("a condition").holds(&read, data_type).unwrap_err()
        };
        let nan = holds("level != 80", Value::Double(f64::NAN), DataType::Double);
        assert_eq!(nan, "level != 80: NaN was read, which is no number");
        let text = holds("level != 80", Value::from("80"), DataType::Int);
        assert_eq!(text, "level != 80: it reads a text, which cannot be compared with INT");
        let bytes = holds("mode != manual", Value::Bytes("manual".into()), DataType::Stream);
        assert!(bytes.contains("it reads bytes"), "{bytes}");
    }

    #[test]
    fn a_text_of_an_interlock_keeps_its_spaces() {
        let interlock = Interlock::parse(" mode  !=  in  service ").expect("a condition");
        assert_eq!(interlock.holds(&Value::from("in  service"), DataType::String), Ok(false));
    }

    #[test]
    fn an_interlock_compares_in_the_propertys_type() {
        let holds = |text: &str, read: Value, data_type| Interlock::parse(text).map(|it| it.holds(&read, data_type));
        assert_eq!(holds("pump == off", Value::from("off"), DataType::String), Some(Ok(true)));
        assert_eq!(holds("pump != false", Value::Boolean(true), DataType::Boolean), Some(Ok(true)));
        for (sign, expected) in [("<", [true, false, false]), ("<=", [true, true, false]), (">", [false, false, true])]
        {
            let found = [79, 80, 81].map(|read| holds(&format!("level {sign} 80"), Value::Int(read), DataType::Int));
            assert_eq!(found, expected.map(|holds| Some(Ok(holds))), "{sign}");
        }
        let large = |read| holds("n > 9007199254740992", Value::Int(read), DataType::Int);
        assert_eq!((large(9_007_199_254_740_993), large(9_007_199_254_740_992)), (Some(Ok(true)), Some(Ok(false))));
        assert!(holds("pump < off", Value::from("on"), DataType::String).is_some_and(|it| it.is_err()));
        assert!(holds("level < warm", Value::Int(1), DataType::Int).is_some_and(|it| it.is_err()));
        assert_eq!(holds("mode != \"on\"", Value::from("on"), DataType::String), None, "quotes are no part of a value");
        assert_eq!(holds("level", Value::Int(1), DataType::Int), None);
        assert_eq!(holds("level <", Value::Int(1), DataType::Int), None);
    }
}
