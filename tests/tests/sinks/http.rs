//! The sink `http` against a web server.

use std::time::Duration;

use integration_tests::servers::{Answer, Certificate, Received, Receiver, ReceiverTls};
use mapper_framework::{
    config::{HttpFormat, SinksConfig},
    model::{DataType, DeviceId, HttpPush, PushMethod, Value},
    sink::{Credentials, Outcome, Sink},
    testing::{
        sink_contract::{self, Arrival, SinkFixture},
        sinks::BuiltinKind,
    },
};
use serde_json::Value as Json;

use super::web::Bench;

fn push(host_name: &str, port: u16) -> HttpPush {
    let mut push = HttpPush::default();
    host_name.clone_into(&mut push.host_name);
    push.port = port;
    "/ingest".clone_into(&mut push.request_path);
    push
}

fn config(format: HttpFormat) -> SinksConfig {
    let mut config = SinksConfig::default();
    config.http.format = format;
    config
}

fn bench(receiver: &Receiver, format: HttpFormat) -> Bench {
    Bench::new(PushMethod::Http(push("127.0.0.1", receiver.port())), &config(format))
}

/// A server that refuses what holds the word poison, as the suite's target.
struct Fixture {
    receiver: Receiver,
    format: HttpFormat,
    /// Forms name no device, so that it is told by when they came: the suite's devices send one after the other.
    window: Window,
}

/// What has come from the device that was asked for last.
struct Window {
    device: DeviceId,
    begin: usize,
    end: usize,
}

/// What the suite's target refuses.
fn is_poisoned(request: &Received) -> bool {
    request.text().contains("\"poison\"") || request.text().contains("=poison&")
}

impl Fixture {
    async fn new(format: HttpFormat) -> Self {
        let receiver = Receiver::start(|request| Answer::status(if is_poisoned(request) { 422 } else { 204 })).await;
        Self { receiver, format, window: Window { device: DeviceId::new("", ""), begin: 0, end: 0 } }
    }
}

impl SinkFixture for Fixture {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        bench(&self.receiver, self.format).kind
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        vec![PushMethod::Http(push("http://127.0.0.1", self.receiver.port()))]
    }

    fn poison(&self) -> Option<(DataType, Value)> {
        Some((DataType::String, Value::from("poison")))
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        let all = self.receiver.received();
        let taken = all.iter().filter(|request| !is_poisoned(request));
        if self.format != HttpFormat::Form {
            let documents = taken.flat_map(documents);
            return documents.filter_map(|document| from_document(&document, device, property)).collect();
        }
        let window = &mut self.window;
        if window.device != *device {
            *window = Window { device: device.clone(), begin: window.end, end: 0 };
        }
        let forms: Vec<_> = taken.collect();
        window.end = forms.len();
        forms[window.begin..].iter().filter_map(|request| from_form(request, property)).collect()
    }
}

fn documents(request: &Received) -> Vec<Json> {
    match request.header("content-type") {
        Some("application/json") => serde_json::from_str(request.text()).expect("an array"),
        Some("application/x-ndjson") => {
            request.text().lines().map(|line| serde_json::from_str(line).expect("a document on each line")).collect()
        }
        other => panic!("unknown content: {other:?}"),
    }
}

fn from_document(document: &Json, device: &DeviceId, property: &str) -> Option<Arrival> {
    let is_it = document["namespace"] == device.namespace()
        && document["device"] == device.name()
        && document["property"] == property;
    let value = match &document["value"] {
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_f64() => number.as_f64()?.to_string(),
        other => other.to_string(),
    };
    is_it.then_some(Arrival { timestamp_ms: document["timestamp"].as_i64()?, value })
}

fn from_form(request: &Received, property: &str) -> Option<Arrival> {
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    let pairs: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
    let [(name, value), (time, timestamp)] = &pairs[..] else { panic!("two pairs make a form: {pairs:?}") };
    assert_eq!(time, "time");
    let time = humantime_serde::re::humantime::parse_rfc3339(timestamp).expect("a time");
    let since = time.duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let timestamp_ms = i64::try_from(since.as_millis()).expect("in this age");
    (name == property).then(|| Arrival { timestamp_ms, value: value.clone() })
}

#[tokio::test]
async fn batches_as_ndjson_pass_the_suite() {
    sink_contract::check(&mut Fixture::new(HttpFormat::Ndjson).await).await;
}

#[tokio::test]
async fn batches_as_an_array_pass_the_suite() {
    sink_contract::check(&mut Fixture::new(HttpFormat::Array).await).await;
}

#[tokio::test]
async fn forms_pass_the_suite() {
    sink_contract::check(&mut Fixture::new(HttpFormat::Form).await).await;
}

#[tokio::test]
async fn a_server_that_is_asked_too_much_is_asked_again_after_the_pause_it_wants() {
    let in_a_minute = httpdate_in(Duration::from_secs(60));
    let receiver = Receiver::script([
        Answer::status(429).header("retry-after", "7").body("slow down"),
        Answer::status(503).header("retry-after", in_a_minute),
        Answer::status(500),
    ])
    .await;
    let bench = bench(&receiver, HttpFormat::Ndjson);
    let (mut sink, batch) = (bench.open().await, bench.records(3));

    let error = sink.write(&batch).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().ends_with("slow down"), "{error}");
    assert_eq!(error.pause(), Some(Duration::from_secs(7)));

    let pause = sink.write(&batch).await.unwrap_err().pause().expect("a date is a pause");
    assert!((Duration::from_secs(1)..=Duration::from_secs(60)).contains(&pause), "{pause:?}");

    let error = sink.write(&batch).await.unwrap_err();
    assert!(error.is_retryable() && error.pause().is_none(), "{error}");

    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(3));
}

#[tokio::test]
async fn a_wrong_address_waits_for_its_cure_and_costs_one_request() {
    let receiver = Receiver::script([Answer::status(404).body("no such page"), Answer::status(405)]).await;
    let bench = bench(&receiver, HttpFormat::Ndjson);
    let (mut sink, batch) = (bench.open().await, bench.records(3));
    for part in ["no such page", "405"] {
        let error = sink.write(&batch).await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(part), "{error}");
    }
    assert_eq!(receiver.received().len(), 2, "no batch was split");
}

#[tokio::test]
async fn a_redirection_is_not_followed_but_told_and_the_batch_comes_again() {
    let elsewhere = Answer::status(308).header("location", "https://elsewhere.example/ingest");
    let receiver = Receiver::script([elsewhere, Answer::status(204)]).await;
    let bench = bench(&receiver, HttpFormat::Ndjson);
    let (mut sink, batch) = (bench.open().await, bench.records(3));
    let error = sink.write(&batch).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("https://elsewhere.example/ingest"), "{error}");
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(3));
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_to_be_split() {
    let receiver = Receiver::script([Answer::status(413)]).await;
    let bench = bench(&receiver, HttpFormat::Array);
    let error = bench.open().await.write(&bench.records(3)).await.unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("413"), "{error}");
}

#[tokio::test]
async fn a_slow_server_is_waited_for_and_one_that_hangs_is_not() {
    let receiver = Receiver::script([Answer::status(204).after(Duration::from_millis(300)), Answer::never()]).await;
    let mut push = push("127.0.0.1", receiver.port());
    push.timeout = Some(Duration::from_millis(3_000));
    let bench = Bench::new(PushMethod::Http(push), &SinksConfig::default());
    let (mut sink, batch) = (bench.open().await, bench.records(1));
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(1));
    let error = sink.write(&batch).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("in time"), "{error}");
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(1), "the next request has another connection");
}

#[tokio::test]
async fn a_server_that_hangs_does_not_outlast_the_deadline_of_the_framework() {
    let receiver = Receiver::script([Answer::status(200), Answer::never(), Answer::never()]).await;
    let mut config = config(HttpFormat::Form);
    config.write_timeout = Duration::from_secs(4);
    let mut push = push("127.0.0.1", receiver.port());
    push.timeout = Some(Duration::from_secs(3_600));
    let bench = Bench::new(PushMethod::Http(push), &config);
    let mut sink = bench.open().await;
    let written = tokio::time::timeout(config.write_timeout, sink.write(&bench.records(3))).await;
    let outcomes = written.expect("the sink is done before the framework gives it up").unwrap();
    assert_eq!(outcomes, Outcome::accepted(1), "what was accepted is not sent again");
}

#[tokio::test]
async fn forms_stop_at_the_first_that_has_to_wait_and_go_on_with_it() {
    let receiver = Receiver::script([200, 503, 503, 400].map(Answer::status)).await;
    let bench = bench(&receiver, HttpFormat::Form);
    let (mut sink, batch) = (bench.open().await, bench.records(4));
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(1));
    assert!(sink.write(&batch[1..]).await.unwrap_err().is_retryable());
    let outcomes = sink.write(&batch[1..]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Refused(_), Outcome::Accepted, Outcome::Accepted]), "{outcomes:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_a_lost_connection() {
    let receiver = Receiver::script([]).await;
    let bench = bench(&receiver, HttpFormat::Ndjson);
    receiver.stop().await;
    let error = bench.open().await.write(&bench.records(1)).await.unwrap_err();
    assert!(error.is_disconnected() && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn credentials_and_headers_go_with_each_request_and_a_wrong_token_costs_no_record() {
    let receiver = Receiver::start(|request| match request.header("authorization") {
        Some("Bearer right") => Answer::status(200),
        _ => Answer::status(401).body("who are you?"),
    })
    .await;
    let mut config = config(HttpFormat::Ndjson);
    config.http.headers = "X-Plant: north".to_owned();
    let bench = Bench::new(PushMethod::Http(push("127.0.0.1", receiver.port())), &config);
    let batch = bench.records(2);
    let error = bench.open_as(&Credentials::none().with_token("wrong")).await.write(&batch).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("sinks.http.credentials"), "{error}");
    assert!(!error.to_string().contains("wrong"), "{error}");
    let basic = Credentials::none().with_username("plant").with_password("hunter2");
    assert!(bench.open_as(&basic).await.write(&batch).await.is_err());
    let outcomes = bench.open_as(&basic.with_token("right")).await.write(&batch).await.unwrap();
    assert_eq!(outcomes, Outcome::accepted(2));
    let received = receiver.received();
    let headers: Vec<_> = received.iter().map(|request| request.header("authorization").unwrap_or_default()).collect();
    assert_eq!(headers, ["Bearer wrong", "Basic cGxhbnQ6aHVudGVyMg==", "Bearer right"]);
    assert!(received.iter().all(|request| request.header("x-plant") == Some("north")));
    assert!(received.iter().all(|request| request.method == "POST" && request.target == "/ingest"));
}

#[tokio::test]
async fn a_token_that_fits_in_no_header_is_not_shown() {
    let receiver = Receiver::script([]).await;
    let bench = bench(&receiver, HttpFormat::Ndjson);
    let opened = bench.try_open(&Credentials::none().with_token("hunter2\n")).await;
    let error = opened.expect_err("refused").to_string();
    assert!(error.contains("line break") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn tls_trusts_the_authority_of_the_config_and_shows_the_certificate_that_the_server_asks_for() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let [server, client] = [Certificate::make(folders[0].path()), Certificate::make(folders[1].path())];
    let tls = ReceiverTls { certificate: &server, client: Some(&client) };
    let receiver = Receiver::start_tls(tls, |_| Answer::status(200)).await;
    let push = PushMethod::Http(push("https://localhost", receiver.port()));
    let mut config = SinksConfig::default();

    let bench = Bench::new(push.clone(), &config);
    let error = bench.open().await.write(&bench.records(1)).await.unwrap_err();
    assert!(error.is_disconnected() && error.to_string().contains("certificate"), "{error}");

    server.cert_file.clone_into(&mut config.tls.ca_file);
    let bench = Bench::new(push.clone(), &config);
    let error = bench.open().await.write(&bench.records(1)).await.unwrap_err();
    assert!(error.is_disconnected(), "the server asks for a certificate: {error}");

    client.cert_file.clone_into(&mut config.tls.cert_file);
    client.key_file.clone_into(&mut config.tls.key_file);
    let bench = Bench::new(push, &config);
    let outcomes = bench.open().await.write(&bench.records(1)).await.unwrap();
    assert_eq!(outcomes, Outcome::accepted(1));
}

/// A date in a header, this long from now.
fn httpdate_in(pause: Duration) -> String {
    httpdate::fmt_http_date(std::time::SystemTime::now() + pause)
}
