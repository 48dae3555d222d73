//! A table for each property, as the Go framework has it.

use std::fmt::Write as _;

use mysql_async::Value;
use sha2::{Digest, Sha256};

use crate::model::DeviceId;

use super::{
    super::super::{Query, Record},
    layout::{EPOCH, Layout, MAX_NAME, Select, bound, micros, quoted, rows_of},
};

/// The most bytes in the name of the file in which the server keeps a table, without its ending.
const MAX_FILE_NAME: usize = 250;

/// How many characters a name that is cut ends in.
const SUFFIX: usize = 17;

/// The layout `property`.
pub(super) struct TablePerProperty;

impl Layout for TablePerProperty {
    fn table(&self, record: &Record) -> String {
        quoted(&table_name(record.device(), record.property()))
    }

    fn create(&self, table: &str) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (
  `id` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `ts` DATETIME(3) NOT NULL,
  `field` LONGTEXT,
  UNIQUE KEY `ts` (`ts`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )
    }

    fn insert(&self, table: &str, rows: usize) -> String {
        let row = format!("(TIMESTAMPADD(MICROSECOND, ?, {EPOCH}), ?)");
        let rows = rows_of(&row, rows);
        format!("INSERT INTO {table} (`ts`, `field`) VALUES {rows} ON DUPLICATE KEY UPDATE `field` = VALUES(`field`)")
    }

    fn row(&self, record: &Record) -> Vec<Value> {
        vec![micros(record.timestamp_ms()), record.value().to_string().into()]
    }

    fn selects(&self, query: &Query) -> Vec<Select> {
        let select = |property: &str| Select {
            statement: format!(
                "SELECT ?, `field`, TIMESTAMPDIFF(MICROSECOND, {EPOCH}, `ts`) DIV 1000 FROM {} \
                 WHERE `ts` BETWEEN TIMESTAMPADD(MICROSECOND, ?, {EPOCH}) AND TIMESTAMPADD(MICROSECOND, ?, {EPOCH}) \
                 ORDER BY `ts` DESC, `id` DESC LIMIT ?",
                quoted(&table_name(query.device(), property))
            ),
            values: vec![property.into(), bound(query.from_ms()), bound(query.to_ms()), query.limit().into()],
        };
        query.series().iter().map(|series| select(series.property())).collect()
    }
}

/// `namespace/device/property`, or the beginning of it and a part of its digest.
fn table_name(device: &DeviceId, property: &str) -> String {
    let name = format!("{device}/{property}");
    let file_name: usize = name.chars().map(bytes_in_file_name).sum();
    if name.chars().count() <= MAX_NAME
        && file_name <= MAX_FILE_NAME
        && !name.ends_with(' ')
        && name.chars().all(is_taken)
    {
        return name;
    }
    let mut room = MAX_FILE_NAME - SUFFIX - bytes_in_file_name('~');
    let fits = |c: &char| {
        let rest = room.checked_sub(bytes_in_file_name(*c));
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    let mut short: String =
        name.chars().map(|c| if is_taken(c) { c } else { '_' }).take(MAX_NAME - SUFFIX).take_while(fits).collect();
    short.push('~');
    for byte in &Sha256::digest(&name)[..8] {
        write!(short, "{byte:02x}").expect("writing to a string does not fail");
    }
    short
}

/// Whether a name may hold the character.
fn is_taken(c: char) -> bool {
    ('\u{1}'..='\u{ffff}').contains(&c)
}

/// Characters that a file name might not take are written as `@` and four digits.
fn bytes_in_file_name(c: char) -> usize {
    if c.is_ascii_alphanumeric() || c == '_' { 1 } else { 5 }
}

#[cfg(test)]
mod tests {
    use crate::model::DataType;

    use super::{
        super::layout::tests::{last_hour, record, series},
        *,
    };

    fn name(property: &str) -> String {
        table_name(&DeviceId::new("plant", "boiler"), property)
    }

    #[test]
    fn the_statements_are_the_golden_ones() {
        let layout = TablePerProperty;
        let table = layout.table(&record("pressure", DataType::Double, 2.5));
        let golden = |text: &str| text.trim_end().to_owned();
        assert_eq!(layout.create(&table), golden(include_str!("../../../../tests/golden/mysql/property.create.sql")));
        assert_eq!(
            layout.insert(&table, 2),
            golden(include_str!("../../../../tests/golden/mysql/property.insert.sql"))
        );
        let [select] = &layout.selects(&last_hour(vec![series("pressure", DataType::Double)]))[..] else {
            panic!("one statement")
        };
        assert_eq!(select.statement, golden(include_str!("../../../../tests/golden/mysql/property.select.sql")));
        assert_eq!(select.values.len(), select.statement.matches('?').count());
    }

    #[test]
    fn a_name_that_mysql_takes_is_that_of_the_go_framework() {
        for property in ["pressure", "größe", "a/b", "x`y", "50%", "with space"] {
            assert_eq!(name(property), format!("plant/boiler/{property}"));
        }
        let longest = "p".repeat(64 - "plant/boiler/".len());
        assert_eq!(name(&longest), format!("plant/boiler/{longest}"));
    }

    #[test]
    fn any_other_name_is_cut_and_stays_distinct() {
        let long = "p".repeat(60);
        let awkward = [&long, &format!("{long}q"), "smile 😀", "frown 😡", "space ", "space  ", &"水".repeat(45)];
        let names: Vec<_> = awkward.into_iter().map(name).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(name.starts_with("plant/boiler/") && name.chars().count() <= MAX_NAME, "{name}");
            assert!(name.chars().all(is_taken) && !name.ends_with(' '), "{name}");
            assert!(name.chars().map(bytes_in_file_name).sum::<usize>() <= MAX_FILE_NAME, "{name}");
            assert!(!names[..index].contains(name), "{name} stands for two");
        }
        assert_eq!(names[0], "plant/boiler/pppppppppppppppppppppppppppppppppp~9ebb86f2aea82d62");
    }
}
