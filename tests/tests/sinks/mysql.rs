//! The sink `mysql`, with MariaDB's own client that reads what has been written.

mod retention;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use integration_tests::servers::{MariaDbOptions, MariaDbServer};
use mapper_framework::{
    Device, Property,
    config::{MysqlLayout, SinksConfig},
    model::{DataType, DeviceId, MysqlPush, PushMethod, Value},
    sink::{Credentials, Outcome, Record, Series, Sink, SinkError, SinkKind},
    testing::{
        sink_contract::{self, Arrival, SinkFixture},
        sinks::{self, BuiltinKind, BuiltinSink},
    },
};

struct Fixture<'a> {
    server: &'a MariaDbServer,
    config: SinksConfig,
    credentials: Credentials,
    poison: Option<(DataType, Value)>,
}

impl<'a> Fixture<'a> {
    fn new(server: &'a MariaDbServer) -> Self {
        let credentials = Credentials::none().with_password(MariaDbServer::PASSWORD);
        Self { server, config: SinksConfig::default(), credentials, poison: None }
    }

    fn with_layout(server: &'a MariaDbServer, layout: MysqlLayout) -> Self {
        let mut fixture = Self::new(server);
        fixture.config.mysql.layout = layout;
        fixture
    }

    /// A series of a device in the namespace `default`.
    fn series(&self, device: &str, property: &str, data_type: DataType) -> Arc<Series> {
        let property = Property::builder(property, data_type).unit("bar").push_methods(self.push_methods()).build();
        let device = Device::builder(device).property(property.clone()).build();
        let route = self.kind().routes(&device, &property).expect("a route").remove(0);
        sinks::series(&device, &property, route)
    }

    fn pressure(&self) -> Arc<Series> {
        self.series("boiler", "pressure", DataType::Double)
    }

    async fn open(&self) -> Result<BuiltinSink, SinkError> {
        let series = self.pressure();
        self.kind().open(series.target(), &self.credentials).await
    }

    /// The rows of a statement in the database, each joined to one text.
    async fn select(&self, statement: &str) -> Vec<String> {
        let rows = self.server.sql(&format!("USE {}; {statement}", MariaDbServer::DATABASE)).await;
        rows.into_iter().map(|row| row.join(" ")).collect()
    }
}

impl SinkFixture for Fixture<'_> {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        sinks::builtin("mysql", &self.config).expect("it is compiled")
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        let mut push = MysqlPush::default();
        push.addr = format!("127.0.0.1:{}", self.server.port());
        push.database = MariaDbServer::DATABASE.to_owned();
        push.user_name = MariaDbServer::USER.to_owned();
        vec![PushMethod::Mysql(push)]
    }

    fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    fn poison(&self) -> Option<(DataType, Value)> {
        self.poison.clone()
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        let (value, source) = match self.config.mysql.layout {
            MysqlLayout::Property => ("field", format!("`{device}/{}`", property.replace('`', "``"))),
            _ => {
                let (namespace, name, property) = (device.namespace(), device.name(), hex(property));
                let of = format!("namespace = '{namespace}' AND device = '{name}' AND property = {property}");
                ("value_text", format!("device_data WHERE {of}"))
            }
        };
        let time = "CAST(UNIX_TIMESTAMP(ts) * 1000 AS SIGNED)";
        let rows = self.select(&format!("SELECT {time}, HEX({value}) FROM {source} ORDER BY ts")).await;
        rows.iter().map(|row| arrival(row)).collect()
    }
}

fn hex(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CONVERT(X'{digits}' USING utf8mb4)")
}

fn arrival(row: &str) -> Arrival {
    let (time, digits) = row.split_once(' ').expect("two columns");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    let value = (0..digits.len()).step_by(2).map(byte).collect();
    Arrival { timestamp_ms: time.parse().expect("milliseconds"), value: String::from_utf8(value).expect("UTF-8") }
}

fn record(series: &Arc<Series>, value: impl Into<Value>, timestamp_ms: u64) -> Record {
    sinks::record(series, value, UNIX_EPOCH + Duration::from_millis(timestamp_ms))
}

#[tokio::test]
async fn the_single_table_passes_the_suite_with_a_value_that_the_server_refuses() {
    let options = MariaDbOptions { max_packet: 1 << 20, ..MariaDbOptions::default() };
    let Some(server) = MariaDbServer::start_with(options).await else { return };
    let mut fixture = Fixture::new(&server);
    fixture.poison = Some((DataType::String, Value::String("x".repeat(1 << 20))));
    sink_contract::check(&mut fixture).await;
}

#[tokio::test]
async fn a_table_for_each_property_passes_the_suite() {
    let Some(server) = MariaDbServer::start().await else { return };
    sink_contract::check(&mut Fixture::with_layout(&server, MysqlLayout::Property)).await;
}

#[tokio::test]
async fn the_suite_passes_over_tls_with_a_certificate_of_the_mapper() {
    let options = MariaDbOptions { tls: true, ..MariaDbOptions::default() };
    let Some(server) = MariaDbServer::start_with(options).await else { return };
    let mut fixture = Fixture::new(&server);
    assert!(fixture.open().await.is_err(), "the server insists on TLS");
    fixture.config.mysql.tls = true;
    let error = fixture.open().await.expect_err("nobody trusts the server").to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    fixture.config.tls.ca_file.clone_from(&server.certificate().cert_file);
    fixture.config.tls.cert_file.clone_from(&server.certificate().cert_file);
    let error = fixture.open().await.expect_err("half an identity").to_string();
    assert!(error.contains("sinks.tls.key_file"), "{error}");
    fixture.config.tls.key_file.clone_from(&server.certificate().key_file);
    sink_contract::check(&mut fixture).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it_and_the_right_one_opens() {
    let Some(server) = MariaDbServer::start().await else { return };
    let mut fixture = Fixture::new(&server);
    for credentials in [Credentials::none(), Credentials::none().with_password("hunter3")] {
        fixture.credentials = credentials;
        let error = fixture.open().await.expect_err("refused");
        assert!(error.is_misconfigured(), "{error:?}");
        let error = error.to_string();
        assert!(error.contains("Access denied") && error.contains("sinks.mysql.credentials"), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }
    fixture.credentials = Credentials::none().with_password(MariaDbServer::PASSWORD);
    fixture.open().await.expect("the right password").health().await.expect("healthy");
}

#[tokio::test]
async fn a_killed_server_is_noticed_at_once_and_the_next_connection_goes_on() {
    let Some(mut server) = MariaDbServer::start().await else { return };
    let series = Fixture::new(&server).pressure();
    let mut sink = Fixture::new(&server).open().await.expect("opened");
    assert_eq!(sink.write(&[record(&series, 1.5, 1_000)]).await.unwrap(), [Outcome::Accepted]);
    server.kill().await;

    let lost = [record(&series, 2.5, 2_000)];
    let error = sink.write(&lost).await.expect_err("nobody is there");
    assert!(error.is_disconnected(), "{error:?}");
    let error = Fixture::new(&server).open().await.expect_err("nobody is there");
    assert!(error.is_retryable() && error.to_string().contains("127.0.0.1"), "{error:?}");
    assert!(error.to_string().contains("refused"), "noticed, and not only waited for: {error}");

    server.restart().await;
    let fixture = Fixture::new(&server);
    let mut sink = fixture.open().await.expect("opened again");
    assert_eq!(sink.write(&lost).await.unwrap(), [Outcome::Accepted]);
    assert_eq!(fixture.select("SELECT value_text FROM device_data ORDER BY ts").await, ["1.5", "2.5"]);
}

#[tokio::test]
async fn numbers_can_be_computed_with_and_a_repeated_record_is_one_row() {
    let Some(server) = MariaDbServer::start().await else { return };
    let fixture = Fixture::new(&server);
    let of = |name: &str, data_type| fixture.series("boiler", name, data_type);
    let batch = [
        record(&fixture.pressure(), 2.5, 1_000),
        record(&of("level", DataType::Float), 0.1_f32, 1_000),
        record(&of("count", DataType::Int), 9_007_199_254_740_993_i64, 1_000),
        record(&of("open", DataType::Boolean), true, 1_000),
        record(&of("note", DataType::String), "7", 1_000),
    ];
    let mut sink = fixture.open().await.expect("opened");
    for _ in 0..2 {
        assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(5));
    }
    let rows = fixture
        .select(
            "SELECT property, ts, type, value_double, value_int, value_text, unit, quality FROM device_data ORDER BY property",
        )
        .await;
    assert_eq!(
        rows,
        [
            "count 1970-01-01 00:00:01.000 INT 9.007199254740992e15 9007199254740993 9007199254740993 bar good",
            "level 1970-01-01 00:00:01.000 FLOAT 0.1 NULL 0.1 bar good",
            "note 1970-01-01 00:00:01.000 STRING NULL NULL 7 bar good",
            "open 1970-01-01 00:00:01.000 BOOLEAN 1 1 true bar good",
            "pressure 1970-01-01 00:00:01.000 DOUBLE 2.5 NULL 2.5 bar good",
        ]
    );
    let sum = "SELECT SUM(value_double) FROM device_data WHERE property IN ('pressure', 'open')";
    assert_eq!(fixture.select(sum).await, ["3.5"]);
}

#[tokio::test]
async fn a_table_of_the_go_framework_is_written_and_read() {
    let Some(server) = MariaDbServer::start().await else { return };
    server
        .sql(
            "CREATE DATABASE plant; CREATE TABLE plant.`default/boiler/pressure` \
             (id INT AUTO_INCREMENT PRIMARY KEY, ts DATETIME NOT NULL, field TEXT); \
             INSERT INTO plant.`default/boiler/pressure` (ts, field) VALUES ('1970-01-01 00:00:01', '1.5')",
        )
        .await;
    let fixture = Fixture::with_layout(&server, MysqlLayout::Property);
    let series = fixture.pressure();
    let mut sink = fixture.open().await.expect("opened");
    assert_eq!(sink.write(&[record(&series, 2.5, 2_000)]).await.unwrap(), [Outcome::Accepted]);
    assert_eq!(
        fixture.select("SELECT * FROM `default/boiler/pressure`").await,
        ["1 1970-01-01 00:00:01 1.5", "2 1970-01-01 00:00:02 2.5"]
    );
    let query = sinks::query(vec![series], UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(60), 10);
    let points = sink.query(&query).await.expect("answered");
    let found: Vec<_> = points.iter().map(|point| (point.timestamp_ms, point.value.clone())).collect();
    assert_eq!(found, [(1_000, Value::Double(1.5)), (2_000, Value::Double(2.5))]);
}

#[tokio::test]
async fn names_that_are_no_names_of_tables_are_cut_and_their_histories_stay_apart() {
    let Some(server) = MariaDbServer::start().await else { return };
    let fixture = Fixture::with_layout(&server, MysqlLayout::Property);
    let long = "p".repeat(70);
    let names = [&long, &format!("{long}q"), "smile 😀", "frown 😡", "space ", &"水".repeat(50)];
    let all: Vec<_> = names.iter().map(|name| fixture.series("boiler", name, DataType::Int)).collect();
    let batch: Vec<_> = (0..).zip(&all).map(|(number, series)| record(series, number, 1_000)).collect();
    let mut sink = fixture.open().await.expect("opened");
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(names.len()));
    assert_eq!(fixture.select("SHOW TABLES").await.len(), names.len());
    for (number, series) in (0_i64..).zip(all) {
        let query = sinks::query(vec![Arc::clone(&series)], UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(60), 10);
        let points = sink.query(&query).await.expect("answered");
        assert_eq!(points.len(), 1, "{}", series.property());
        assert_eq!(points[0].value, Value::Int(number), "{}", series.property());
    }
}

#[tokio::test]
async fn what_does_not_fit_is_rejected_and_nothing_of_the_batch_is_written() {
    let Some(server) = MariaDbServer::start().await else { return };
    let fixture = Fixture::new(&server);
    let good = record(&fixture.pressure(), 1.5, 1_000);
    let mut batch: Vec<_> = (1..=4).map(|second| record(&fixture.pressure(), 1.5, second * 1_000)).collect();
    // After four rows, which are a statement of their own.
    batch.push(record(&fixture.series("boiler", &"p".repeat(300), DataType::Int), 1, 1_000));
    let mut sink = fixture.open().await.expect("opened");
    let error = sink.write(&batch).await.expect_err("the name is too long");
    assert!(error.is_refused() && error.to_string().contains("'property'"), "{error:?}");
    assert_eq!(fixture.select("SELECT COUNT(*) FROM device_data").await, ["0"]);
    assert_eq!(sink.write(&[good]).await.unwrap(), [Outcome::Accepted]);
    assert_eq!(fixture.select("SELECT COUNT(*) FROM device_data").await, ["1"]);
}

#[tokio::test]
async fn a_server_that_takes_nothing_for_now_is_asked_again() {
    let Some(server) = MariaDbServer::start().await else { return };
    let fixture = Fixture::new(&server);
    let batch = [record(&fixture.pressure(), 1.5, 1_000)];
    let mut sink = fixture.open().await.expect("opened");
    server.sql("SET GLOBAL read_only = 1").await;
    let error = sink.write(&batch).await.expect_err("nothing is taken");
    assert!(error.is_misconfigured() && error.to_string().contains("the primary server"), "{error:?}");
    server.sql("SET GLOBAL read_only = 0").await;
    assert_eq!(sink.write(&batch).await.unwrap(), [Outcome::Accepted]);
}

#[tokio::test]
async fn a_table_that_is_dropped_is_made_again() {
    let Some(server) = MariaDbServer::start().await else { return };
    let fixture = Fixture::new(&server);
    let batch = [record(&fixture.pressure(), 1.5, 1_000)];
    let mut sink = fixture.open().await.expect("opened");
    for _ in 0..2 {
        assert_eq!(sink.write(&batch).await.unwrap(), [Outcome::Accepted]);
        fixture.select("DROP TABLE device_data").await;
    }
    assert_eq!(sink.write(&batch).await.unwrap(), [Outcome::Accepted]);
    assert_eq!(fixture.select("SELECT value_text FROM device_data").await, ["1.5"]);
}

#[tokio::test]
async fn a_user_who_may_not_make_the_database_is_told_and_needs_only_to_write_once_it_is_there() {
    let Some(server) = MariaDbServer::start().await else { return };
    let fixture = Fixture::new(&server);
    server.sql("REVOKE ALL ON plant.* FROM mapper@127.0.0.1").await;
    let error = fixture.open().await.expect_err("refused");
    assert!(error.is_retryable() && error.to_string().contains("grant the user"), "{error:?}");

    server.sql("CREATE DATABASE plant; GRANT INSERT, UPDATE, SELECT ON plant.* TO mapper@127.0.0.1").await;
    let batch = [record(&fixture.pressure(), 1.5, 1_000)];
    let mut sink = fixture.open().await.expect("opened");
    let error = sink.write(&batch).await.expect_err("no table, and it cannot be made");
    assert!(error.is_retryable() && error.to_string().contains("CREATE"), "{error:?}");

    server.sql("GRANT CREATE ON plant.* TO mapper@127.0.0.1").await;
    fixture.open().await.expect("opened").write(&batch).await.expect("made");
    server.sql("REVOKE CREATE ON plant.* FROM mapper@127.0.0.1").await;
    let written = fixture.open().await.expect("opened").write(&batch).await.expect("written");
    assert_eq!(written, [Outcome::Accepted]);
}
