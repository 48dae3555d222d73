//! Addresses that must be neither read nor written.

use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    plan::{Span, Table},
    scalar,
};

/// Ranges of addresses, in all tables, as `forbidden: "100-110, 0x200"` has them. One text, since edgecore carries no lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forbidden(Vec<(u16, u16)>);

impl Forbidden {
    /// Whether one of the span's addresses is among them. Files, queues and the identification have none.
    pub(crate) fn touches(&self, span: Span) -> bool {
        use Table::{Coil, DiscreteInput, HoldingRegister, InputRegister};
        matches!(span.table, Coil | DiscreteInput | HoldingRegister | InputRegister)
            && self.0.iter().any(|(first, last)| u32::from(*first) < span.end() && span.start <= *last)
    }

    fn parse(list: &str) -> Option<Self> {
        ranges(list).map(Self)
    }
}

/// The ranges in a list such as `100-110, 0x200`, each with both of its ends.
pub(crate) fn ranges(list: &str) -> Option<Vec<(u16, u16)>> {
    let address = |text: &str| u16::try_from(scalar::parse(text)?).ok();
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (address(first)?, address(last)?);
        (first <= last).then_some((first, last))
    };
    list.split(',').map(range).collect()
}

impl<'de> Deserialize<'de> for Forbidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a text is expected, such as \"100-110, 200\"")]
        enum Written {
            One(u16),
            List(String),
        }
        let list = match Written::deserialize(deserializer)? {
            Written::One(address) => address.to_string(),
            Written::List(list) => list,
        };
        let mistake =
            || D::Error::custom(format_args!("{list:?} is no list of ranges of addresses, such as \"100-110, 200\""));
        Self::parse(&list).ok_or_else(mistake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touches(list: &str, start: u16, count: u16) -> bool {
        let forbidden = Forbidden::parse(list).expect("a list");
        forbidden.touches(Span { table: Table::HoldingRegister, start, count })
    }

    #[test]
    fn a_range_has_both_of_its_ends() {
        let spans = [(98, 2), (99, 2), (110, 1), (111, 2), (0, 125), (200, 1), (201, 1)];
        let found = spans.map(|(start, count)| touches("100-110, 0xC8", start, count));
        assert_eq!(found, [false, true, true, false, true, true, false]);
        assert!(touches("65535", 65534, 2));
    }

    #[test]
    fn what_is_no_list_of_ranges_is_an_error() {
        for list in ["", "a", "110-100", "1-2-3", "70000", "1,"] {
            assert_eq!(Forbidden::parse(list), None, "{list}");
        }
        let error = serde_json::from_str::<Forbidden>(r#""110-100""#).expect_err("backwards").to_string();
        assert!(error.starts_with("\"110-100\" is no list of ranges of addresses, such as"), "{error}");
        assert_eq!(serde_json::from_str::<Forbidden>("7").expect("one address"), Forbidden(vec![(7, 7)]));
    }
}
