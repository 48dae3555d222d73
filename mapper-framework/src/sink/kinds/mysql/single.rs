//! One table for everything.

use mysql_async::Value;

use crate::model;

use super::{
    super::super::{Query, Record},
    layout::{EPOCH, Layout, Select, bound, micros, quoted, rows_of},
};

/// The layout `single`.
pub(super) struct SingleTable {
    /// Quoted.
    table: String,
}

impl SingleTable {
    pub(super) fn new(table: &str) -> Self {
        Self { table: quoted(table) }
    }
}

impl Layout for SingleTable {
    fn table(&self, _: &Record) -> String {
        self.table.clone()
    }

    /// Names are compared by their bytes: `UPPER` and `upper` are two properties. They are as long as Kubernetes and the device
    /// model allow, and with the longest the key still fits into what InnoDB takes, 3,072 bytes.
    fn create(&self, table: &str) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (
  `namespace` VARCHAR(63) NOT NULL,
  `device` VARCHAR(253) NOT NULL,
  `property` VARCHAR(255) NOT NULL,
  `ts` DATETIME(3) NOT NULL,
  `type` VARCHAR(16) NOT NULL,
  `value_double` DOUBLE NULL,
  `value_int` BIGINT NULL,
  `value_text` LONGTEXT NOT NULL,
  `unit` VARCHAR(255) NOT NULL,
  `quality` VARCHAR(16) NOT NULL,
  PRIMARY KEY (`namespace`, `device`, `property`, `ts`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )
    }

    fn insert(&self, table: &str, rows: usize) -> String {
        let row = format!("(?, ?, ?, TIMESTAMPADD(MICROSECOND, ?, {EPOCH}), ?, ?, ?, ?, ?, ?)");
        format!(
            "INSERT INTO {table} (`namespace`, `device`, `property`, `ts`, `type`, `value_double`, `value_int`, `value_text`, `unit`, `quality`) \
             VALUES {} \
             ON DUPLICATE KEY UPDATE `type` = VALUES(`type`), `value_double` = VALUES(`value_double`), `value_int` = VALUES(`value_int`), \
             `value_text` = VALUES(`value_text`), `unit` = VALUES(`unit`), `quality` = VALUES(`quality`)",
            rows_of(&row, rows)
        )
    }

    fn row(&self, record: &Record) -> Vec<Value> {
        let (device, series) = (record.device(), record.series());
        vec![
            device.namespace().into(),
            device.name().into(),
            record.property().into(),
            micros(record.timestamp_ms()),
            series.data_type().as_str().into(),
            double(record.value()).into(),
            integer(record.value()).into(),
            record.value().to_string().into(),
            series.unit().into(),
            record.quality().as_str().into(),
        ]
    }

    fn selects(&self, query: &Query) -> Vec<Select> {
        let device = query.device();
        let properties = query.series().iter().map(|series| Value::from(series.property()));
        let mut values = vec![Value::from(device.namespace()), device.name().into()];
        values.extend(properties);
        values.extend([bound(query.from_ms()), bound(query.to_ms()), query.limit().into()]);
        let statement = format!(
            "SELECT `property`, `value_text`, TIMESTAMPDIFF(MICROSECOND, {EPOCH}, `ts`) DIV 1000 FROM {} \
             WHERE `namespace` = ? AND `device` = ? AND `property` IN ({}) \
             AND `ts` BETWEEN TIMESTAMPADD(MICROSECOND, ?, {EPOCH}) AND TIMESTAMPADD(MICROSECOND, ?, {EPOCH}) \
             ORDER BY `ts` DESC, `property` DESC LIMIT ?",
            self.table,
            rows_of("?", query.series().len())
        );
        vec![Select { statement, values }]
    }
}

/// A number as a double, true and false as 1 and 0.
fn double(value: &model::Value) -> Option<f64> {
    let number = match value {
        model::Value::Boolean(boolean) => f64::from(u8::from(*boolean)),
        // By its decimals: 0.1 as a 32-bit float would become 0.10000000149011612.
        model::Value::Float(float) => float.to_string().parse().ok()?,
        other => other.as_f64()?,
    };
    // MySQL has no number for what is not finite.
    number.is_finite().then_some(number)
}

/// An integer as itself, true and false as 1 and 0.
fn integer(value: &model::Value) -> Option<i64> {
    match value {
        model::Value::Int(int) => Some(*int),
        model::Value::Boolean(boolean) => Some((*boolean).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::model::DataType;

    use super::{
        super::layout::tests::{last_hour, record, series},
        *,
    };

    fn table() -> SingleTable {
        SingleTable::new("device_data")
    }

    #[test]
    fn the_statements_are_the_golden_ones() {
        let table = table();
        let golden = |text: &str| text.trim_end().to_owned();
        let create = golden(include_str!("../../../../tests/golden/mysql/single.create.sql"));
        assert_eq!(table.create(&table.table), create);
        let insert = golden(include_str!("../../../../tests/golden/mysql/single.insert.sql"));
        assert_eq!(table.insert(&table.table, 2), insert);
        let asked = last_hour(vec![series("pressure", DataType::Double), series("level", DataType::Int)]);
        let [select] = &table.selects(&asked)[..] else { panic!("one statement") };
        assert_eq!(select.statement, golden(include_str!("../../../../tests/golden/mysql/single.select.sql")));
        assert_eq!(select.values.len(), select.statement.matches('?').count());
    }

    #[test]
    fn a_number_is_stored_as_a_number_and_as_its_text() {
        let row = |data_type, value: model::Value| {
            let row = table().row(&record("p", data_type, value));
            (row[5].clone(), row[6].clone(), row[7].clone())
        };
        let text = Value::from;
        assert_eq!(row(DataType::Double, 2.5.into()), (2.5.into(), Value::NULL, text("2.5")));
        assert_eq!(row(DataType::Float, 0.1_f32.into()), (0.1.into(), Value::NULL, text("0.1")));
        assert_eq!(row(DataType::Int, (-7).into()), ((-7.0).into(), (-7).into(), text("-7")));
        assert_eq!(row(DataType::Boolean, true.into()), (1.0.into(), 1.into(), text("true")));
        assert_eq!(row(DataType::String, "7".into()), (Value::NULL, Value::NULL, text("7")));
        assert_eq!(row(DataType::Double, f64::NAN.into()), (Value::NULL, Value::NULL, text("NaN")));
    }

    #[test]
    fn a_row_has_a_value_for_each_placeholder() {
        let values = table().row(&record("pressure", DataType::Double, 2.5));
        assert_eq!(values.len(), table().insert("`t`", 1).matches('?').count());
        assert_eq!(
            values[..4],
            ["plant".into(), "boiler".into(), "pressure".into(), Value::Int(1_700_000_000_123_000)]
        );
    }
}
