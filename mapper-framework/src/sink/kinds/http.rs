//! `http`: POSTs samples to a web server.
//!
//! # Wire
//!
//! One URL for each `pushMethod.http`: `hostName`, with or without `http://` or `https://`, then `port`, then `requestPath`. What a
//! request holds is `sinks.http.format`:
//!
//! | format | a request holds | `Content-Type` |
//! | --- | --- | --- |
//! | `ndjson` | a batch, one [document](crate::sink#payload) on each line | `application/x-ndjson` |
//! | `array` | a batch, one JSON array of documents | `application/json` |
//! | `form` | one sample, `<property>=<value>&time=<time>`, as the Go framework sends it | `application/x-www-form-urlencoded` |
//!
//! The time in a form is RFC 3339 in UTC, such as `2023-11-14T22:13:20.123Z`, where the Go framework writes the local time without
//! saying which. A form names no device: give each device a `requestPath` of its own. The first of its pairs is the value, even of
//! a property that is named `time`. Forms go one after the other, so the server's answering time bounds how many samples a second
//! there can be; take a batch where there is a choice.
//!
//! What each answer means is the table "Answers of http, otel, influxdb2" of docs/sinks.md, which `web/fault.rs` knows. A redirection is not
//! followed.
//!
//! The manifest's `timeout` is the deadline of a request, as far as it is shorter than `sinks.write_timeout`.
//!
//! # Config
//!
//! | key | what |
//! | --- | --- |
//! | `sinks.http.format` | `ndjson`, `array` or `form` |
//! | `sinks.http.gzip` | whether bodies are compressed by gzip |
//! | `sinks.http.headers` | more headers, one `Name: value` on each line, but none with a credential |
//! | `sinks.http.credentials` | a folder with `token`, which is sent as `Bearer`, or `username` and `password`, which are sent as `Basic` |
//! | `sinks.tls` | certificates for `https://` |
//!
//! Over `http://` a credential goes to another machine only where `plaintext` says so.

mod frames;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use humantime_serde::re::humantime::format_rfc3339_millis;
use reqwest::{
    Client, RequestBuilder, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize};

use crate::{
    config::{HttpFormat, SinksConfig},
    model::{Address, Device, HttpPush, Property, PushMethod, Secret},
};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target, web,
};

pub(super) use frames::HttpFrames;

const NAME: &str = "http";
const HOST: &str = "pushMethod.http.hostName";

/// The kind of sink for `pushMethod.http`.
pub(super) struct Http {
    format: HttpFormat,
    /// The headers of the config, or why they cannot be used.
    headers: Result<HeaderMap, RouteError>,
    encoding: web::Encoding,
    access: Arc<Access>,
    /// The deadline of a request: shorter than the framework's, so that what has been accepted by then is not sent again.
    deadline: Duration,
}

/// What a connection depends on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct HttpTarget {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

impl Http {
    pub(super) fn new(config: &SinksConfig, access: &Arc<Access>) -> Self {
        Self {
            format: config.http.format,
            headers: web::parse_headers(NAME, &config.http.headers),
            encoding: web::Encoding::new(config.http.gzip),
            access: Arc::clone(access),
            deadline: config.write_timeout * 9 / 10,
        }
    }
}

impl SinkKind for Http {
    type Sink = HttpSink;

    fn name(&self) -> &str {
        NAME
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Http(push) => Some(push),
            _ => None,
        });
        let to_route = |push: &HttpPush| {
            self.headers.as_ref().map_err(Clone::clone)?;
            let timeout_ms = push.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
            Ok(Route::to(Target::new(NAME, &HttpTarget { url: url(push)?, timeout_ms })))
        };
        pushes.map(to_route).collect()
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        web::endpoint(&Url::parse(&target.settings::<HttpTarget>().ok()?.url).ok()?, HOST)
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<HttpSink, SinkError> {
        let settings: HttpTarget = target.settings()?;
        let mut headers = self.headers.clone().map_err(SinkError::failed)?;
        if let Some(authorization) = authorization(credentials)? {
            headers.insert(AUTHORIZATION, authorization);
        }
        let deadline = settings.timeout_ms.map_or(self.deadline, |ms| self.deadline.min(Duration::from_millis(ms)));
        let url = Url::parse(&settings.url).map_err(|error| SinkError::failed(format_args!("the URL: {error}")))?;
        let client = self.access.client(NAME, self.endpoint(target).as_ref())?;
        let (format, encoding) = (self.format, self.encoding);
        Ok(HttpSink { client, url, headers, format, encoding, deadline, call: self.deadline })
    }
}

/// An address to post to. There is nothing to connect to beforehand, and no question that every web server answers without harm, so
/// that the first write shows whether it is there.
pub(super) struct HttpSink {
    client: Client,
    url: Url,
    headers: HeaderMap,
    format: HttpFormat,
    encoding: web::Encoding,
    /// Of one request.
    deadline: Duration,
    /// Of one call of `write`.
    call: Duration,
}

impl Sink for HttpSink {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        match self.format {
            HttpFormat::Ndjson => self.write_batch("application/x-ndjson", ndjson(batch), batch.len()).await,
            HttpFormat::Array => self.write_batch("application/json", array(batch), batch.len()).await,
            HttpFormat::Form => self.write_forms(batch).await,
        }
    }
}

impl HttpSink {
    async fn write_batch(
        &self,
        content_type: &'static str,
        body: Vec<u8>,
        records: usize,
    ) -> Result<Vec<Outcome>, SinkError> {
        match self.post(content_type, body, self.deadline).await? {
            Ok(()) => Ok(Outcome::accepted(records)),
            Err(refusal) => Err(refusal.into_error(NAME)),
        }
    }

    /// Posts the records one by one, until one has to wait or half the time is over: what has been accepted by then counts, and the
    /// rest comes again.
    async fn write_forms(&self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let begin = Instant::now();
        let mut outcomes = Vec::with_capacity(batch.len());
        for record in batch {
            if begin.elapsed() > self.call / 2 {
                break;
            }
            let left = self.call.saturating_sub(begin.elapsed());
            match self.write_form(record, left.min(self.deadline)).await {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) if outcomes.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(outcomes)
    }

    async fn write_form(&self, record: &Record, deadline: Duration) -> Result<Outcome, SinkError> {
        let Some(form) = form(record) else {
            let reason = "its time lies outside of the years 1970 to 9999, so that a form has no way to write it";
            return Ok(Outcome::rejected(reason));
        };
        match self.post("application/x-www-form-urlencoded", form.into_bytes(), deadline).await? {
            Ok(()) => Ok(Outcome::Accepted),
            Err(refusal) if refusal.fault() == web::Fault::Content => Ok(Outcome::refused(refusal)),
            Err(refusal) => Err(refusal.into_error(NAME)),
        }
    }

    async fn post(
        &self,
        content_type: &'static str,
        body: Vec<u8>,
        deadline: Duration,
    ) -> Result<Result<(), web::Refusal>, SinkError> {
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, content_type);
        self.send(self.encoding.body(request, body), deadline).await
    }

    /// Sends a request, with the headers of the config, and reads the answer.
    async fn send(&self, request: RequestBuilder, deadline: Duration) -> Result<Result<(), web::Refusal>, SinkError> {
        let request = request.headers(self.headers.clone()).timeout(deadline);
        let response = request.send().await.map_err(web::unanswered)?;
        Ok(match web::accepted(response).await {
            Ok(response) => {
                web::body(response).await;
                Ok(())
            }
            Err(refusal) => Err(refusal),
        })
    }
}

/// The address that a manifest describes.
fn url(push: &HttpPush) -> Result<String, RouteError> {
    let address = Address::parse(&push.host_name).map_err(|error| RouteError::of(HOST, error))?;
    let scheme = match address.scheme.as_deref() {
        None => "http",
        Some(scheme @ ("http" | "https")) => scheme,
        Some(_) => return Err(RouteError::of(HOST, address.unknown_scheme("http:// or https://"))),
    };
    if address.path.contains(['?', '#']) {
        return Err(RouteError::new(HOST, "holds a query").with_cure("write it into requestPath"));
    }
    let port = match (address.port, push.port) {
        (None, 0) => {
            if scheme == "https" {
                443
            } else {
                80
            }
        }
        (None, port) | (Some(port), 0) => port,
        (Some(one), other) if one == other => one,
        (Some(one), other) => {
            return Err(RouteError::new(HOST, format_args!("names the port {one}, and port says {other}"))
                .with_cure("write it once"));
        }
    };
    let mut url = format!("{scheme}://{}{}", address.host_and_port(port), address.path.trim_end_matches('/'));
    if !push.request_path.is_empty() {
        url = format!("{url}/{}", push.request_path.trim_start_matches('/'));
    }
    let url = Url::parse(&url).map_err(|error| {
        RouteError::new(HOST, format_args!("makes no URL ({error})"))
            .with_cure("write the host only, such as collector")
    })?;
    web::refuse_secrets("pushMethod.http.requestPath", &url)?;
    Ok(url.into())
}

/// A token goes before a user name.
fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, SinkError> {
    if let Some(token) = credentials.token() {
        return web::authorization("Bearer", token.expose()).map(Some);
    }
    let Some(username) = credentials.username() else { return Ok(None) };
    let password = credentials.password().map_or("", Secret::expose);
    web::authorization("Basic", &STANDARD.encode(format!("{username}:{password}"))).map(Some)
}

fn ndjson(batch: &[Record]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in batch {
        body.extend(record.to_json());
        body.push(b'\n');
    }
    body
}

fn array(batch: &[Record]) -> Vec<u8> {
    let documents: Vec<_> = batch.iter().map(Record::to_json).collect();
    [b"[".as_slice(), &documents.join(&b','), b"]"].concat()
}

/// The form of the Go framework; `None` for a time that RFC 3339 has no form for.
fn form(record: &Record) -> Option<String> {
    /// The first millisecond of the year 10000.
    const END: i64 = 253_402_300_800_000;
    if !(0..END).contains(&record.timestamp_ms()) {
        return None;
    }
    let time = format_rfc3339_millis(record.timestamp()).to_string();
    let mut form = form_urlencoded::Serializer::new(String::new());
    Some(form.append_pair(record.property(), &record.value().to_string()).append_pair("time", &time).finish())
}

#[cfg(test)]
mod tests {
    use crate::{
        model::{DataType, Value},
        sink::{Series, record::from_millis},
    };

    use super::*;

    fn kind(headers: &str) -> Http {
        let mut config = SinksConfig::default();
        config.http.headers = headers.to_owned();
        Http::new(&config, &Arc::new(Access::new(&config)))
    }

    fn push(host_name: &str, port: u16, request_path: &str) -> HttpPush {
        HttpPush { host_name: host_name.into(), port, request_path: request_path.into(), timeout: None }
    }

    fn settings(push: HttpPush) -> Result<HttpTarget, RouteError> {
        let property =
            Property::builder("pressure", DataType::Double).push_methods(vec![PushMethod::Http(push)]).build();
        let routes = kind("").routes(&Device::builder("boiler").build(), &property)?;
        Ok(routes[0].target().settings().unwrap())
    }

    fn record(property: &str, value: Value, timestamp_ms: i64) -> Record {
        let data_type = match value {
            Value::Int(_) => DataType::Int,
            Value::Double(_) => DataType::Double,
            Value::Bytes(_) => DataType::Bytes,
            _ => DataType::String,
        };
        let property = Property::builder(property, data_type).unit("bar").build();
        let device = Device::builder("boiler").build();
        let series = Series::new(&device, &property, Route::to(Target::new(NAME, &"here")));
        Record::new(Arc::new(series), value, from_millis(timestamp_ms))
    }

    fn batch() -> Vec<Record> {
        vec![
            record("pressure", Value::Double(2.5), 1_700_000_000_123),
            record("count", Value::Int(-42), 1_700_000_000_124),
            record("the \"note\"", Value::from("a=b & 21 °C\nin two lines"), 1_700_000_001_000),
            record("frame", Value::from(vec![0, 1, 254, 255]), 0),
        ]
    }

    #[test]
    fn batches_look_as_they_did() {
        let golden = include_str!("../../../tests/golden/http/batch.ndjson");
        assert_eq!(String::from_utf8(ndjson(&batch())).unwrap(), golden);
        let golden = include_str!("../../../tests/golden/http/batch.json");
        assert_eq!(String::from_utf8(array(&batch())).unwrap(), golden);
    }

    #[test]
    fn forms_look_as_they_did() {
        let forms: String = batch().iter().map(|record| form(record).unwrap() + "\n").collect();
        assert_eq!(forms, include_str!("../../../tests/golden/http/forms.txt"));
    }

    #[test]
    fn a_form_has_no_time_beyond_the_years_of_four_digits() {
        for (timestamp_ms, has_form) in
            [(-1, false), (0, true), (253_402_300_799_999, true), (253_402_300_800_000, false), (i64::MAX, false)]
        {
            assert_eq!(form(&record("p", Value::Int(1), timestamp_ms)).is_some(), has_form, "{timestamp_ms}");
        }
    }

    #[test]
    fn an_address_is_put_together_from_its_parts() {
        for (push, url) in [
            (push("plant.example", 0, ""), "http://plant.example/"),
            (push("http://plant.example", 8080, "/ingest"), "http://plant.example:8080/ingest"),
            (push("https://plant.example", 0, "ingest/"), "https://plant.example/ingest/"),
            (push("plant.example:8080", 8080, "a?b=c"), "http://plant.example:8080/a?b=c"),
            (push("https://plant.example:8443/base/", 0, "/a b"), "https://plant.example:8443/base/a%20b"),
            (push("[::1]", 8080, "/x"), "http://[::1]:8080/x"),
        ] {
            assert_eq!(settings(push).unwrap().url, url);
        }
    }

    #[test]
    fn what_makes_no_address_is_refused_with_its_field_and_the_cure() {
        for (push, part) in [
            (push("", 0, ""), "is empty"),
            (push("ftp://h", 0, ""), "http:// or https://"),
            (push("h:1", 2, ""), "write it once"),
            (push("h?x=1", 0, "/a"), "requestPath"),
            (push("h^", 0, ""), "makes no URL"),
        ] {
            let error = settings(push).unwrap_err();
            assert_eq!(error.field, "pushMethod.http.hostName");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_timeout_belongs_to_the_target() {
        let push = HttpPush { timeout: Some(Duration::from_millis(1500)), ..push("h", 0, "") };
        assert_eq!(settings(push).unwrap().timeout_ms, Some(1500));
    }

    #[test]
    fn a_header_that_cannot_be_used_is_told_to_the_devices_that_ask_for_the_sink() {
        let asks = PushMethod::Http(push("h", 0, ""));
        let plain = Property::builder("p", DataType::Int);
        let device = Device::builder("boiler").build();
        let kind = kind("no header");
        assert_eq!(kind.routes(&device, &plain.clone().build()), Ok(vec![]));
        let error = kind.routes(&device, &plain.push_methods(vec![asks]).build()).unwrap_err();
        assert_eq!(error.field, "sinks.http.headers");
    }

    #[test]
    fn a_token_goes_before_a_password_and_neither_is_shown() {
        let shown = |credentials: &Credentials| authorization(credentials).unwrap();
        assert_eq!(shown(&Credentials::none()), None);
        let basic = Credentials::none().with_username("plant").with_password("hunter2");
        assert_eq!(shown(&basic).unwrap(), "Basic cGxhbnQ6aHVudGVyMg==");
        assert_eq!(shown(&basic.with_token("t")).unwrap(), "Bearer t");
    }
}
