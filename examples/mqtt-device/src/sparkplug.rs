//! Sparkplug B: an edge node, its devices, and their metrics.
//!
//! A birth names all metrics with types and aliases, data has only what has changed, and a death ends it. All messages of an edge node
//! are counted: after a gap it is asked for its births again. No birth is kept by the broker, so it is asked for them at the beginning,
//! too.

mod datum;
mod payload;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use mapper_framework::DriverError;
use prost::Message as _;
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::share::QUESTION_PAUSE;

pub(crate) use datum::Datum;
pub(crate) use payload::Content;
use payload::{Metric, Payload};

/// The metric that has an edge node publish its births again.
const REBIRTH: &str = "Node Control/Rebirth";

/// The longest pause between two questions for the births.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is known of an edge node, and of the device behind it.
#[derive(Debug)]
pub(crate) struct Node {
    group: String,
    node: String,
    /// `None` for the edge node itself.
    device: Option<String>,
    /// How long a device's birth may come after its edge node's.
    birth_timeout: Duration,
    life: Life,
    /// The number of the next message.
    next: Option<u8>,
    /// The last message that was counted.
    last: Bytes,
    /// The number of the connection that the edge node has announced its death for.
    bd_seq: Option<u64>,
    metrics: HashMap<String, Datum>,
    aliases: HashMap<u64, String>,
    /// Whether the edge node is to be asked for its births, until it publishes them.
    wants_birth: bool,
    /// When it may be asked again.
    next_question: Instant,
    /// How long it is not asked after the next time.
    pause: Duration,
    /// Whether it was born, so that births which are missed are those of its devices.
    is_node_born: bool,
    /// Whether a birth has come that nobody has looked at.
    is_new: bool,
}

/// Whether the device lives.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Life {
    /// Its birth has not come yet.
    Unknown,
    Born,
    /// Its edge node was born again, and its own birth has to follow until then.
    Expected(Instant),
    /// It has died, or its edge node.
    Dead(&'static str),
}

/// What a message of an edge node is about.
struct Kind<'a> {
    /// Such as `DATA`.
    kind: &'a str,
    /// `None` for the edge node itself.
    device: Option<&'a str>,
}

impl Node {
    pub(crate) fn new(group: &str, node: &str, device: &str, birth_timeout: Duration) -> Self {
        Self {
            group: group.to_owned(),
            node: node.to_owned(),
            device: (!device.is_empty()).then(|| device.to_owned()),
            birth_timeout,
            life: Life::Unknown,
            next: None,
            last: Bytes::new(),
            bd_seq: None,
            metrics: HashMap::new(),
            aliases: HashMap::new(),
            wants_birth: true,
            next_question: Instant::now(),
            pause: QUESTION_PAUSE,
            is_node_born: false,
            is_new: false,
        }
    }

    /// What is subscribed: all that the edge node publishes, since its messages are counted together.
    pub(crate) fn filters(&self) -> Vec<String> {
        let Self { group, node, .. } = self;
        let of_node = ["NBIRTH", "NDATA", "NDEATH"].map(|kind| format!("spBv1.0/{group}/{kind}/{node}"));
        let of_devices = ["DBIRTH", "DDATA", "DDEATH"].map(|kind| format!("spBv1.0/{group}/{kind}/{node}/+"));
        of_node.into_iter().chain(of_devices).collect()
    }

    /// Why the device is not there; `None` if it is.
    pub(crate) fn absence(&self, now: Instant) -> Option<String> {
        let why = match self.life {
            Life::Born => return None,
            Life::Expected(until) if now < until => return None,
            Life::Unknown if self.is_node_born => "is away: its edge node is there, and has no birth of it",
            Life::Unknown => "is away: its edge node has published no birth, and is asked for it",
            Life::Expected(_) => "was not born again with its edge node",
            Life::Dead(why) => why,
        };
        Some(format!("{self} {why}"))
    }

    /// Whether no message of it was missed, as far as is known.
    pub(crate) fn is_complete(&self) -> bool {
        self.life == Life::Born && !self.wants_birth
    }

    /// When the device becomes absent, or is to be asked for its births, if no message comes.
    pub(crate) fn due(&self) -> Option<Instant> {
        let expected = if let Life::Expected(until) = self.life { Some(until) } else { None };
        expected.into_iter().chain(self.wants_birth.then_some(self.next_question)).min()
    }

    /// The latest value of a metric.
    ///
    /// # Errors
    ///
    /// The birth has no such metric.
    pub(crate) fn metric(&self, name: &str) -> Result<&Datum, String> {
        self.metrics.get(name).ok_or_else(|| {
            let mut known: Vec<_> = self.metrics.keys().map(String::as_str).collect();
            known.sort_unstable();
            known.truncate(20);
            format!("the birth of {self} has no metric {name:?}, but {}", known.join(", "))
        })
    }

    /// Whether all metrics may have changed since this was asked.
    pub(crate) fn is_new(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// Takes a message, and returns the names of the metrics that it changes, each with its value. After a birth, all may have changed.
    ///
    /// # Errors
    ///
    /// The payload of the device's own message is not Sparkplug's.
    pub(crate) fn take(&mut self, topic: &str, bytes: &Bytes, now: Instant) -> Result<Vec<(String, Datum)>, String> {
        let Some(Kind { kind, device }) = self.kind(topic) else { return Ok(Vec::new()) };
        let is_own = device == self.device.as_deref();
        let payload = Payload::decode(bytes.as_ref());
        // The death of an edge node is the broker's message, and has no number.
        if (kind, device) == ("DEATH", None) {
            self.node_died(&payload.unwrap_or_default());
            return Ok(Vec::new());
        }
        let payload = match payload {
            Ok(payload) => payload,
            Err(error) => return self.unreadable(topic, &format!("the payload is not Sparkplug's: {error}")),
        };
        if !self.count(&payload, bytes, (kind, device) == ("BIRTH", None)) {
            return Ok(Vec::new());
        }
        if (kind, device) == ("BIRTH", None) {
            self.node_born(&payload, now);
        }
        Ok(match kind {
            "BIRTH" if is_own => {
                self.born(payload);
                Vec::new()
            }
            "DATA" if is_own => self.data(payload),
            "DEATH" if is_own => {
                self.life = Life::Dead("has died: its edge node says so");
                Vec::new()
            }
            _ => Vec::new(),
        })
    }

    /// Takes a message that cannot be read, for this reason. Nothing is changed by it.
    ///
    /// # Errors
    ///
    /// It is the device's own.
    pub(crate) fn unreadable(&mut self, topic: &str, why: &str) -> Result<Vec<(String, Datum)>, String> {
        let Some(Kind { device, .. }) = self.kind(topic) else { return Ok(Vec::new()) };
        let is_own = device == self.device.as_deref();
        // Its number is missed, and what it says, which the births say again.
        self.wants_birth = true;
        if is_own { Err(format!("{topic}: {why}")) } else { Ok(Vec::new()) }
    }

    /// What asks the edge node for its births, if that is to be done by now: topic and payload.
    pub(crate) fn rebirth(&mut self, now: Instant) -> Option<(String, Vec<u8>)> {
        if !self.wants_birth || now < self.next_question {
            return None;
        }
        // Nothing was missed for a while, so that the last births have mended it.
        if now >= self.next_question + LONGEST_PAUSE {
            self.pause = QUESTION_PAUSE;
        }
        self.next_question = now + self.pause;
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        let metric = Metric {
            name: Some(REBIRTH.to_owned()),
            datatype: Some(datum::BOOLEAN),
            content: Some(Content::Boolean(true)),
            ..Metric::default()
        };
        Some((format!("spBv1.0/{}/NCMD/{}", self.group, self.node), command(metric)))
    }

    /// What sets a metric: topic and payload.
    ///
    /// # Errors
    ///
    /// The birth has no such metric, or it takes no such value.
    pub(crate) fn write(&self, name: &str, json: &Json) -> Result<(String, Vec<u8>), DriverError> {
        let datatype = self.metric(name).map_err(DriverError::refused)?.datatype;
        let content = datum::content(json, datatype).map_err(DriverError::refused)?;
        let name = Some(name.to_owned());
        let metric = Metric { name, datatype: Some(datatype), content: Some(content), ..Metric::default() };
        let Self { group, node, .. } = self;
        let topic = match &self.device {
            Some(device) => format!("spBv1.0/{group}/DCMD/{node}/{device}"),
            None => format!("spBv1.0/{group}/NCMD/{node}"),
        };
        Ok((topic, command(metric)))
    }

    fn kind<'a>(&self, topic: &'a str) -> Option<Kind<'a>> {
        let rest = topic.strip_prefix("spBv1.0/")?.strip_prefix(self.group.as_str())?.strip_prefix('/')?;
        let (kind, rest) = rest.split_once('/')?;
        let rest = rest.strip_prefix(self.node.as_str())?;
        match (kind.split_at_checked(1)?, rest.strip_prefix('/')) {
            (("N", kind), None) if rest.is_empty() => Some(Kind { kind, device: None }),
            (("D", kind), Some(device)) => Some(Kind { kind, device: Some(device) }),
            _ => None,
        }
    }

    /// Whether the message counts; one that comes twice does not. A gap has the births asked for.
    fn count(&mut self, payload: &Payload, bytes: &Bytes, begins: bool) -> bool {
        let Some(seq) = payload.seq else { return true };
        let seq = seq as u8;
        let is_again = self.next == Some(seq.wrapping_add(1)) && self.last == *bytes;
        if !begins && is_again {
            return false;
        }
        self.last = bytes.clone();
        if !begins && self.next != Some(seq) {
            self.wants_birth = true;
        }
        self.next = Some(seq.wrapping_add(1));
        true
    }

    fn node_died(&mut self, payload: &Payload) {
        let is_of_now = self.bd_seq.is_none() || bd_seq(payload).is_none_or(|of| Some(of) == self.bd_seq);
        if is_of_now && self.life != Life::Unknown {
            self.life = Life::Dead("is away: its edge node has died");
        }
    }

    fn node_born(&mut self, payload: &Payload, now: Instant) {
        self.bd_seq = bd_seq(payload);
        self.wants_birth = false;
        self.is_node_born = true;
        if self.device.is_some() && self.life == Life::Born {
            self.life = Life::Expected(now + self.birth_timeout);
        }
    }

    fn born(&mut self, payload: Payload) {
        self.is_new = true;
        self.metrics.clear();
        self.aliases.clear();
        self.life = Life::Born;
        let sent = payload.timestamp;
        for metric in payload.metrics {
            let Some(name) = metric.name.clone() else { continue };
            if let Some(alias) = metric.alias {
                self.aliases.insert(alias, name.clone());
            }
            self.metrics.insert(name, Datum::of(metric, 0, sent));
        }
    }

    fn data(&mut self, payload: Payload) -> Vec<(String, Datum)> {
        if self.life != Life::Born {
            self.wants_birth = true;
            return Vec::new();
        }
        let mut changed = Vec::with_capacity(payload.metrics.len());
        let sent = payload.timestamp;
        for metric in payload.metrics {
            let name = metric.name.clone().or_else(|| self.aliases.get(&metric.alias?).cloned());
            let found = name.and_then(|name| self.metrics.get_mut(&name).map(|known| (name, known)));
            let Some((name, known)) = found else {
                // Its birth was another one.
                self.wants_birth = true;
                continue;
            };
            let datum = Datum::of(metric, known.datatype, sent);
            if !datum.is_historical {
                *known = datum.clone();
            }
            changed.push((name, datum));
        }
        changed
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.group, self.node)?;
        self.device.as_ref().map_or(Ok(()), |device| write!(f, "/{device}"))
    }
}

/// The names of the metrics in a birth, and the numbers of their data types; none in what is no birth.
pub(crate) fn birth(payload: &[u8]) -> Vec<(String, u32)> {
    let metrics = Payload::decode(payload).map(|payload| payload.metrics).unwrap_or_default();
    metrics.into_iter().filter_map(|metric| Some((metric.name?, metric.datatype?))).collect()
}

fn bd_seq(payload: &Payload) -> Option<u64> {
    let metric = payload.metrics.iter().find(|metric| metric.name.as_deref() == Some("bdSeq"))?;
    match metric.content {
        Some(Content::Long(number)) => Some(number),
        Some(Content::Int(number)) => Some(number.into()),
        _ => None,
    }
}

fn command(metric: Metric) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = u64::try_from(now.as_millis()).ok();
    Payload { timestamp, metrics: vec![metric], seq: None }.encode_to_vec()
}
