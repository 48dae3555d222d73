//! Addresses as manuals write them, which a manifest has only by the key `reference`: there they are counted from 1, and the first
//! digit or the letters say which table is meant.

use crate::plan::Table;

/// The table and the address, counted from 0, of `40001`, `400001`, `4x0001`, `HR1` and the like. `None` for anything else.
pub(super) fn parse(reference: &str) -> Option<(Table, u16)> {
    let text = reference.trim().to_ascii_uppercase();
    let (table, number) = split(&text)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = number.parse().ok().filter(|_| is_number)?;
    Some((table, u16::try_from(number.checked_sub(1)?).ok()?))
}

/// The table, and the digits behind what names it.
fn split(text: &str) -> Option<(Table, &str)> {
    let letters = [
        ("HR", Table::HoldingRegister),
        ("IR", Table::InputRegister),
        ("DI", Table::DiscreteInput),
        ("CO", Table::Coil),
    ];
    if let Some(found) = letters.iter().find_map(|(name, table)| Some((*table, text.strip_prefix(name)?))) {
        return Some(found);
    }
    let table = match text.chars().next()? {
        '0' => Table::Coil,
        '1' => Table::DiscreteInput,
        '3' => Table::InputRegister,
        '4' => Table::HoldingRegister,
        _ => return None,
    };
    let rest = &text[1..];
    // Without the x, only five or six digits are known to begin with the table's.
    match rest.strip_prefix('X') {
        Some(number) => Some((table, number)),
        None => matches!(rest.len(), 4 | 5).then_some((table, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notations_of_manuals_are_counted_from_1_and_name_their_table() {
        for (reference, table, address) in [
            ("40001", Table::HoldingRegister, 0),
            ("400001", Table::HoldingRegister, 0),
            ("465536", Table::HoldingRegister, 65535),
            ("30011", Table::InputRegister, 10),
            ("10001", Table::DiscreteInput, 0),
            ("00017", Table::Coil, 16),
            ("4x0001", Table::HoldingRegister, 0),
            ("0x0001", Table::Coil, 0),
            ("3X1", Table::InputRegister, 0),
            (" hr1 ", Table::HoldingRegister, 0),
            ("IR100", Table::InputRegister, 99),
            ("DI3", Table::DiscreteInput, 2),
            ("CO3", Table::Coil, 2),
        ] {
            assert_eq!(parse(reference), Some((table, address)), "{reference}");
        }
    }

    #[test]
    fn anything_else_is_not_guessed() {
        for reference in [
            "",
            "1",
            "4001",
            "40000",
            "4x0",
            "20001",
            "HR",
            "HR0",
            "HR+1",
            "465537",
            "4x70000",
            "HR 1x",
            "4000001",
            "\u{b0}0001",
        ] {
            assert_eq!(parse(reference), None, "{reference}");
        }
    }
}
