use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use crate::{
    model::{Device, DeviceId, Property, Quality},
    sink::{Route, Target},
};

use super::*;

fn plant() -> Database {
    Database::parse("plant").unwrap()
}

fn series(device: (&str, &str), property: &str, unit: &str) -> Arc<Series> {
    let property = Property::builder(property, DataType::String).unit(unit).build();
    let mut series = Series::new(&Device::builder("d").build(), &property, Route::to(Target::new("tdengine", &())));
    series.device = DeviceId::new(device.0, device.1);
    series.model = DeviceId::new(device.0, "boiler-model");
    Arc::new(series)
}

fn record(series: &Arc<Series>, value: impl Into<Value>, millis: u64) -> Record {
    Record::new(Arc::clone(series), value.into(), UNIX_EPOCH + Duration::from_millis(millis))
}

/// The statement of a batch that makes one.
fn only_statement(batch: &[Record]) -> String {
    let inserts = inserts(&plant(), batch);
    assert_eq!(inserts.outcomes, Outcome::accepted(batch.len()));
    let [statement] = &inserts.statements[..] else { panic!("one statement: {inserts:?}") };
    statement.clone()
}

/// Compares with a golden file, which ends with a line's end.
fn assert_golden(sql: &str, golden: &str) {
    assert_eq!(sql, golden.strip_suffix('\n').unwrap());
}

#[test]
fn the_schema_is_the_documented_one() {
    assert_golden(&schema(&plant(), 0).join("\n"), include_str!("../../../../../tests/golden/tdengine/schema.sql"));
}

#[test]
fn a_value_of_each_type_goes_to_its_own_supertable() {
    let one = series(("plant", "boiler"), "p", "bar");
    let values: [Value; 9] = [
        Value::Int(-7),
        Value::Int(i64::MAX),
        Value::Float(0.1),
        Value::Double(-1.5e-7),
        Value::Double(1e300),
        Value::Boolean(true),
        Value::from("21 °C"),
        Value::from(""),
        Value::from(vec![0, 1, 254, 255]),
    ];
    let batch: Vec<_> = (1_700_000_000_000..).zip(values).map(|(time, value)| record(&one, value, time)).collect();
    assert_golden(&only_statement(&batch), include_str!("../../../../../tests/golden/tdengine/insert-types.sql"));
}

#[test]
fn a_hostile_text_stays_a_literal() {
    let hostile = series(("plant", "it's"), "x`y\\'); DROP DATABASE plant; --", "\"%_\n");
    let batch = [
        record(&hostile, "', 'good'); DROP DATABASE `plant`; --", 1_700_000_000_000),
        record(&hostile, "\\", 1_700_000_000_001).with_quality(Quality::Bad),
        record(&hostile, "\\'", 1_700_000_000_002).with_quality(Quality::Uncertain),
    ];
    assert_golden(&only_statement(&batch), include_str!("../../../../../tests/golden/tdengine/insert-hostile.sql"));
}

#[test]
fn history_is_asked_for_by_the_tags() {
    let all = vec![series(("plant", "it's"), "a", ""), series(("plant", "it's"), "b\\", "")];
    let time = |millis| UNIX_EPOCH + Duration::from_millis(millis);
    let query = Query::new(all, time(1_700_000_000_000), time(u64::MAX / 2_000), 5);
    let sql = history(&plant(), Column::Double, &query).unwrap();
    assert_golden(&sql, include_str!("../../../../../tests/golden/tdengine/history.sql"));
}

#[test]
fn nothing_is_asked_for_where_nothing_can_be() {
    let before = UNIX_EPOCH - Duration::from_millis(1);
    let query = |name, to| Query::new(vec![series(("plant", "boiler"), name, "")], before, to, 5);
    assert_eq!(history(&plant(), Column::Int, &query("p", before)), None);
    assert_eq!(history(&plant(), Column::Int, &query("p\0", UNIX_EPOCH)), None);
    assert!(history(&plant(), Column::Int, &query("p", UNIX_EPOCH)).is_some());
}

#[test]
fn the_rows_of_a_subtable_stand_together_in_their_order() {
    let (a, b) = (series(("plant", "boiler"), "a", ""), series(("plant", "boiler"), "b", ""));
    let batch = [record(&a, 1_i64, 1), record(&b, 2_i64, 1), record(&a, 3_i64, 2)];
    let statement = only_statement(&batch);
    assert_eq!(statement.matches(" USING ").count(), 2, "{statement}");
    let rows = "VALUES ('1970-01-01T00:00:00.001Z', 1, 'good')('1970-01-01T00:00:00.002Z', 3, 'good') ";
    assert!(statement.contains(rows), "{statement}");
}

#[test]
fn a_database_keeps_its_rows_as_long_as_the_config_says() {
    for (days, clause) in
        [(3, " KEEP 3d DURATION 1d"), (30, " KEEP 30d DURATION 10d"), (400, " KEEP 400d DURATION 10d")]
    {
        let create = &schema(&plant(), days)[0];
        assert!(create.ends_with(&format!("PRECISION 'ms'{clause}")), "{create}");
    }
}

#[test]
fn a_number_too_near_to_zero_for_tdengine_is_zero() {
    let all = series(("plant", "boiler"), "p", "");
    for number in [5e-324, -f64::MIN_POSITIVE / 2.0] {
        assert!(only_statement(&[record(&all, number, 1)]).contains("Z', 0.0, 'good')"), "{number}");
    }
    let least = only_statement(&[record(&all, f64::MIN_POSITIVE, 1)]);
    assert!(least.contains("2.2250738585072014e-308"), "{least}");
}

#[test]
fn a_long_batch_is_split_before_a_statement_is_too_long() {
    let all = ["a", "b", "c"].map(|name| series(("plant", "boiler"), name, ""));
    let text = "\\".repeat(MAX_TEXT);
    let batch: Vec<_> = (0..300).map(|n| record(&all[n % 3], text.clone(), n as u64)).collect();
    let Inserts { statements, outcomes } = inserts(&plant(), &batch);
    assert_eq!(outcomes, Outcome::accepted(300));
    assert!(statements.len() == 3, "{}", statements.len());
    let rows: usize = statements.iter().map(|statement| statement.matches("('1970-").count()).sum();
    assert_eq!(rows, 300, "each record is in one statement");
    for statement in &statements {
        assert!(statement.len() <= MAX_STATEMENT && statement.starts_with("INSERT INTO `plant`.`t_"));
    }
}

#[test]
fn what_does_not_fit_is_rejected_with_the_reason_and_costs_nothing_else() {
    let good = series(("plant", "boiler"), "p", "");
    let long_name = series(("plant", "boiler"), &"x".repeat(257), "");
    let long_unit = series(("plant", "boiler"), "p", &"°".repeat(65));
    let cut_name = series(("plant", "boiler"), "p\0", "");
    let batch = [
        record(&good, 1_i64, 1),
        record(&good, "x".repeat(4_001), 2),
        record(&good, vec![0; 12_001], 3),
        record(&good, "a\0b", 4),
        record(&good, f64::NAN, 5),
        record(&long_name, 1_i64, 6),
        record(&long_unit, 1_i64, 7),
        record(&cut_name, 1_i64, 8),
        Record::new(Arc::clone(&good), Value::Int(1), UNIX_EPOCH - Duration::from_millis(1)),
        record(&good, 1_i64, 253_402_300_800_000),
        record(&good, "°".repeat(4_000), 9),
        record(&good, vec![0; 12_000], 10),
    ];
    let Inserts { statements, outcomes } = inserts(&plant(), &batch);
    let reasons: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Rejected(reason) => reason.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "",
            "the text has 4001 characters, and at most 4000 fit",
            "the value in base64 has 16002 characters, and at most 16000 fit",
            "the text holds a NUL character, with which a statement ends for TDengine",
            "NaN is not finite",
            "the property has 257 characters, and at most 256 fit",
            "the unit has 65 characters, and at most 64 fit",
            "the property holds a NUL character, with which a statement ends for TDengine",
            "the time, -1 ms, is not between 1970 and 9999",
            "the time, 253402300800000 ms, is not between 1970 and 9999",
            "",
            "",
        ]
    );
    assert_eq!(statements.len(), 1);
    assert_eq!(statements[0].matches(" USING ").count(), 3);
}

#[test]
fn a_batch_of_which_nothing_fits_makes_no_statement() {
    let good = series(("plant", "boiler"), "p", "");
    assert!(inserts(&plant(), &[record(&good, f64::INFINITY, 1)]).statements.is_empty());
}

#[test]
fn a_subtable_has_a_name_of_its_own_that_stays() {
    let base = series(("plant", "boiler"), "p", "bar");
    assert_eq!(
        subtable(&base, Column::Int),
        "t_546ddfab66e800254b6c00c523dbbd21",
        "rows lie in tables that are named so"
    );
    let others = [
        subtable(&base, Column::Int),
        subtable(&base, Column::Double),
        subtable(&series(("plant", "boiler"), "p", ""), Column::Int),
        subtable(&series(("plant", "boilerp"), "", "bar"), Column::Int),
        subtable(&series(("plantb", "oiler"), "p", "bar"), Column::Int),
        subtable(&series(("plant", "boiler"), "P", "bar"), Column::Int),
    ];
    let distinct: std::collections::HashSet<_> = others.iter().collect();
    assert_eq!(distinct.len(), others.len());
}

#[test]
fn a_row_is_read_in_the_type_of_its_supertable() {
    let read = |column, value| {
        let row = [json!("2023-11-14T22:13:20.5Z"), value, json!("p")];
        read_row(column, &row).map(|(time, value, property)| (time, value, property.to_owned()))
    };
    let row = |value| (1_700_000_000_500, Some(value), "p".to_owned());
    assert_eq!(read(Column::Int, json!(i64::MAX)).unwrap(), row(Value::Int(i64::MAX)));
    assert_eq!(read(Column::Double, json!(2)).unwrap(), row(Value::Double(2.0)), "a double without a fraction");
    assert_eq!(read(Column::Bool, json!(true)).unwrap(), row(Value::Boolean(true)));
    assert_eq!(read(Column::Text, json!("it's")).unwrap(), row(Value::from("it's")));
    assert_eq!(read(Column::Bytes, json!("AAH-_w")).unwrap(), row(Value::from(vec![0, 1, 254, 255])));
    assert_eq!(read(Column::Int, json!(null)).unwrap().1, None);
    let local = [json!("2023-11-14T22:13:20+01:00"), json!(1), json!("p")];
    let error = read_row(Column::Int, &local).unwrap_err();
    assert!(error.to_string().contains("mapper_int"), "{error}");
}

/// Reads a literal as TDengine does.
fn read_literal(literal: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = literal.strip_prefix('\'')?.strip_suffix('\'')?.chars();
    while let Some(char) = chars.next() {
        match char {
            '\'' => return None,
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
    Some(text)
}

proptest! {
    #[test]
    fn a_literal_holds_the_text_and_ends_where_it_should(text in any::<String>()) {
        let read = literal(&"the text", &text, MAX_TEXT).ok().map(|literal| read_literal(&literal));
        prop_assert_eq!(read, (!text.contains('\0')).then_some(Some(text)));
    }

    #[test]
    fn a_time_is_read_as_it_was_written(written in 0..=MAX_TIME) {
        prop_assert_eq!(millis(&time(written)), Some(written));
    }

    #[test]
    fn a_double_is_read_as_it_was_written(written in proptest::num::f64::NORMAL) {
        let json = serde_json::from_str(&format!("{written:?}")).unwrap();
        prop_assert_eq!(read_value(Column::Double, &json), Some(Value::Double(written)));
    }
}
