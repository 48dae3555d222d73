//! What stands for InfluxDB 2 where its tests cannot have the real one: it takes line protocol as strictly as InfluxDB's documents
//! describe it, and answers the one shape of Flux script that the sink writes.

mod flux;
mod line;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value as Json, json};

use super::{Answer, Received, Receiver};
use line::{Field, StoredAt};

/// The double, with one bucket.
pub struct InfluxdbDouble {
    receiver: Receiver,
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    points: BTreeMap<StoredAt, BTreeMap<i64, Field>>,
}

impl InfluxdbDouble {
    /// The only token that it knows.
    pub const TOKEN: &str = "hunter2";
    /// The only organization.
    pub const ORG: &str = "the plant";
    /// The only bucket.
    pub const BUCKET: &str = "data & more";

    /// Starts it.
    pub async fn start() -> Self {
        let store = Arc::new(Mutex::new(Store::default()));
        let answering = Arc::clone(&store);
        let receiver = Receiver::start(move |request| lock(&answering).answer(request)).await;
        Self { receiver, store }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.receiver.port()
    }

    /// All requests so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.receiver.received()
    }

    /// Puts lines there without a request.
    ///
    /// # Panics
    ///
    /// If they are no lines.
    pub fn put(&self, lines: &str) {
        let refused = lock(&self.store).put(line::parse(lines).expect("line protocol"));
        assert_eq!(refused, None);
    }

    /// The values of the series whose tags hold these, as text, after their times in milliseconds.
    #[must_use]
    pub fn points(&self, tags: &[(&str, &str)]) -> Vec<(i64, String)> {
        let store = lock(&self.store);
        let matching = store.points.iter().filter(|(place, _)| place.has_tags(tags));
        matching.flat_map(|(_, points)| points).map(|(millis, value)| (*millis, value.to_string())).collect()
    }
}

/// A request that panicked is its test's failure already.
fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    fn answer(&mut self, request: &Received) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let query: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if request.header("authorization") != Some(&format!("Token {}", InfluxdbDouble::TOKEN)) {
            return error(401, "unauthorized", "unauthorized access");
        }
        match (request.method.as_str(), path) {
            ("GET", "/ping") => Answer::status(204),
            (_, "/api/v2/write" | "/api/v2/query")
                if query.get("org").map(String::as_str) != Some(InfluxdbDouble::ORG) =>
            {
                error(404, "not found", "organization not found")
            }
            ("POST", "/api/v2/write") => self.write(&query, request.text()),
            ("POST", "/api/v2/query") => self.query(request.text()),
            _ => error(404, "not found", "path not found"),
        }
    }

    fn write(&mut self, query: &BTreeMap<String, String>, body: &str) -> Answer {
        if query.get("bucket").map(String::as_str) != Some(InfluxdbDouble::BUCKET) {
            return error(404, "not found", "bucket not found");
        }
        if query.get("precision").map(String::as_str) != Some("ms") {
            return error(400, "invalid", "the double takes milliseconds");
        }
        match line::parse(body) {
            Err(message) => error(400, "invalid", &format!("unable to parse: {message}")),
            Ok(lines) => match self.put(lines) {
                None => Answer::status(204),
                Some(message) => error(422, "unprocessable entity", &message),
            },
        }
    }

    /// Keeps what can be kept, as InfluxDB does, and reports the rest.
    fn put(&mut self, lines: Vec<line::Line>) -> Option<String> {
        let mut dropped = 0;
        for line in lines {
            let same = |place: &StoredAt| (&place.measurement, &place.field) == (&line.at.measurement, &line.at.field);
            let mut others =
                self.points.iter().filter(|(place, _)| same(place)).flat_map(|(_, points)| points.values());
            if others.any(|other| std::mem::discriminant(other) != std::mem::discriminant(&line.value)) {
                dropped += 1;
                continue;
            }
            self.points.entry(line.at).or_default().insert(line.timestamp_ms, line.value);
        }
        let message = "failure writing points to database: partial write: field type conflict";
        (dropped > 0).then(|| format!("{message} dropped={dropped}"))
    }

    fn query(&self, body: &str) -> Answer {
        let asked: Result<Json, _> = serde_json::from_str(body);
        let Ok(asked) = asked else { return error(400, "invalid", "the body is not JSON") };
        let dialect = json!({"header": true, "delimiter": ",", "annotations": ["datatype", "group", "default"], "dateTimeFormat": "RFC3339"});
        let Some(script) = asked["query"].as_str().filter(|_| asked["type"] == "flux" && asked["dialect"] == dialect)
        else {
            return error(400, "invalid", "the double knows one dialect of Flux");
        };
        match flux::parse(script) {
            Err(message) => error(400, "invalid", &message),
            Ok(streams) if streams.iter().any(|stream| stream.bucket != InfluxdbDouble::BUCKET) => {
                error(404, "not found", "bucket not found")
            }
            Ok(streams) => {
                let csv: String = streams.iter().map(|stream| stream.csv(&self.points)).collect();
                Answer::status(200).header("content-type", "text/csv; charset=utf-8").body(csv)
            }
        }
    }
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::status(status).body(json!({"code": code, "message": message}).to_string())
}
