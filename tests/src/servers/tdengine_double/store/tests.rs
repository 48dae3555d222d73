use super::*;

/// A store with the database `d` and the supertable `d.s`.
fn store() -> Store {
    let mut store = Store::default();
    for sql in [
        "CREATE DATABASE d PRECISION 'us'",
        "CREATE STABLE d.s (ts TIMESTAMP, i BIGINT, f DOUBLE, b BOOL, n NCHAR(3), v VARCHAR(3)) TAGS (x NCHAR(3), y BIGINT)",
    ] {
        store.execute(None, sql).expect(sql);
    }
    store
}

const TIME: &str = "'2026-01-02T03:04:05.678Z'";

#[track_caller]
fn refused(store: &mut Store, sql: &str) -> u32 {
    store.execute(None, sql).expect_err(sql).code
}

fn insert(values: &str) -> String {
    format!("INSERT INTO d.t USING d.s TAGS ('x', 1) VALUES ({TIME}, {values})")
}

#[test]
fn a_value_has_to_be_of_its_columns_type() {
    let mut store = store();
    for values in [
        "'1', 0.5, true, '', ''",
        "0.5, 0.5, true, '', ''",
        "9223372036854775808, 0.5, true, '', ''",
        "1, 'x', true, '', ''",
        "1, 1e999, true, '', ''",
        "1, 0.5, 'true', '', ''",
        "1, 0.5, true, 1, ''",
    ] {
        assert_eq!(refused(&mut store, &insert(values)), 0x2605, "{values}");
    }
    assert_eq!(refused(&mut store, &insert("1, 0.5, true, 'abcd', ''")), 0x2653);
    assert_eq!(refused(&mut store, &insert("1, 0.5, true, '', 'größ'")), 0x2653, "bytes count, and not characters");
    store.execute(None, &insert("-1, -5e-1, false, 'grö', 'abc'")).expect("all fit");
}

#[test]
fn the_counts_of_values_and_tags_have_to_match() {
    let mut store = store();
    assert_eq!(refused(&mut store, &insert("1, 0.5, true, ''")), 0x2600);
    let of_tags = |tags: &str| format!("INSERT INTO d.t USING d.s TAGS ({tags}) VALUES ({TIME}, 1, 1, true, '', '')");
    assert_eq!(refused(&mut store, &of_tags("'x'")), 0x260D);
    assert_eq!(refused(&mut store, &of_tags("'x', 1, 2")), 0x260D);
    assert_eq!(refused(&mut store, &of_tags("'x', 'y'")), 0x2605);
    assert_eq!(refused(&mut store, &of_tags("'long', 1")), 0x2653);
    let named = format!("INSERT INTO d.t USING d.s (z) TAGS (1) (ts, i) VALUES ({TIME}, 1)");
    assert_eq!(refused(&mut store, &named), 0x2602);
}

#[test]
fn what_is_not_there_is_told_with_its_code() {
    let mut store = store();
    let insert = |name: &str| format!("INSERT INTO {name} VALUES ({TIME}, 1, 1, true, '', '')");
    assert_eq!(refused(&mut store, &insert("e.t")), 0x0388);
    assert_eq!(refused(&mut store, &insert("d.t")), 0x2603);
    assert_eq!(refused(&mut store, &insert("t")), 0x2616);
    assert_eq!(refused(&mut store, "SELECT ts FROM d.z"), 0x2603);
    assert_eq!(refused(&mut store, "SELECT z FROM d.s"), 0x2602);
    assert_eq!(refused(&mut store, "DROP DATABASE e"), 0x0388);
    assert_eq!(refused(&mut store, "DROP STABLE d.z"), 0x2603);
}

#[test]
fn limits_are_kept() {
    let mut store = store();
    let wide = |columns: &str, tags: &str| format!("CREATE STABLE d.w (ts TIMESTAMP, {columns}) TAGS ({tags})");
    assert_eq!(refused(&mut store, &wide("v VARCHAR(49150)", "x BOOL")), 0x036F);
    assert_eq!(refused(&mut store, &wide("v BOOL", "x NCHAR(4096)")), 0x036F);
    assert_eq!(refused(&mut store, &wide("v BOOL", "v BOOL")), 0x263C);
    assert_eq!(refused(&mut store, "CREATE STABLE d.w (v BOOL, w BOOL) TAGS (x BOOL)"), 0x2605);
    assert_eq!(refused(&mut store, &" ".repeat(1_048_577)), 0x0219);
    let old = "INSERT INTO d.t USING d.s TAGS ('x', 1) VALUES ('1999-01-02T03:04:05Z', 1, 1, true, '', '')";
    assert_eq!(refused(&mut store, old), 0x060B);
}

#[test]
fn an_insert_is_all_or_nothing() {
    let mut store = store();
    let sql =
        format!("{} d.u USING d.s TAGS ('x', 'y') VALUES ({TIME}, 1, 1, true, '', '')", insert("1, 1, true, '', ''"));
    assert_eq!(refused(&mut store, &sql), 0x2605);
    assert!(store.stored("d").is_empty());
}

#[test]
fn the_later_row_of_a_time_stays_and_the_tags_are_those_of_the_first() {
    let mut store = store();
    store.execute(None, &insert("1, 1, true, '', ''")).expect("inserted");
    store.execute(None, &insert("2, 2, true, '', ''").replace("'x', 1", "'z', 2")).expect("inserted");
    let [row] = &store.stored("d")[..] else { panic!("one row") };
    assert_eq!((row.cells["i"], row.cells["x"]), (&Cell::Int(2), &Cell::Text("x".into())));
}

#[test]
fn a_time_means_the_same_in_each_precision() {
    for precision in ["ms", "us", "ns"] {
        let mut store = Store::default();
        for sql in [
            &format!("CREATE DATABASE d PRECISION '{precision}'"),
            "CREATE STABLE d.s (ts TIMESTAMP, i BIGINT) TAGS (x BOOL)",
            &format!("INSERT INTO d.t USING d.s TAGS (true) VALUES ({TIME}, 1)"),
        ] {
            store.execute(None, sql).expect(sql);
        }
        assert_eq!(store.stored("d")[0].timestamp_ms, 1_767_323_045_678, "{precision}");
        let sql = format!("SELECT ts FROM d.s WHERE ts >= {TIME} AND ts <= {TIME}");
        let Ok(Answer::Rows { precision, rows, .. }) = store.execute(None, &sql) else { panic!("rows") };
        let text = rows[0][0].to_json(precision).to_string();
        assert!(text.starts_with("\"2026-01-02T03:04:05.678"), "{text}");
    }
}

#[test]
fn a_select_filters_by_tags_orders_and_limits() {
    let mut store = store();
    for (table, tag, second) in [("t", "'a'", 1), ("t", "'a'", 3), ("u", "'b'", 2), ("w", "'c'", 4)] {
        let sql = format!(
            "INSERT INTO d.{table} USING d.s TAGS ({tag}, 1) (ts, i) VALUES ('2026-01-02T03:04:0{second}Z', {second})"
        );
        store.execute(None, &sql).expect(&sql);
    }
    let mut numbers = |rest: &str| -> Vec<Cell> {
        let sql = format!("SELECT i FROM d.s {rest}");
        let Ok(Answer::Rows { rows, .. }) = store.execute(None, &sql) else { panic!("rows of {sql}") };
        rows.into_iter().flatten().collect()
    };
    let ints = |numbers: &[i64]| -> Vec<Cell> { numbers.iter().copied().map(Cell::Int).collect() };
    assert_eq!(numbers("WHERE x IN ('a', 'b') ORDER BY ts DESC LIMIT 2"), ints(&[3, 2]));
    assert_eq!(numbers("WHERE x = 'a' ORDER BY ts ASC"), ints(&[1, 3]));
    assert_eq!(
        numbers("WHERE ts >= '2026-01-02T03:04:02Z' AND ts < '2026-01-02T03:04:04Z' ORDER BY ts"),
        ints(&[2, 3])
    );
    assert_eq!(numbers("WHERE x = 'a longer one'"), ints(&[]));
}
