//! The sink `redis`, with a client of the tests' own that reads what has been written.

mod cluster;
mod sentinel;
mod settings;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use integration_tests::servers::{RedisOptions, RedisServer};
use mapper_framework::{
    Device, Property,
    config::SinksConfig,
    model::{DataType, DeviceId, PushMethod, RedisPush, Value},
    sink::{Credentials, Outcome, Record, Series, Sink, SinkError, SinkKind},
    testing::{
        sink_contract::{self, Arrival, SinkFixture},
        sinks::{self, BuiltinKind, BuiltinSink},
    },
};
use serde_json::Value as Json;

const PASSWORD: &str = "hunter2";

struct Fixture<'a> {
    server: &'a RedisServer,
    config: SinksConfig,
    address: String,
    credentials: Credentials,
}

impl<'a> Fixture<'a> {
    fn new(server: &'a RedisServer) -> Self {
        let address = format!("127.0.0.1:{}", server.port());
        Self { server, config: SinksConfig::default(), address, credentials: Credentials::none() }
    }

    /// A series of a device in the namespace `default`.
    fn series(&self, device: &str, property: &str) -> Arc<Series> {
        let property = Property::builder(property, DataType::Int).push_methods(self.push_methods()).build();
        let device = Device::builder(device).property(property.clone()).build();
        let route = self.kind().routes(&device, &property).expect("a route").remove(0);
        sinks::series(&device, &property, route)
    }

    async fn open(&self) -> Result<BuiltinSink, SinkError> {
        let series = self.series("any", "any");
        self.kind().open(series.target(), &self.credentials).await
    }

    fn in_sorted_set(&self, key: &str) -> Vec<Json> {
        documents(&self.server.command(&["ZRANGE", key, "0", "-1"]).texts())
    }

    fn in_stream(&self, device: &DeviceId) -> Vec<Json> {
        let entries = self.server.command(&["XRANGE", &format!("{device}/stream"), "-", "+"]).list();
        let payload = |entry: integration_tests::servers::Reply| {
            let fields = entry.list().remove(1).texts();
            assert_eq!((fields.len(), fields[0].as_str()), (2, "payload"));
            fields[1].clone()
        };
        documents(&entries.into_iter().map(payload).collect::<Vec<_>>())
    }
}

impl SinkFixture for Fixture<'_> {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        sinks::builtin("redis", &self.config).expect("it is compiled")
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        let mut push = RedisPush::default();
        push.addr.clone_from(&self.address);
        push.db = 0;
        vec![PushMethod::Redis(push)]
    }

    fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        if self.config.redis.stream {
            let of_property = |document: &Json| document["property"] == property;
            self.in_stream(device).iter().filter(|it| of_property(it)).map(from_document).collect()
        } else {
            let of_property = |document: &Json| document["PropertyName"] == property;
            self.in_sorted_set(device.name()).iter().filter(|it| of_property(it)).map(from_go_document).collect()
        }
    }
}

fn documents(texts: &[String]) -> Vec<Json> {
    texts.iter().map(|text| serde_json::from_str(text).expect("a document")).collect()
}

fn from_go_document(document: &Json) -> Arrival {
    let value = document["Value"].as_str().expect("text").to_owned();
    Arrival { timestamp_ms: document["TimeStamp"].as_i64().expect("milliseconds"), value }
}

fn from_document(document: &Json) -> Arrival {
    let value = match &document["value"] {
        Json::String(text) => text.clone(),
        Json::Number(number) if document["type"] != "INT" => number.as_f64().expect("a float").to_string(),
        other => other.to_string(),
    };
    Arrival { timestamp_ms: document["timestamp"].as_i64().expect("milliseconds"), value }
}

fn record(series: &Arc<Series>, value: i64, timestamp_ms: u64) -> Record {
    sinks::record(series, value, UNIX_EPOCH + Duration::from_millis(timestamp_ms))
}

fn values(documents: &[Json]) -> Vec<&str> {
    documents.iter().map(|document| document["Value"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn sorted_sets_pass_the_suite() {
    let Some(server) = RedisServer::start().await else { return };
    sink_contract::check(&mut Fixture::new(&server)).await;
}

#[tokio::test]
async fn streams_and_last_values_beside_sorted_sets_pass_the_suite() {
    let Some(server) = RedisServer::start().await else { return };
    let mut fixture = Fixture::new(&server);
    fixture.config.redis.stream = true;
    fixture.config.redis.last_value = true;
    sink_contract::check(&mut fixture).await;
}

#[tokio::test]
async fn an_acl_user_passes_the_suite_over_tls_with_a_certificate_of_the_mapper() {
    let options = RedisOptions { password: Some(PASSWORD), tls: true, ..RedisOptions::default() };
    let Some(server) = RedisServer::start_with(options).await else { return };
    let mut fixture = Fixture::new(&server);
    fixture.address = format!("rediss://localhost:{}", server.tls_port());
    fixture.credentials = Credentials::none().with_username(RedisServer::USER).with_password(PASSWORD);
    let error = fixture.open().await.expect_err("nobody trusts the server").to_string();
    assert!(error.contains("UnknownIssuer") && error.contains("sinks.tls.ca_file"), "{error}");
    fixture.config.tls.ca_file.clone_from(&server.certificate().cert_file);
    fixture.config.tls.cert_file.clone_from(&server.certificate().cert_file);
    fixture.config.tls.key_file.clone_from(&server.certificate().key_file);
    sink_contract::check(&mut fixture).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it_and_the_right_one_opens() {
    let options = RedisOptions { password: Some(PASSWORD), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_with(options).await else { return };
    let mut fixture = Fixture::new(&server);
    for (credentials, code) in
        [(Credentials::none(), "NOAUTH"), (Credentials::none().with_password("hunter3"), "WRONGPASS")]
    {
        fixture.credentials = credentials;
        let error = fixture.open().await.expect_err("refused");
        assert!(error.is_misconfigured(), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(code) && error.contains("sinks.redis.credentials"), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }
    fixture.credentials = Credentials::none().with_password(PASSWORD);
    fixture.open().await.expect("the right password").health().await.expect("healthy");
}

#[tokio::test]
async fn a_killed_server_is_noticed_at_once_and_the_next_connection_goes_on() {
    let Some(mut server) = RedisServer::start().await else { return };
    let series = Fixture::new(&server).series("boiler", "pressure");
    let mut sink = Fixture::new(&server).open().await.expect("opened");
    assert_eq!(sink.write(&[record(&series, 1, 1_000)]).await.unwrap(), [Outcome::Accepted]);
    server.kill().await;

    let lost = [record(&series, 2, 2_000)];
    let error = sink.write(&lost).await.expect_err("nobody is there");
    assert!(error.is_disconnected(), "{error:?}");
    let error = Fixture::new(&server).open().await.expect_err("nobody is there");
    assert!(error.is_retryable() && error.to_string().contains("127.0.0.1"), "{error:?}");
    assert!(error.to_string().contains("refused"), "noticed, and not only waited for: {error}");

    server.restart().await;
    let fixture = Fixture::new(&server);
    let mut sink = fixture.open().await.expect("opened again");
    assert_eq!(sink.write(&lost).await.unwrap(), [Outcome::Accepted]);
    assert_eq!(values(&fixture.in_sorted_set("boiler")), ["1", "2"]);
}

#[tokio::test]
async fn a_key_of_another_type_costs_only_the_records_of_its_device() {
    let Some(server) = RedisServer::start().await else { return };
    let fixture = Fixture::new(&server);
    server.command(&["SET", "taken", "by somebody"]);
    let (good, bad) = (fixture.series("boiler", "pressure"), fixture.series("taken", "pressure"));
    let batch = [record(&good, 1, 1_000), record(&bad, 2, 2_000), record(&good, 3, 3_000)];
    let mut sink = fixture.open().await.expect("opened");
    let outcomes = sink.write(&batch).await.unwrap();
    assert_eq!([&outcomes[0], &outcomes[2]], [&Outcome::Accepted; 2]);
    assert!(
        matches!(&outcomes[1], Outcome::Refused(why) if why.contains("taken: WRONGTYPE") && why.contains("rename")),
        "{outcomes:?}"
    );
    assert_eq!(values(&fixture.in_sorted_set("boiler")), ["1", "3"]);
}

#[tokio::test]
async fn a_server_that_takes_nothing_for_now_is_asked_again() {
    let Some(server) = RedisServer::start().await else { return };
    let fixture = Fixture::new(&server);
    let series = fixture.series("boiler", "pressure");
    let mut sink = fixture.open().await.expect("opened");
    for (number, (close, open, reason)) in (1..).zip([
        (["REPLICAOF", "127.0.0.1", "1"].as_slice(), ["REPLICAOF", "NO", "ONE"].as_slice(), "READONLY"),
        (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"], "OOM"),
    ]) {
        let batch = [record(&series, number, 1_000)];
        server.command(close);
        let error = sink.write(&batch).await.expect_err("nothing is taken");
        assert!(error.is_retryable() && !error.is_misconfigured() && !error.is_refused(), "{error:?}");
        assert_eq!(
            error.is_disconnected(),
            reason == "READONLY",
            "another connection may lead to the master: {error:?}"
        );
        assert!(error.to_string().contains(reason), "{error}");
        server.command(open);
        assert_eq!(sink.write(&batch).await.unwrap(), [Outcome::Accepted]);
    }
    assert_eq!(values(&fixture.in_sorted_set("boiler")), ["1", "2"]);
}

#[tokio::test]
async fn a_sorted_set_keeps_the_newest_and_all_keys_expire() {
    let Some(server) = RedisServer::start().await else { return };
    let mut fixture = Fixture::new(&server);
    fixture.config.redis.max_length = 3;
    fixture.config.redis.ttl = Duration::from_secs(600);
    fixture.config.redis.stream = true;
    fixture.config.redis.last_value = true;
    let series = fixture.series("boiler", "pressure");
    let batch: Vec<_> = (1..=10).map(|n| record(&series, n, n.unsigned_abs() * 1_000)).collect();
    let mut sink = fixture.open().await.expect("opened");
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(10));
    assert_eq!(values(&fixture.in_sorted_set("boiler")), ["8", "9", "10"]);
    for key in ["boiler", "default/boiler/stream", "default/boiler/last"] {
        let left: u64 = server.command(&["TTL", key]).text().parse().expect("the key expires");
        assert!((500..=600).contains(&left), "{key}: {left} s");
    }
}

#[tokio::test]
async fn a_stream_stays_near_its_bound() {
    let Some(server) = RedisServer::start().await else { return };
    let mut fixture = Fixture::new(&server);
    fixture.config.redis.max_length = 100;
    fixture.config.redis.stream = true;
    let series = fixture.series("boiler", "pressure");
    let batch: Vec<_> = (1..=1_000).map(|n| record(&series, n, n.unsigned_abs())).collect();
    fixture.open().await.expect("opened").write(&batch).await.unwrap();
    let length = fixture.in_stream(&DeviceId::new("default", "boiler")).len();
    assert!((100..=200).contains(&length), "{length} entries");
}

#[tokio::test]
async fn an_older_record_does_not_replace_the_last_value() {
    let Some(server) = RedisServer::start().await else { return };
    let mut fixture = Fixture::new(&server);
    fixture.config.redis.last_value = true;
    let (pressure, level) = (fixture.series("boiler", "pressure"), fixture.series("boiler", "level"));
    let mut sink = fixture.open().await.expect("opened");
    for batch in [
        [record(&pressure, 1, 1_000), record(&level, 10, 1_000)],
        [record(&pressure, 3, 3_000), record(&level, 30, 3_000)],
        [record(&pressure, 2, 2_000), record(&level, 40, 4_000)],
    ] {
        assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(2));
    }
    let last = |property: &str| {
        let document = server.command(&["HGET", "default/boiler/last", property]).text();
        from_document(&serde_json::from_str(&document).expect("a document"))
    };
    assert_eq!(last("pressure"), Arrival { timestamp_ms: 3_000, value: "3".to_owned() });
    assert_eq!(last("level"), Arrival { timestamp_ms: 4_000, value: "40".to_owned() });
}

#[tokio::test]
async fn the_history_tells_namespaces_apart_and_goes_through_many_pages() {
    let Some(server) = RedisServer::start().await else { return };
    let fixture = Fixture::new(&server);
    let (many, few) = (fixture.series("boiler", "many"), fixture.series("boiler", "few"));
    let foreign =
        r#"{"DeviceName":"boiler","PropertyName":"few","Namespace":"plant","Value":"7","Type":"INT","TimeStamp":5}"#;
    server.command(&["ZADD", "boiler", "5", foreign]);
    let mut sink = fixture.open().await.expect("opened");
    let mut batch = vec![record(&few, 1, 10)];
    batch.extend((0..2_500).map(|n| record(&many, n, 20 + n.unsigned_abs())));
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(batch.len()));
    let to = UNIX_EPOCH + Duration::from_secs(60);
    let points = sink.query(&sinks::query(vec![few], UNIX_EPOCH, to, 10)).await.expect("answered");
    let found: Vec<_> = points.iter().map(|point| (point.timestamp_ms, point.value.clone())).collect();
    assert_eq!(found, [(10, Value::Int(1))]);
    let points = sink.query(&sinks::query(vec![many], UNIX_EPOCH, to, 2_000)).await.expect("answered");
    let (first, last) = (points.first().expect("points"), points.last().expect("points"));
    assert_eq!((points.len(), first.timestamp_ms, last.timestamp_ms), (2_000, 520, 2_519));
}

#[tokio::test]
async fn without_sorted_sets_there_is_no_history_and_it_says_what_to_set() {
    let Some(server) = RedisServer::start().await else { return };
    let mut fixture = Fixture::new(&server);
    fixture.config.redis.sorted_set = false;
    fixture.config.redis.stream = true;
    let series = fixture.series("boiler", "pressure");
    let query = sinks::query(vec![series], UNIX_EPOCH, UNIX_EPOCH, 1);
    let error = fixture.open().await.expect("opened").query(&query).await.expect_err("there is none");
    assert!(error.is_unsupported() && error.to_string().contains("sinks.redis.sorted_set"), "{error:?}");
}
