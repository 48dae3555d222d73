//! A property, where its values come from, and the last one.

use std::time::{Duration, SystemTime};

use mapper_framework::{Change, DataType, DriverError, Property, Reading, Value, model::Quality};
use tokio::time::Instant;

use crate::{
    codec::{self, Payload},
    config::{Retained, Version},
    plan::{Plan, Source},
    share::Refused,
    sparkplug::{Content, Datum},
    time,
    traffic::Message,
    visitor::Visitor,
};

/// By MQTT 5 the broker keeps what is too large to itself.
const LARGER: &str = " A message of more than 16 MiB does not come";

/// A property of a session.
pub(crate) struct Point {
    property: Property<Visitor>,
    sources: Vec<Source>,
    max_age: Option<Duration>,
    retained: Retained,
    /// Where the time stands in a payload.
    time: Option<String>,
    last: Option<Result<LastValue, DriverError>>,
    /// One of its topics that the broker refuses.
    refused: Option<Refused>,
    /// How many messages came on its topics without a value for it.
    without_value: u64,
    /// Why nothing may come beside that, for messages.
    silence: &'static str,
    /// Until when the first value is waited for.
    first_value_due: Instant,
    /// Whether it was reported that the last value is too old.
    has_expired: bool,
    /// How many values the device has published, without those that the broker had kept.
    published: u64,
}

/// A value that has come.
#[derive(Clone)]
struct LastValue {
    reading: Reading,
    /// When it becomes too old.
    expires: Option<Instant>,
    /// Whether the broker had kept it.
    retained: bool,
}

impl Point {
    pub(crate) fn new(property: Property<Visitor>, sources: Vec<Source>, plan: &Plan) -> Self {
        let (visitor, config) = (property.visitor(), &plan.config);
        let time = visitor.time.as_ref().map(|pointer| pointer.0.as_str()).or(plan.time());
        Self {
            sources,
            max_age: visitor.max_age.or(config.max_age),
            retained: visitor.retained.unwrap_or(config.retained),
            time: time.map(ToOwned::to_owned),
            property,
            last: None,
            refused: None,
            without_value: 0,
            silence: if config.version == Version::V5 { LARGER } else { "" },
            first_value_due: Instant::now() + config.timeout(),
            has_expired: false,
            published: 0,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.property.name()
    }

    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Until when the first value is waited for; `None` if there is nothing to wait for.
    pub(crate) fn first_value_due(&self) -> Option<Instant> {
        (self.last.is_none() && self.refused.is_none() && !self.sources.is_empty()).then_some(self.first_value_due)
    }

    /// How many values the device has published since the session began.
    pub(crate) fn published(&self) -> u64 {
        self.published
    }

    /// Whether both read the same values from the same place.
    pub(crate) fn has_same_source(&self, other: &Self) -> bool {
        let (a, b) = (&self.property, &other.property);
        self.sources == other.sources
            && a.data_type() == b.data_type()
            // A regular expression has no equality but that of its text.
            && format!("{:?}", a.visitor()) == format!("{:?}", b.visitor())
    }

    /// Goes on with what is known of a property that was like this one.
    pub(crate) fn inherit(&mut self, other: Self) {
        let property = self.property.clone();
        *self = Self { property, ..other };
    }

    /// Learns which topics the broker refuses. What that changes is returned: nothing where its values come on another topic.
    pub(crate) fn set_refused(&mut self, refused: &[Refused]) -> Option<Change> {
        let is_own = |it: &&Refused| self.sources.iter().any(|source| source.filter == it.filter);
        let refused = refused.iter().find(is_own).cloned();
        if refused == std::mem::replace(&mut self.refused, refused.clone()) || self.has_come() {
            return None;
        }
        Some(Change::failed(self.name(), self.missing()))
    }

    /// Whether it has no value because of the broker's refusal.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.is_some() && !self.has_come()
    }

    /// Takes a message on the topic of one of the sources. `None` if it has nothing new.
    pub(crate) fn take(&mut self, source: usize, message: &Message, payload: &Payload<'_>) -> Option<Change> {
        if message.retained && self.retained == Retained::Ignore {
            return None;
        }
        let pointer = self.sources.get(source)?.pointer.as_deref();
        let decoded = match message.excess() {
            None => codec::decode(payload, pointer, &self.property),
            Some(excess) => Err(DriverError::failed(excess)),
        };
        let value = match decoded {
            Ok(Some(value)) => self.reading_of(value, message, payload),
            Ok(None) => {
                self.without_value += 1;
                return None;
            }
            Err(error) => Err(DriverError::failed(format_args!("{}: {error}", message.topic))),
        };
        Some(self.put(value))
    }

    /// The metric of Sparkplug that it stands for; none of another family's.
    pub(crate) fn metric(&self) -> &str {
        self.property.visitor().metric.as_deref().unwrap_or_default()
    }

    /// Takes the value of its metric.
    pub(crate) fn take_datum(&mut self, datum: &Datum) -> Option<Change> {
        let value = match (&datum.value, self.property.data_type()) {
            (Ok(Content::Bytes(bytes)), DataType::Bytes) => Ok(Some(bytes.clone().into())),
            _ => datum.json().map_err(DriverError::failed).and_then(|json| codec::decode_json(&json, &self.property)),
        };
        let time = datum.time.unwrap_or_else(SystemTime::now);
        let reading = value.transpose()?.and_then(|value| Ok(value.conform(self.property.data_type())?));
        let reading = reading.map(|value| Reading::new(value).at(time).quality(datum.quality));
        if datum.is_historical {
            // It is passed on with its time, and is not the last one.
            return Some(Change::new(self.name(), reading.ok()?));
        }
        Some(self.put(reading.map(|reading| (reading, false))))
    }

    /// Takes a value, or why there is none: a reading, and whether the broker had kept it.
    pub(crate) fn put(&mut self, value: Result<(Reading, bool), DriverError>) -> Change {
        self.has_expired = false;
        let change = match &value {
            Ok((reading, retained)) => {
                self.published += u64::from(!retained);
                Change::new(self.name(), reading.clone())
            }
            Err(error) => Change::failed(self.name(), error.clone()),
        };
        self.last =
            Some(value.map(|(reading, retained)| LastValue { expires: self.expires(&reading), reading, retained }));
        change
    }

    fn reading_of(
        &self,
        value: Value,
        message: &Message,
        payload: &Payload<'_>,
    ) -> Result<(Reading, bool), DriverError> {
        let visitor = self.property.visitor();
        let reading = Reading::new(value.conform(self.property.data_type())?);
        let own = self.time.as_deref().and_then(|pointer| payload.json()?.pointer(pointer));
        if let Some(own) = own {
            let time = time::parse(own, visitor.time_offset)
                .map_err(|error| DriverError::failed(format_args!("{}: its time: {error}", message.topic)))?;
            return Ok((reading.at(time), message.retained));
        }
        let reading = reading.at(message.at);
        let is_doubtful = message.retained && self.retained == Retained::Uncertain;
        Ok((if is_doubtful { reading.quality(Quality::Uncertain) } else { reading }, message.retained))
    }

    /// When a reading becomes too old, if it ever does. One that is too old already does so at once.
    fn expires(&self, reading: &Reading) -> Option<Instant> {
        let age = reading.get_time().and_then(|time| SystemTime::now().duration_since(time).ok()).unwrap_or_default();
        Some(Instant::now() + self.max_age?.saturating_sub(age))
    }

    /// Whether its value can become too old.
    pub(crate) fn is_limited(&self) -> bool {
        self.max_age.is_some()
    }

    /// When there is something to report if no message comes.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.last {
            Some(Ok(known)) if !self.has_expired => known.expires,
            _ => None,
        }
    }

    /// Reports that the last value is too old, once.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Change> {
        self.due().filter(|due| *due <= now)?;
        self.has_expired = true;
        let error = self.read().err()?;
        Some(Change::failed(self.name(), error))
    }

    /// The last value, if it is not too old.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) fn read(&self) -> Result<Reading, DriverError> {
        let known = match &self.last {
            Some(Ok(known)) => known,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err(self.missing()),
        };
        if let (Some(expires), Some(max_age)) = (known.expires, self.max_age)
            && expires <= Instant::now()
        {
            return Err(DriverError::failed(format_args!(
                "the last value is older than {max_age:?}, its maxAge: nothing newer has come on {}",
                self.topics()
            )));
        }
        Ok(known.reading.clone())
    }

    /// Whether the last value was published by the device itself less than `maxAge` ago.
    pub(crate) fn is_recent(&self) -> bool {
        let expires = self.last.as_ref().and_then(|last| last.as_ref().ok()?.expires);
        expires.is_some_and(|expires| expires > Instant::now())
    }

    /// The last value, if the device itself has published it since the session began, and it can be trusted.
    pub(crate) fn shown(&self) -> Option<&Value> {
        match &self.last {
            Some(Ok(LastValue { reading, retained: false, .. })) if reading.get_quality() == Quality::Good => {
                Some(reading.get_value())
            }
            _ => None,
        }
    }

    /// What the device shows after a command, for messages; `before` is [`published`](Self::published) before it.
    pub(crate) fn shows(&self, before: u64) -> String {
        match &self.last {
            None => "nothing has come".to_owned(),
            Some(Ok(known)) if self.published == before => {
                format!("nothing has come since, and the last value is {}", known.reading.get_value())
            }
            Some(Ok(known)) => format!("the last value is {}", known.reading.get_value()),
            Some(Err(error)) => error.to_string(),
        }
    }

    /// Whether a value is there that counts.
    pub(crate) fn is_alive(&self) -> bool {
        self.read().is_ok()
    }

    /// Whether anything has come for it.
    pub(crate) fn has_come(&self) -> bool {
        self.last.is_some()
    }

    pub(crate) fn topics(&self) -> String {
        self.sources.iter().map(|source| source.filter.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn missing(&self) -> DriverError {
        if let Some(refused) = &self.refused {
            return DriverError::refused(refused);
        }
        let topics = self.topics();
        match (self.sources.is_empty(), self.without_value) {
            (true, _) => DriverError::unsupported("it has a command only, and no topic to read it from"),
            (false, 0) => DriverError::failed(format_args!(
                "nothing has come on {topics} yet: is the topic right, and may the mapper's user read it?{}",
                self.silence
            )),
            (false, count) => DriverError::failed(format_args!(
                "of {count} messages on {topics} none has a value for it: is its `pointer` or `pattern` right?"
            )),
        }
    }
}
