//! `influxdb2`: InfluxDB 2, and what takes its line protocol, such as VictoriaMetrics.
//!
//! # Wire
//!
//! `POST <url>/api/v2/write?org=…&bucket=…&precision=ms` with a batch, one line for each record:
//!
//! ```text
//! boiler-model,device=boiler,namespace=plant,property=pressure pressure=2.5 1700000000123
//! ```
//!
//! | part | what |
//! | --- | --- |
//! | measurement | the manifest's `measurement`; without one, the name of the device's model |
//! | tags | `namespace`, `device` and `property`, then the manifest's `tag`, which may change them. A tag with an empty value is left out |
//! | field key | the manifest's `fieldKey`; without one, the property's name |
//! | field | `INT` as `42i`, `FLOAT` and `DOUBLE` as `2.5`, `BOOLEAN` as `true`, `STRING` as text; `BYTES`, and `STREAM` where it is bytes, as text in URL-safe base64 |
//! | time | in milliseconds |
//!
//! A point is known by its measurement, tags, field key and time, and a later one overwrites it: what comes twice is there once. The
//! three tags keep the properties of a device apart, which a manifest for the Go framework need not do.
//!
//! InfluxDB gives a field key one type in a measurement. Properties of different types with the same `measurement` and `fieldKey`
//! conflict there; the records that it refuses are rejected with its message, as long as it takes others. Names with a control character, or with a backslash
//! where it would escape what follows, have no form in line protocol: the device's state says so.
//!
//! What each answer means is the table "Answers of http, otel, influxdb2" of docs/sinks.md, which `web/fault.rs` knows. Of a batch that is split InfluxDB
//! may have taken a part already, which is overwritten by the same.
//!
//! Mind that VictoriaMetrics keeps numbers only, as 64-bit floats: it makes 0 of texts, and takes what it cannot read without a word.
//! It answers before a batch is on its disk, so that its crash costs the last seconds.
//!
//! # History
//!
//! `POST <url>/api/v2/query?org=…` with a Flux script, answered in annotated CSV. VictoriaMetrics does not have it. **The tests hold
//! the reading against a strict double of InfluxDB, since no real one could be had.**
//!
//! # Config
//!
//! | key | what |
//! | --- | --- |
//! | `sinks.influxdb2.credentials` | a folder with `token` |
//! | `sinks.tls` | certificates for `https://` |

mod flux;
mod line;

use std::sync::Arc;

use reqwest::{
    Client, RequestBuilder, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde::{Deserialize, Serialize};

use crate::model::{Address, Device, Influxdb2Push, Property, PushMethod};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError, SinkKind, Target,
    web,
};
use line::PointTemplate;

const NAME: &str = "influxdb2";
const URL: &str = "pushMethod.dbMethod.influxdb2.influxdb2ClientConfig.url";

/// The kind of sink for `pushMethod.dbMethod.influxdb2`.
#[derive(Debug)]
pub(super) struct Influxdb2 {
    access: Arc<Access>,
}

/// What a connection depends on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Influxdb2Target {
    /// Without a slash at its end.
    url: String,
    org: String,
    bucket: String,
}

impl Influxdb2 {
    pub(super) fn new(access: &Arc<Access>) -> Self {
        Self { access: Arc::clone(access) }
    }
}

impl SinkKind for Influxdb2 {
    type Sink = Influxdb2Sink;

    fn name(&self) -> &str {
        NAME
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Influxdb2(push) => Some(push),
            _ => None,
        });
        let to_route = |push: &Influxdb2Push| {
            let settings = settings(push)?;
            let place = PointTemplate::new(device, property, push)?;
            Ok(Route::to(Target::new(NAME, &settings)).with(&place))
        };
        pushes.map(to_route).collect()
    }

    fn keeps_history(&self) -> bool {
        true
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        web::endpoint(&Url::parse(&target.settings::<Influxdb2Target>().ok()?.url).ok()?, URL)
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<Influxdb2Sink, SinkError> {
        let mut headers = HeaderMap::new();
        if let Some(token) = credentials.token() {
            headers.insert(AUTHORIZATION, web::authorization("Token", token.expose())?);
        }
        let client = self.access.client(NAME, self.endpoint(target).as_ref())?;
        Ok(Influxdb2Sink { client, settings: target.settings()?, headers })
    }
}

/// A bucket.
pub(super) struct Influxdb2Sink {
    client: Client,
    settings: Influxdb2Target,
    headers: HeaderMap,
}

impl Sink for Influxdb2Sink {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let (lines, outcomes) = line::batch(batch);
        if lines.is_empty() {
            return Ok(outcomes);
        }
        let Influxdb2Target { org, bucket, .. } = &self.settings;
        let write = self.post("/api/v2/write", &[("org", org), ("bucket", bucket), ("precision", "ms")])?;
        let response = write.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(lines).send().await;
        match web::accepted(response.map_err(web::unanswered)?).await {
            Ok(response) => {
                web::body(response).await;
            }
            Err(refusal) => return Err(refusal.into_error(NAME)),
        }
        Ok(outcomes)
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        let ping = self.client.get(format!("{}/ping", self.settings.url)).headers(self.headers.clone());
        match web::accepted(ping.send().await.map_err(web::unanswered)?).await {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.into_error(NAME)),
        }
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        if query.from_ms() > query.to_ms() {
            return Ok(Vec::new());
        }
        let Influxdb2Target { org, bucket, .. } = &self.settings;
        let request = self.post("/api/v2/query", &[("org", org)])?;
        let body = flux::request(bucket, query)?;
        let response = request.header(CONTENT_TYPE, "application/json").header(ACCEPT, "application/csv").body(body);
        match web::accepted(response.send().await.map_err(web::unanswered)?).await {
            Ok(response) => {
                let (answer, query) = (web::whole(response, web::HISTORY).await?, query.clone());
                web::parsed(answer, move |answer| flux::points(&String::from_utf8_lossy(answer), &query)).await?
            }
            Err(refusal) if lacks_flux(&refusal) => Err(SinkError::unsupported(format_args!(
                "this server is not read by Flux, as InfluxDB 2 is: at /api/v2/query {refusal}"
            ))),
            Err(refusal) => Err(refusal.into_error(NAME)),
        }
    }
}

impl Influxdb2Sink {
    fn post(&self, path: &str, query: &[(&str, &str)]) -> Result<RequestBuilder, SinkError> {
        let url = Url::parse_with_params(&format!("{}{path}", self.settings.url), query)
            .map_err(|error| SinkError::failed(format_args!("the URL of the target cannot be used: {error}")))?;
        Ok(self.client.post(url).headers(self.headers.clone()))
    }
}

/// Whether the server has no place for queries. InfluxDB refuses in JSON; who does not know the path has other words.
fn lacks_flux(refusal: &web::Refusal) -> bool {
    let unknown = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
    unknown.contains(&refusal.status) && !refusal.body.starts_with('{')
}

/// The connection that a manifest describes.
fn settings(push: &Influxdb2Push) -> Result<Influxdb2Target, RouteError> {
    const CONFIG: &str = "pushMethod.dbMethod.influxdb2.influxdb2ClientConfig";
    const CURE: &str = "write the address only, such as http://influxdb:8086";
    let address = Address::parse(&push.url).map_err(|error| RouteError::of(URL, error))?;
    let (scheme, port) = match address.scheme.as_deref() {
        None | Some("http") => ("http", 80),
        Some("https") => ("https", 443),
        Some(_) => return Err(RouteError::of(URL, address.unknown_scheme("http:// or https://"))),
    };
    if address.path.contains(['?', '#']) {
        return Err(RouteError::new(URL, "holds a query").with_cure(CURE));
    }
    for (name, value) in [("org", &push.org), ("bucket", &push.bucket)] {
        if value.is_empty() {
            let cure = format_args!("name the {name}; a server that knows none takes any text");
            return Err(RouteError::new(format!("{CONFIG}.{name}"), "is empty").with_cure(cure));
        }
    }
    let url = format!("{scheme}://{}{}", address.host_and_port(port), address.path);
    let url = Url::parse(&url)
        .map_err(|error| RouteError::new(URL, format_args!("makes no URL ({error})")).with_cure(CURE))?;
    let url = url.as_str().trim_end_matches('/').to_owned();
    Ok(Influxdb2Target { url, org: push.org.clone(), bucket: push.bucket.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(url: &str, org: &str, bucket: &str) -> Influxdb2Push {
        Influxdb2Push { url: url.into(), org: org.into(), bucket: bucket.into(), ..Influxdb2Push::default() }
    }

    #[test]
    fn a_target_is_an_address_an_organization_and_a_bucket() {
        for (url, normal) in [
            ("http://influxdb:8086", "http://influxdb:8086"),
            ("influxdb", "http://influxdb"),
            ("https://influxdb/base/", "https://influxdb/base"),
            ("http://[::1]:8086/", "http://[::1]:8086"),
        ] {
            assert_eq!(settings(&push(url, "plant", "data")).unwrap().url, normal);
        }
        assert_eq!(settings(&push("h", "plant", "data")).unwrap().bucket, "data");
    }

    #[test]
    fn what_makes_no_target_is_refused_with_its_field_and_the_cure() {
        for (push, field, part) in [
            (push("", "o", "b"), "url", "is empty"),
            (push("udp://h", "o", "b"), "url", "http:// or https://"),
            (push("http://h?x=1", "o", "b"), "url", "holds a query"),
            (push("h", "", "b"), "org", "name the org"),
            (push("h", "o", ""), "bucket", "name the bucket"),
        ] {
            let error = settings(&push).unwrap_err();
            assert_eq!(error.field, format!("pushMethod.dbMethod.influxdb2.influxdb2ClientConfig.{field}"));
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
