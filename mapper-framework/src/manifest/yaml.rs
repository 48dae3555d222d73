//! Manifests as text.

use std::fmt::{self, Write};

use serde_json::Value;

use super::write::scalar;

/// A value of YAML whose keys keep the order in which people read them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Scalar(Value),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// A mapping of the entries that there are.
    pub(crate) fn map<const N: usize>(entries: [(&str, Option<Yaml>); N]) -> Self {
        Self::Map(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    }

    /// Text, unless it is empty.
    pub(crate) fn text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    /// A list or mapping, unless it is empty.
    pub(crate) fn filled(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(_) => false,
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
        }
    }

    /// The lines of a list or mapping, each with so many spaces before it.
    fn lines(&self, indent: usize, f: &mut impl Write) -> fmt::Result {
        match self {
            Self::Scalar(value) => writeln!(f, "{:indent$}{}", "", plain(value)),
            Self::List(items) => items.iter().try_for_each(|item| {
                let mut lines = String::new();
                item.nested(indent + 2, &mut lines)?;
                writeln!(f, "{:indent$}- {}", "", lines.trim())
            }),
            Self::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                write!(f, "{:indent$}{}:", "", scalar(key))?;
                match value {
                    Self::Scalar(value) => writeln!(f, " {}", plain(value)),
                    value if value.is_empty() => value.nested(1, f),
                    value => {
                        writeln!(f)?;
                        value.lines(indent + 2, f)
                    }
                }
            }),
        }
    }

    /// The same of what may be empty.
    fn nested(&self, indent: usize, f: &mut impl Write) -> fmt::Result {
        match self {
            Self::List(items) if items.is_empty() => writeln!(f, "{:indent$}[]", ""),
            Self::Map(entries) if entries.is_empty() => writeln!(f, "{:indent$}{{}}", ""),
            value => value.lines(indent, f),
        }
    }
}

impl fmt::Display for Yaml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nested(0, f)
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Scalar(text.into())
    }
}

impl From<Value> for Yaml {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => Self::Map(map.into_iter().map(|(key, value)| (key, value.into())).collect()),
            scalar => Self::Scalar(scalar),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        // A version of the API, or a path, is as plain as its parts.
        Value::String(text) if text.split(['.', '/']).all(|part| scalar(part) == part) => text.clone(),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::manifest::lines;

    #[test]
    fn keys_keep_their_order_and_what_is_not_there_is_not_written() {
        let yaml = Yaml::map([
            ("name", Yaml::text("boiler")),
            ("address", Yaml::text("10.0.0.7")),
            ("unit", Yaml::text("")),
            ("empty", Yaml::List(Vec::new()).filled()),
            ("properties", Some(json!([{"name": "on", "limit": 2}, [1, []], {}]).into())),
        ]);
        let expected = "name: boiler\naddress: \"10.0.0.7\"\nproperties:\n  - limit: 2\n    name: \"on\"\n  - - 1\n    - []\n  - {}\n";
        assert_eq!(yaml.to_string(), expected);
    }

    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            (-1e9..1e9).prop_map(|number: f64| Value::from(number)),
            "\\PC{0,8}".prop_map(Value::from),
            "[a-z0-9 :#\\-\n.~]{0,8}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
            let map = prop::collection::vec(("[a-zA-Z0-9. ]{1,6}", inner), 0..4)
                .prop_map(|entries| entries.into_iter().collect::<serde_json::Map<_, _>>().into());
            prop_oneof![list, map]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(value in value()) {
            let text = Yaml::from(value.clone()).to_string();
            let (documents, faults) = lines::read(&text);
            prop_assert!(faults.is_empty(), "{text}{faults:?}");
            prop_assert_eq!(documents[0].value(), value, "{}", text);
        }
    }
}
