//! The events, as a server-sent stream.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event as Sent, KeepAlive},
    },
};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::{
    model::{DeviceId, NamespacedName},
    watch::{Event, Filter, Kind, What},
};

use super::{
    super::{
        Site,
        access::Peer,
        problem::{Problem, Refused},
        view::{rfc3339, seconds},
    },
    Query,
};

/// How often a stream without events says that it is there.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only these kinds, separated by commas: `device`, `state`, `sample`, `read`, `anomaly`, `desired`, `twin`, `sink`, `edgecore`, `budget`.
    kinds: Option<String>,
    /// Only what is about this device, as `namespace/name`.
    device: Option<String>,
    /// Only what is about properties of this name.
    property: Option<String>,
}

/// What happens, as a stream of server-sent events
///
/// The first event is `hello`. An event `gap` says that events are missing: what was read before is to be read anew. With `Last-Event-ID`, as
/// browsers send it, a stream goes on where an earlier one has ended, if that is not long ago.
#[utoipa::path(get, path = "/api/v2/events", tag = "events", operation_id = "watchEvents", params(EventsQuery),
    responses((status = 200, content_type = "text/event-stream", body = String), Refused))]
pub(super) async fn get(
    State(site): State<Site>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let filter = filter(&query)?;
    let place = std::sync::Arc::clone(site.streams(&peer)).try_acquire_owned().map_err(|_| {
        let detail = "there are as many event streams as the mapper serves at a time: close one";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let lease = site.replay().lease();
    let asked = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let number = asked.and_then(|id| number_of(id, site.run()));
    // Before the watch is made: a client that is cut off right after goes on from here, and misses nothing.
    let before = site.handle().sequence();
    let resumed = number.and_then(|number| site.handle().events_after(&filter, number));
    let (is_resumed, is_gap) = (resumed.is_some(), asked.is_some() && resumed.is_none());
    let sequence = number.filter(|_| is_resumed).unwrap_or(before);
    let events = resumed.unwrap_or_else(|| site.handle().events(filter));
    let now = rfc3339(std::time::SystemTime::now());
    let run = site.run().to_owned();
    let hello = Sent::default().id(format!("{run}-{sequence}")).event("hello");
    let mut first = vec![hello.data(json!({"sequence": sequence, "resumed": is_resumed}).to_string())];
    if is_gap {
        first.push(Sent::default().event("gap").data(json!({"events": null, "time": now}).to_string()));
    }
    let later = events.map(move |event| {
        let data = event.text(|event| data_of(event).to_string());
        Sent::default().id(format!("{run}-{}", event.sequence())).event(kind_word(&event)).data(data)
    });
    let stream = stream::iter(first).chain(later).map(Ok::<_, Infallible>);
    let held = Held { stream: Box::pin(stream), _held: (place, lease) };
    Ok(Sse::new(held).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)).into_response())
}

/// A stream with what it holds until it is dropped.
struct Held<S, H> {
    stream: std::pin::Pin<Box<S>>,
    _held: H,
}

impl<S: Stream, H: Unpin> Stream for Held<S, H> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        self.stream.as_mut().poll_next(context)
    }
}

/// The number of an event of this run.
fn number_of(id: &str, run: &str) -> Option<u64> {
    let (its_run, number) = id.split_once('-')?;
    (its_run == run).then(|| number.parse().ok()).flatten()
}

fn filter(query: &EventsQuery) -> Result<Filter, Problem> {
    let mut filter = Filter::all();
    if let Some(kinds) = &query.kinds {
        let kinds: Result<Vec<_>, _> = kinds.split(',').filter(|it| !it.is_empty()).map(kind_of).collect();
        filter = filter.kinds(kinds?);
    }
    if let Some(device) = &query.device {
        let (namespace, name) = device
            .split_once('/')
            .ok_or_else(|| Problem::bad_request(format_args!("device: {device:?} is no namespace/name")))?;
        filter = filter.device(DeviceId::new(namespace, name));
    }
    Ok(match &query.property {
        Some(property) => filter.property(property),
        None => filter,
    })
}

const KINDS: [(&str, Kind); 10] = [
    ("device", Kind::Device),
    ("state", Kind::State),
    ("sample", Kind::Sample),
    ("read", Kind::Read),
    ("anomaly", Kind::Anomaly),
    ("desired", Kind::Desired),
    ("twin", Kind::Twin),
    ("sink", Kind::Sink),
    ("edgecore", Kind::Edge),
    ("budget", Kind::Budget),
];

fn kind_of(word: &str) -> Result<Kind, Problem> {
    let known = KINDS.iter().find(|(known, _)| *known == word);
    known.map(|(_, kind)| *kind).ok_or_else(|| {
        let words: Vec<_> = KINDS.iter().map(|(word, _)| *word).collect();
        Problem::bad_request(format_args!("kinds: {word:?} is none of {}", words.join(", ")))
    })
}

/// The word for an event's kind.
fn kind_word(event: &Event) -> &'static str {
    let kind = event.what().kind();
    KINDS.iter().find(|(_, known)| Some(*known) == kind).map_or("gap", |(word, _)| word)
}

/// What an event says, with its time.
fn data_of(event: &Event) -> Value {
    let mut data = said(event.what());
    if let Value::Object(fields) = &mut data {
        fields.insert("time".to_owned(), rfc3339(event.time()).into());
    }
    data
}

fn said(what: &What) -> Value {
    match what {
        What::Missed { events } => json!({"events": events}),
        What::DeviceAdded { device } => with(device, json!({"action": "added"})),
        What::DeviceChanged { device } => with(device, json!({"action": "changed"})),
        What::DeviceRemoved { device } => with(device, json!({"action": "removed"})),
        What::State { device, state, reason } => with(device, json!({"state": state.as_str(), "reason": reason})),
        What::Sample(sample) => with(
            &sample.device,
            json!({
                "property": sample.property.name(),
                "value": sample.value.to_string(),
                "type": sample.property.data_type().as_str(),
                "quality": sample.quality.as_str(),
            }),
        ),
        What::ReadFailed { device, property, reason } => with(device, json!({"property": property, "error": reason})),
        What::ReadRecovered { device, property } => with(device, json!({"property": property, "error": null})),
        What::Anomaly { device, property, rule, value, detail, .. } => with(
            device,
            json!({"property": property, "rule": rule.as_str(), "value": value.to_string(), "detail": detail}),
        ),
        What::Desired { device, property, desired, phase, reason } => {
            with(device, json!({"property": property, "value": desired, "phase": phase.as_str(), "reason": reason}))
        }
        What::TwinReported { device, property, value } => twin(device, property, "reported", Some(value), None),
        What::TwinStored { device, property, value } => twin(device, property, "stored", Some(value), None),
        What::TwinHeldBack { device, property, reason } => twin(device, property, "heldBack", None, Some(reason)),
        What::SinkUp { target } => json!({"target": target, "action": "up", "reason": null, "records": null}),
        What::SinkDown { target, reason } => {
            json!({"target": target, "action": "down", "reason": reason, "records": null})
        }
        What::SinkRejected { target, reason, .. } => {
            json!({"target": target, "action": "rejected", "reason": reason, "records": 1})
        }
        What::SinkLost { target, records, reason } => {
            json!({"target": target, "action": "lost", "reason": reason, "records": records})
        }
        What::EdgeConnected => json!({"link": "connected", "reason": null}),
        What::EdgeDisconnected { reason } => json!({"link": "disconnected", "reason": reason}),
        What::BudgetExceeded { needed, accepted, staleness } => json!({
            "neededPerSecond": needed,
            "acceptedPerSecond": accepted,
            "stalenessSeconds": seconds(*staleness),
        }),
    }
}

fn twin(device: &DeviceId, property: &str, action: &str, value: Option<&str>, reason: Option<&str>) -> Value {
    with(device, json!({"property": property, "action": action, "value": value, "reason": reason}))
}

/// What is said of a device, with its name.
fn with(device: &NamespacedName, mut data: Value) -> Value {
    if let Value::Object(fields) = &mut data {
        fields.insert("namespace".to_owned(), device.namespace().into());
        fields.insert("name".to_owned(), device.name().into());
    }
    data
}
