//! The sink `tdengine` against the double, over both of its transports.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use integration_tests::{
    DEADLINE,
    servers::{TdengineDouble, TdengineRow},
};
use mapper_framework::{
    config::SinksConfig,
    model::{DataType, Device, DeviceId, Property, PushMethod, Quality, TdenginePush, Value},
    sink::{Credentials, Outcome, Record, Series, Sink, SinkError, SinkKind},
    testing::{
        sink_contract::{self, Arrival, SinkFixture},
        sinks::{self, BuiltinKind, BuiltinSink},
    },
};
use proptest::prelude::*;
use tokio::{io::AsyncReadExt, net::TcpListener, time::timeout};

/// The schemes of the two transports.
const WEBSOCKET: &str = "ws";
const REST: &str = "http";

/// The database that the tests name.
const DATABASE: &str = "plant";

fn kind() -> BuiltinKind {
    sinks::builtin("tdengine", &SinksConfig::default()).expect("a built-in kind")
}

fn push(scheme: &str, double: &TdengineDouble) -> PushMethod {
    let mut push = TdenginePush::default();
    push.addr = format!("{scheme}://127.0.0.1:{}", double.port());
    push.db_name = DATABASE.to_owned();
    PushMethod::Tdengine(push)
}

/// The series of a property of the device `default/boiler`.
fn series(scheme: &str, double: &TdengineDouble, property: &str, data_type: DataType) -> Arc<Series> {
    series_in(scheme, double, property, data_type, "bar")
}

fn series_in(scheme: &str, double: &TdengineDouble, property: &str, data_type: DataType, unit: &str) -> Arc<Series> {
    let property = Property::builder(property, data_type).unit(unit).push_methods(vec![push(scheme, double)]).build();
    let device = Device::builder("boiler").property(property.clone()).build();
    let route = kind().routes(&device, &property).expect("a route").remove(0);
    sinks::series(&device, &property, route)
}

async fn try_open(series: &Series, credentials: &Credentials) -> Result<BuiltinSink, SinkError> {
    timeout(DEADLINE, kind().open(series.target(), credentials)).await.expect("it opens in time")
}

async fn open(series: &Series) -> BuiltinSink {
    try_open(series, &Credentials::none()).await.expect("it opens")
}

async fn write(sink: &mut BuiltinSink, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
    timeout(DEADLINE, sink.write(batch)).await.expect("it is written in time")
}

/// When the records begin: recently, since TDengine refuses what is older than it keeps.
static START: LazyLock<SystemTime> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    UNIX_EPOCH + Duration::from_secs(now - 3600)
});

fn record(series: &Arc<Series>, value: impl Into<Value>, millis: u64) -> Record {
    sinks::record(series, value, *START + Duration::from_millis(millis))
}

fn rows(double: &TdengineDouble, property: &str) -> Vec<TdengineRow> {
    double.rows(DATABASE, "default", "boiler", property)
}

fn values(double: &TdengineDouble, property: &str) -> Vec<String> {
    rows(double, property).into_iter().map(|row| row.value).collect()
}

struct Fixture {
    scheme: &'static str,
    double: TdengineDouble,
}

impl SinkFixture for Fixture {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        kind()
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        vec![push(self.scheme, &self.double)]
    }

    fn poison(&self) -> Option<(DataType, Value)> {
        Some((DataType::String, Value::String("x".repeat(4_001))))
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        let rows = self.double.rows(DATABASE, device.namespace(), device.name(), property);
        rows.into_iter().map(|row| Arrival { timestamp_ms: row.timestamp_ms, value: row.value }).collect()
    }
}

#[tokio::test]
async fn the_contract_is_kept_over_a_websocket() {
    sink_contract::check(&mut Fixture { scheme: WEBSOCKET, double: TdengineDouble::start() }).await;
}

#[tokio::test]
async fn the_contract_is_kept_over_rest() {
    sink_contract::check(&mut Fixture { scheme: REST, double: TdengineDouble::start() }).await;
}

#[tokio::test]
async fn a_row_tells_all_about_its_property() {
    let double = TdengineDouble::start();
    let level = series(WEBSOCKET, &double, "level", DataType::Float);
    let mut sink = open(&level).await;
    let sent = record(&level, 0.1_f32, 0).with_quality(Quality::Uncertain);
    assert_eq!(write(&mut sink, &[sent]).await.expect("written"), [Outcome::Accepted]);
    let [row] = &rows(&double, "level")[..] else { panic!("one row") };
    assert_eq!((row.value.as_str(), row.quality.as_str(), row.unit.as_str()), ("0.1", "uncertain", "bar"));
    assert_eq!((row.supertable.as_str(), row.model.as_str()), ("mapper_double", level.model().name()));
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it_and_the_right_one_is_taken_then() {
    for scheme in [WEBSOCKET, REST] {
        let double = TdengineDouble::start();
        double.set_password("it's @ secret:/%");
        let series = series(scheme, &double, "pressure", DataType::Int);
        let Err(error) = try_open(&series, &Credentials::none().with_password("hunter2")).await else {
            panic!("a wrong password opens it over {scheme}")
        };
        assert!(error.is_misconfigured(), "a password may be put right: {error}");
        let shown = format!("{error:?}");
        assert!(shown.contains("Authentication failure") && !shown.contains("hunter2"), "{shown}");
        let right = Credentials::none().with_username("root").with_password("it's @ secret:/%");
        let mut sink = try_open(&series, &right).await.expect("the right password opens it");
        assert_eq!(write(&mut sink, &[record(&series, 1_i64, 0)]).await.expect("written"), [Outcome::Accepted]);
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_is_given_up_and_another_one_goes_on() {
    let double = TdengineDouble::start();
    let series = series(WEBSOCKET, &double, "pressure", DataType::Int);
    let mut sink = open(&series).await;
    write(&mut sink, &[record(&series, 1_i64, 0)]).await.expect("written");
    double.drop_connections().await;
    let batch = [record(&series, 2_i64, 1)];
    let lost = write(&mut sink, &batch).await.expect_err("the connection is gone");
    assert!(lost.is_disconnected(), "{lost:?}");
    let again = write(&mut sink, &batch).await.expect_err("the client does not recover");
    assert!(again.is_disconnected(), "{again:?}");
    sink.close().await;
    let mut sink = open(&series).await;
    write(&mut sink, &batch).await.expect("written");
    assert_eq!(values(&double, "pressure"), ["1", "2"]);
}

#[tokio::test]
async fn a_connection_that_is_cut_while_nothing_is_written_is_noticed_by_the_next_write() {
    let double = TdengineDouble::start();
    let series = series(WEBSOCKET, &double, "pressure", DataType::Int);
    let mut sink = open(&series).await;
    write(&mut sink, &[record(&series, 1_i64, 0)]).await.expect("written");
    double.drop_connections().await;
    // While this goes over REST, the client reads the end of its connection.
    let query = sinks::query(vec![Arc::clone(&series)], *START, *START, 10);
    sink.query(&query).await.expect("answered");
    let batch = [record(&series, 2_i64, 1)];
    let before_the_deadline = SinksConfig::default().write_timeout / 2;
    let written = timeout(before_the_deadline, sink.write(&batch)).await.expect("it does not wait for the deadline");
    let lost = written.expect_err("the connection is gone");
    assert!(lost.is_disconnected(), "{lost:?}");
}

#[tokio::test]
async fn a_server_that_was_away_is_written_to_again() {
    for scheme in [WEBSOCKET, REST] {
        let mut double = TdengineDouble::start();
        let series = series(scheme, &double, "pressure", DataType::Int);
        let mut sink = open(&series).await;
        write(&mut sink, &[record(&series, 1_i64, 0)]).await.expect("written");
        double.kill().await;
        let batch = [record(&series, 2_i64, 1)];
        let lost = write(&mut sink, &batch).await.expect_err("nobody is there");
        assert!(lost.is_disconnected(), "over {scheme}: {lost:?}");
        let refused = try_open(&series, &Credentials::none()).await.expect_err("nobody is there");
        assert!(refused.is_disconnected(), "over {scheme}: {refused:?}");
        double.restart().await;
        let mut sink = open(&series).await;
        write(&mut sink, &batch).await.expect("written");
        assert_eq!(values(&double, "pressure"), ["1", "2"], "over {scheme}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_blocks_nothing_but_its_own_write() {
    for scheme in [WEBSOCKET, REST] {
        let double = TdengineDouble::start();
        let series = series(scheme, &double, "pressure", DataType::Int);
        let mut sink = open(&series).await;
        double.set_hanging(true);
        let batch = [record(&series, 1_i64, 0)];
        // On this runtime's only thread: the clock below would not tick beside a client that blocks.
        let write_timeout = Duration::from_millis(200);
        assert!(timeout(write_timeout, sink.write(&batch)).await.is_err(), "no answer comes over {scheme}");
        drop(sink);
        double.set_hanging(false);
        let mut sink = open(&series).await;
        write(&mut sink, &batch).await.expect("written");
        assert_eq!(values(&double, "pressure"), ["1"], "over {scheme}");
    }
}

#[tokio::test]
async fn a_database_and_a_table_that_are_dropped_are_made_again() {
    for scheme in [WEBSOCKET, REST] {
        let double = TdengineDouble::start();
        let series = series(scheme, &double, "pressure", DataType::Int);
        let mut sink = open(&series).await;
        write(&mut sink, &[record(&series, 0_i64, 0)]).await.expect("written");
        for (number, drop) in (1_u32..).zip(["DROP DATABASE plant", "DROP STABLE plant.mapper_int"]) {
            double.execute(drop).expect(drop);
            let batch = [record(&series, i64::from(number), number.into())];
            assert_eq!(write(&mut sink, &batch).await.expect(drop), [Outcome::Accepted], "over {scheme}");
            assert_eq!(values(&double, "pressure"), [number.to_string()], "over {scheme}");
        }
    }
}

#[tokio::test]
async fn who_may_not_make_tables_writes_to_those_that_exist_and_is_told_of_those_that_do_not() {
    let double = TdengineDouble::start();
    let series = series(WEBSOCKET, &double, "pressure", DataType::Int);
    let mut sink = open(&series).await;
    let batch = [record(&series, 1_i64, 0)];
    write(&mut sink, &batch).await.expect("written");
    double.set_frozen(true);
    write(&mut sink, &batch).await.expect("written");
    double.execute("DROP DATABASE plant").expect("dropped");
    let error = write(&mut sink, &batch).await.expect_err("there is no database");
    assert!(error.is_misconfigured() && error.to_string().contains("the user may not make it"), "{error}");
    double.set_frozen(false);
    write(&mut sink, &batch).await.expect("written");
}

#[tokio::test]
async fn a_supertable_that_somebody_else_has_made_rejects_no_record() {
    let double = TdengineDouble::start();
    for sql in ["CREATE DATABASE plant", "CREATE STABLE plant.mapper_int (ts TIMESTAMP, v BIGINT) TAGS (x BOOL)"] {
        double.execute(sql).expect(sql);
    }
    let series = series(WEBSOCKET, &double, "pressure", DataType::Int);
    let mut sink = open(&series).await;
    let batch = [record(&series, 1_i64, 0)];
    let error = write(&mut sink, &batch).await.expect_err("it has other tags");
    assert!(error.is_retryable() && error.to_string().contains("Invalid column name"), "{error}");
    double.execute("DROP STABLE plant.mapper_int").expect("dropped");
    write(&mut sink, &batch).await.expect("an operator has put it right");
}

#[tokio::test]
async fn a_time_is_the_same_in_a_database_that_counts_nanoseconds() {
    let double = TdengineDouble::start();
    double.execute("CREATE DATABASE plant PRECISION 'ns'").expect("created");
    let series = series(REST, &double, "pressure", DataType::Int);
    let mut sink = open(&series).await;
    let sent = record(&series, 1_i64, 7);
    write(&mut sink, std::slice::from_ref(&sent)).await.expect("written");
    assert_eq!(rows(&double, "pressure")[0].timestamp_ms, sent.timestamp_ms());
    let query = sinks::query(vec![Arc::clone(&series)], sent.timestamp(), sent.timestamp(), 10);
    let points = sink.query(&query).await.expect("answered");
    assert_eq!(points.iter().map(|point| point.timestamp_ms).collect::<Vec<_>>(), [sent.timestamp_ms()]);
}

#[tokio::test]
async fn a_record_that_does_not_fit_costs_only_itself() {
    for scheme in [WEBSOCKET, REST] {
        let double = TdengineDouble::start();
        let text = series(scheme, &double, "note", DataType::String);
        let mut sink = open(&text).await;
        let batch = [record(&text, "a", 0), record(&text, "°".repeat(4_001), 1), record(&text, "°".repeat(4_000), 2)];
        let outcomes = write(&mut sink, &batch).await.expect("written");
        assert_eq!(outcomes[0], Outcome::Accepted);
        assert_eq!(outcomes[1], Outcome::rejected("the text has 4001 characters, and at most 4000 fit"));
        assert_eq!(outcomes[2], Outcome::Accepted);
        assert_eq!(values(&double, "note"), ["a".to_owned(), "°".repeat(4_000)]);
    }
}

#[tokio::test]
async fn what_the_server_alone_can_refuse_is_refused_for_good() {
    for scheme in [WEBSOCKET, REST] {
        let double = TdengineDouble::start();
        let series = series(scheme, &double, "pressure", DataType::Int);
        let mut sink = open(&series).await;
        let ancient = sinks::record(&series, 1, UNIX_EPOCH + Duration::from_secs(86_400));
        let error = write(&mut sink, &[ancient]).await.expect_err("older than the database keeps");
        assert!(error.is_refused() && error.to_string().contains("0x060b"), "over {scheme}: {error}");
        write(&mut sink, &[record(&series, 2_i64, 0)]).await.expect("the connection is sound");
    }
}

#[tokio::test]
async fn the_later_of_two_values_in_a_millisecond_stays() {
    let double = TdengineDouble::start();
    let series = series(WEBSOCKET, &double, "pressure", DataType::Int);
    let mut sink = open(&series).await;
    let batch = [record(&series, 1_i64, 0), record(&series, 2_i64, 0)];
    assert_eq!(write(&mut sink, &batch).await.expect("written"), Outcome::accepted(2));
    assert_eq!(values(&double, "pressure"), ["2"]);
}

#[tokio::test]
async fn a_batch_longer_than_a_statement_may_be_arrives_whole() {
    let double = TdengineDouble::start();
    let series = series(WEBSOCKET, &double, "note", DataType::String);
    let mut sink = open(&series).await;
    let text = "'\\".repeat(2_000);
    let batch: Vec<_> = (0..300).map(|n| record(&series, text.clone(), n)).collect();
    assert_eq!(write(&mut sink, &batch).await.expect("written"), Outcome::accepted(300));
    assert_eq!(values(&double, "note"), vec![text; 300]);
}

#[tokio::test]
async fn a_new_unit_leaves_the_old_values_theirs_and_the_history_whole() {
    let double = TdengineDouble::start();
    let bar = series_in(WEBSOCKET, &double, "pressure", DataType::Int, "bar");
    let psi = series_in(WEBSOCKET, &double, "pressure", DataType::Double, "psi");
    let mut sink = open(&bar).await;
    let batch = [record(&bar, 2_i64, 0), record(&psi, 29.5, 1)];
    write(&mut sink, &batch).await.expect("written");
    let units: Vec<_> = rows(&double, "pressure").into_iter().map(|row| row.unit).collect();
    assert_eq!(units, ["bar", "psi"]);
    let query = sinks::query(vec![psi], *START, *START + Duration::from_secs(1), 10);
    let points = sink.query(&query).await.expect("answered");
    let values: Vec<_> = points.into_iter().map(|point| point.value).collect();
    assert_eq!(values, [Value::Double(2.0), Value::Double(29.5)], "in the type that the property has now");
}

#[tokio::test]
async fn a_database_that_does_not_exist_has_no_history_and_is_not_made_to_have_one() {
    let double = TdengineDouble::start();
    let series = series(REST, &double, "pressure", DataType::Int);
    let mut sink = open(&series).await;
    let query = sinks::query(vec![series], *START, *START, 10);
    assert_eq!(sink.query(&query).await.expect("answered"), []);
    double.execute("DROP DATABASE plant").expect_err("it is not there");
}

/// Text that is made of what SQL could stumble over, and any other.
fn hostile() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "'", "''", "\\", "\\'", "`", "\"", "%", "\\%", "_", "\n", "\r", "\t", "--", "/*", ";", "(", ")", "NULL", "é",
        "🌡",
    ];
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(PIECES), 0..12).prop_map(|pieces| pieces.concat()),
        "[^\0]{0,40}"
    ]
}

#[test]
fn hostile_text_comes_back_as_it_was_wherever_it_stands() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let double = TdengineDouble::start();
    proptest!(ProptestConfig::with_cases(100), |(name in hostile(), text in hostile(), unit in hostile())| {
        runtime.block_on(async {
            let series = series_in(REST, &double, &name, DataType::String, &unit);
            let sent = record(&series, text.as_str(), 0);
            let mut sink = open(&series).await;
            let outcomes = write(&mut sink, std::slice::from_ref(&sent)).await.expect("written");
            assert_eq!(outcomes, [Outcome::Accepted]);
            let stored = rows(&double, &name);
            assert!(stored.iter().any(|row| row.value == text && row.unit == unit), "{stored:?}");
            let query = sinks::query(vec![series], sent.timestamp(), sent.timestamp(), 1_000);
            let points = sink.query(&query).await.expect("answered");
            assert!(points.iter().any(|point| point.value == Value::from(text.as_str())), "{points:?}");
        });
    });
}

#[tokio::test]
async fn a_port_that_ends_each_connection_at_once_is_not_that_of_the_adapter() {
    // As TDengine's own protocol does, on its port 6030.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let ended = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Read, so that the end is no reset.
            drop(stream.read(&mut [0; 4096]).await);
        }
    });
    let mut push = TdenginePush::default();
    push.addr = format!("{WEBSOCKET}://127.0.0.1:{port}");
    push.db_name = DATABASE.to_owned();
    let property = Property::builder("p", DataType::Double).push_methods(vec![PushMethod::Tdengine(push)]).build();
    let device = Device::builder("boiler").property(property.clone()).build();
    let route = kind().routes(&device, &property).expect("a route").remove(0);
    let opened = try_open(&sinks::series(&device, &property, route), &Credentials::none()).await;
    let Err(error) = opened else { panic!("nobody is there") };
    assert!(error.is_disconnected(), "{error:?}");
    assert!(error.to_string().contains("this port is not taosAdapter's, which is 6041"), "{error}");
    ended.abort();
}
