//! `otel`: OpenTelemetry collectors, and what else takes OTLP.
//!
//! # Wire
//!
//! OTLP 1 over HTTP, in protobuf: `POST` of a batch to the manifest's `endpointURL`, as it stands there, or to `/v1/metrics` where it has no
//! path or only `/`. Each property is a gauge:
//!
//! | part | what |
//! | --- | --- |
//! | resource | `service.name` |
//! | scope | `mapper-framework` and its version |
//! | metric | named like the property, with its unit and description. What OpenTelemetry allows no name to hold, all but ASCII letters, digits and `_.-/`, becomes `_`; where a name does not begin with a letter, `property_` goes before it |
//! | attributes of a point | `namespace`, `device`, `model`, `property` (the name as it is) and `quality` |
//! | value | `INT` as an integer, `FLOAT` and `DOUBLE` as a double, `BOOLEAN` as 0 or 1; a gauge has no place for text and bytes, so that these are rejected |
//! | time | when the value was read. One before 1970 is rejected |
//!
//! What each answer means is the table "Answers of http, otel, influxdb2" of docs/sinks.md, which `web/fault.rs` knows. OTLP would have a batch
//! dropped for most of them; this one waits, since what a proxy answers while it is set up is no reason to lose data.
//!
//! A partial success says how many points were rejected and not which. So the batch is split until that is known, and points that
//! had been taken are sent again. That changes nothing where a gauge has one value at a time, as in Prometheus; a receiver that
//! stores each point it is sent will have some twice.
//!
//! # Config
//!
//! | key | what |
//! | --- | --- |
//! | `sinks.otel.service_name` | `service.name`, by default the mapper's name |
//! | `sinks.otel.resource_attributes` | more attributes of the resource, one `key=value` on each line |
//! | `sinks.otel.headers` | more headers, one `Name: value` on each line, but none with a credential |
//! | `sinks.otel.gzip` | whether bodies are compressed by gzip |
//! | `sinks.otel.credentials` | a folder with `token`, which is sent as `Bearer` |
//! | `sinks.tls` | certificates for `https://` |

mod metrics;
mod ucum;

use std::sync::Arc;

use reqwest::{
    Client, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use tracing::debug;

use crate::{
    config::SinksConfig,
    model::{Address, Device, OtelPush, Property, PushMethod},
};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target, web,
};
use metrics::Resource;

const NAME: &str = "otel";
const URL: &str = "pushMethod.otel.endpointURL";

/// The kind of sink for `pushMethod.otel`. A target is a URL.
#[derive(Debug)]
pub(super) struct Otel {
    /// What the metrics say of where they come from, or why the config cannot be used.
    resource: Result<Resource, RouteError>,
    /// The headers of the config, or why they cannot be used.
    headers: Result<HeaderMap, RouteError>,
    encoding: web::Encoding,
    access: Arc<Access>,
}

impl Otel {
    pub(super) fn new(config: &SinksConfig, access: &Arc<Access>) -> Self {
        let service_name = match config.otel.service_name.as_str() {
            // What the conventions of OpenTelemetry call a service that nobody has named.
            "" => "unknown_service",
            name => name,
        };
        Self {
            resource: metrics::resource(service_name, &config.otel.resource_attributes),
            headers: web::parse_headers(NAME, &config.otel.headers),
            encoding: web::Encoding::new(config.otel.gzip),
            access: Arc::clone(access),
        }
    }
}

impl SinkKind for Otel {
    type Sink = OtelSink;

    fn name(&self) -> &str {
        NAME
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Otel(push) => Some(push),
            _ => None,
        });
        let to_route = |push: &OtelPush| {
            self.resource.as_ref().map_err(Clone::clone)?;
            self.headers.as_ref().map_err(Clone::clone)?;
            Ok(Route::to(Target::new(NAME, &url(&push.endpoint_url)?)))
        };
        pushes.map(to_route).collect()
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        web::endpoint(&Url::parse(&target.settings::<String>().ok()?).ok()?, URL)
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<OtelSink, SinkError> {
        let url: String = target.settings()?;
        let url = Url::parse(&url).map_err(|error| SinkError::failed(format_args!("the URL: {error}")))?;
        let mut headers = self.headers.clone().map_err(SinkError::misconfigured)?;
        let resource = self.resource.clone().map_err(SinkError::misconfigured)?;
        if let Some(token) = credentials.token() {
            headers.insert(AUTHORIZATION, web::authorization("Bearer", token.expose())?);
        }
        let client = self.access.client(NAME, self.endpoint(target).as_ref())?;
        Ok(OtelSink { client, url, headers, resource, encoding: self.encoding })
    }
}

/// An address to post to. OTLP has no question but a batch, so that the first write shows whether the collector is there.
pub(super) struct OtelSink {
    client: Client,
    url: Url,
    headers: HeaderMap,
    resource: Resource,
    encoding: web::Encoding,
}

impl Sink for OtelSink {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let (request, outcomes) = metrics::encode(&self.resource, batch);
        if !outcomes.contains(&Outcome::Accepted) {
            return Ok(outcomes);
        }
        let post = self.client.post(self.url.clone()).headers(self.headers.clone());
        let post = self.encoding.body(post.header(CONTENT_TYPE, "application/x-protobuf"), request);
        let response = post.send().await;
        match web::accepted(response.map_err(web::unanswered)?).await {
            Ok(response) => taken(&web::body(response).await, outcomes),
            Err(refusal) => Err(refusal.into_error(NAME)),
        }
    }
}

/// What a success comes to, which may be a partial one.
fn taken(answer: &[u8], outcomes: Vec<Outcome>) -> Result<Vec<Outcome>, SinkError> {
    // A success in words that nobody understands is a success.
    let Some(partial) = metrics::decode_partial_success(answer) else { return Ok(outcomes) };
    let sent = outcomes.iter().filter(|outcome| **outcome == Outcome::Accepted).count();
    match usize::try_from(partial.rejected).unwrap_or_default() {
        0 => {
            debug!(target: "mapper", sink = NAME, warning = partial.message, "the collector warns");
            Ok(outcomes)
        }
        rejected => {
            let reason = format!("the collector rejects {rejected} of {sent} points: {}", partial.message);
            if rejected < sent { Err(SinkError::refused(reason)) } else { Ok(refuse_sent(outcomes, &reason)) }
        }
    }
}

/// All that was sent is refused. What was not had a reason of its own.
fn refuse_sent(mut outcomes: Vec<Outcome>, reason: &str) -> Vec<Outcome> {
    for outcome in outcomes.iter_mut().filter(|outcome| **outcome == Outcome::Accepted) {
        *outcome = Outcome::refused(reason);
    }
    outcomes
}

/// The path that collectors take metrics at.
const DEFAULT_PATH: &str = "/v1/metrics";

/// The URL of a manifest, with nothing added but a path where there is none.
fn url(text: &str) -> Result<String, RouteError> {
    const CURE: &str = "write the whole URL, such as http://collector:4318/v1/metrics";
    let address = Address::parse(text).map_err(|error| RouteError::of(URL, error))?;
    match address.scheme.as_deref() {
        Some("http" | "https") => {}
        None => return Err(RouteError::new(URL, "has no scheme").with_cure(CURE)),
        Some(_) => {
            return Err(RouteError::of(
                URL,
                address.unknown_scheme("http:// or https://; OTLP over gRPC is not spoken"),
            ));
        }
    }
    let mut url = Url::parse(text.trim()).map_err(|error| RouteError::new(URL, error).with_cure(CURE))?;
    if matches!(url.path(), "" | "/") {
        url.set_path(DEFAULT_PATH);
    }
    web::refuse_secrets(URL, &url)?;
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_taken_as_it_stands() {
        for text in ["http://localhost:4318/v1/metrics", "https://collector/otlp/v1/metrics/?tenant=1"] {
            assert_eq!(url(text).unwrap(), text);
        }
    }

    #[test]
    fn a_url_without_a_path_is_that_of_a_collector() {
        for (text, whole) in [
            ("http://127.0.0.1:4399", "http://127.0.0.1:4399/v1/metrics"),
            ("https://collector?tenant=1", "https://collector/v1/metrics?tenant=1"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/metrics"),
            ("http://collector:4318/", "http://collector:4318/v1/metrics"),
            (" http://collector:4318 ", "http://collector:4318/v1/metrics"),
        ] {
            assert_eq!(url(text).unwrap(), whole);
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_its_field_and_the_cure() {
        for (text, part) in [
            ("", "is empty"),
            ("collector:4318", "http://collector:4318/v1/metrics"),
            ("grpc://collector:4317", "gRPC is not spoken"),
            ("http://user:hunter2@collector:4318", "mounted Secret"),
            ("http://col^lector", "write the whole URL"),
        ] {
            let error = url(text).unwrap_err();
            assert_eq!(error.field, "pushMethod.otel.endpointURL");
            let error = error.to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_success_is_whole_unless_it_says_how_many_points_it_lacks() {
        let sent = || vec![Outcome::Accepted, Outcome::rejected("text"), Outcome::Accepted];
        let partial = |rejected| metrics::encode_partial_success(rejected, "no room");
        assert_eq!(taken(b"", sent()).unwrap(), sent());
        assert_eq!(taken(b"<html>", sent()).unwrap(), sent());
        assert_eq!(taken(&partial(0), sent()).unwrap(), sent(), "a warning");
        let error = taken(&partial(1), sent()).unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("no room"), "{error}");
        let outcomes = taken(&partial(2), sent()).unwrap();
        assert_eq!(outcomes[0], Outcome::refused("the collector rejects 2 of 2 points: no room"));
        assert_eq!(outcomes[1], Outcome::rejected("text"), "it was not sent");
    }
}
