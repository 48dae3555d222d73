//! `events`: what happens in the mapper, a line for each event.

use std::io::Write;

use hyper::Method;
use serde_json::{Value, json};

use super::{
    Client, RemoteError,
    client::with_query,
    style::{Style, Tone, of_state},
    words::clean,
};
use crate::cli::{EventsArgs, Output};

/// The most bytes of an event: a value, which is bounded itself, and its names.
const MAX_EVENT: usize = 4 << 20;

/// An event as it comes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: String,
    kind: String,
    data: String,
}

/// Server-sent events, piece by piece.
#[derive(Debug, Default)]
struct Parser {
    /// What came of a line that has no end yet.
    rest: Vec<u8>,
    event: Event,
}

impl Parser {
    /// The events that are whole by now.
    fn take(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        self.rest.extend_from_slice(piece);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            events.extend(self.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])));
        }
        if self.rest.len() > MAX_EVENT {
            *self = Self::default();
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut self.event.id),
            "event" => value.clone_into(&mut self.event.kind),
            "data" => self.event.data.push_str(value),
            _ => {}
        }
        None
    }
}

/// Prints events until the mapper ends the stream, which is an error.
pub(super) async fn run(
    client: &Client,
    args: &EventsArgs,
    style: Style,
    mut out: impl Write,
) -> Result<(), RemoteError> {
    let kinds = (!args.kinds.is_empty()).then(|| args.kinds.join(","));
    let device = args.device.as_ref().map(|device| device.0.to_string());
    let query = [("kinds", kinds), ("device", device), ("property", args.property.clone())];
    let mut stream = client.send(Method::GET, &with_query("/api/v2/events", &query), None).await?.successful().await?;
    let mut parser = Parser::default();
    while let Some(piece) = stream.next().await? {
        for event in parser.take(&piece) {
            if let Some(line) = shown(&event, args.asked.output, style)? {
                writeln!(out, "{line}")?;
            }
        }
        out.flush()?;
    }
    Err(RemoteError::StreamEnded)
}

/// The line of an event; the first one, which opens the stream, has none for a person.
fn shown(event: &Event, output: Output, style: Style) -> Result<Option<String>, RemoteError> {
    let data: Value = serde_json::from_str(&event.data)?;
    Ok(match output {
        Output::Json => Some(json!({"id": event.id, "event": event.kind, "data": data}).to_string()),
        Output::Table if event.kind == "hello" => None,
        Output::Table => Some(line(&event.kind, &data, style)),
    })
}

/// An event for a person: time, kind, what it is about, what is so, and why.
fn line(kind: &str, data: &Value, style: Style) -> String {
    let text = |key: &str| data[key].as_str().map(clean).unwrap_or_default();
    let number = |key: &str| data[key].as_f64().unwrap_or_default();
    let device = [text("namespace"), text("name")].join("/");
    let about = [device.as_str(), &text("property")].join(" ");
    let (tone, said) = match kind {
        "device" => (Tone::Plain, format!("{device} {}", text("action"))),
        "state" => (of_state(&text("state")), format!("{device} = {}", text("state"))),
        "sample" => {
            let quality = text("quality");
            let quality = if quality == "good" { String::new() } else { format!(" ({quality})") };
            (Tone::Plain, format!("{about} = {}{quality}", text("value")))
        }
        "read" => match data["error"].as_str() {
            Some(error) => (Tone::Bad, format!("{about} fails: {}", clean(error))),
            None => (Tone::Good, format!("{about} is read again")),
        },
        "anomaly" => (Tone::Odd, format!("{about} = {}: {}, {}", text("value"), text("rule"), text("detail"))),
        "desired" => (Tone::Plain, format!("{about} = {}: {}", text("value"), text("phase"))),
        "twin" => {
            let value = data["value"].as_str().map(|value| format!(" = {}", clean(value))).unwrap_or_default();
            (Tone::Plain, format!("{about}{value}: {}", text("action")))
        }
        "sink" => {
            let records = data["records"].as_u64().map(|records| format!(" {records} records")).unwrap_or_default();
            let tone = if text("action") == "up" { Tone::Good } else { Tone::Bad };
            (tone, format!("{} {}{records}", text("target"), text("action")))
        }
        "edgecore" => (of_state(&text("link")), text("link")),
        "budget" => {
            let said = format!(
                "cycles need {:.1} calls/s, edgecore takes {:.1}",
                number("neededPerSecond"),
                number("acceptedPerSecond")
            );
            (Tone::Odd, said)
        }
        "gap" => (Tone::Odd, "events are missing here".to_owned()),
        _ => (Tone::Plain, clean(&data.to_string())),
    };
    let reason = data["reason"].as_str().map(|reason| format!(": {}", clean(reason))).unwrap_or_default();
    let time = style.paint(&text("time"), Tone::Faint);
    format!("{time} {kind:8} {}", style.paint(&format!("{said}{reason}"), tone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_pieces_of_any_size() {
        let stream = ": alive\n\nevent: hello\ndata: {\"sequence\":1}\n\nid: r-2\r\nevent: state\r\ndata: {\"name\":\"ü\"}\r\n\r\n";
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = stream.as_bytes().chunks(size).flat_map(|piece| parser.take(piece)).collect();
            let event =
                |id: &str, kind: &str, data: &str| Event { id: id.into(), kind: kind.into(), data: data.into() };
            assert_eq!(
                events,
                [event("", "hello", "{\"sequence\":1}"), event("r-2", "state", "{\"name\":\"ü\"}")],
                "{size}"
            );
        }
    }

    #[test]
    fn each_kind_is_a_line() {
        let about = json!({"time": "T", "namespace": "n", "name": "d", "property": "p"});
        let with = |more: Value| {
            let mut data = about.clone();
            for (key, value) in more.as_object().unwrap() {
                data[key] = value.clone();
            }
            data
        };
        for (kind, data, expected) in [
            ("device", json!({"action": "added"}), "n/d added"),
            ("state", json!({"state": "offline", "reason": "gone"}), "n/d = offline: gone"),
            ("sample", json!({"value": "1", "quality": "bad"}), "n/d p = 1 (bad)"),
            ("read", json!({"error": "late"}), "n/d p fails: late"),
            ("read", json!({"error": null}), "n/d p is read again"),
            (
                "desired",
                json!({"value": "1", "phase": "refused", "reason": "too much"}),
                "n/d p = 1: refused: too much",
            ),
            ("twin", json!({"action": "heldBack", "value": null, "reason": "same"}), "n/d p: heldBack: same"),
            (
                "sink",
                json!({"target": "redis x", "action": "lost", "records": 3, "reason": "full"}),
                "redis x lost 3 records: full",
            ),
            ("edgecore", json!({"link": "connected", "reason": null}), "connected"),
            ("gap", json!({"events": 3}), "events are missing here"),
        ] {
            assert_eq!(line(kind, &with(data), Style::plain()), format!("T {kind:8} {expected}"));
        }
    }

    #[test]
    fn programs_get_an_object_on_each_line() {
        let event = Event { id: "r-2".into(), kind: "state".into(), data: "{\"name\":\"d\"}".into() };
        let line = shown(&event, Output::Json, Style::plain()).unwrap().unwrap();
        assert_eq!(line, r#"{"data":{"name":"d"},"event":"state","id":"r-2"}"#);
    }
}
