//! The lines of a recording. The names here are the format's: docs/recording-a-session.md.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    driver::DriverError,
    model::{DataType, DeviceState, Quality, Reading, Secrets, Value},
};

/// What the first line has in each version.
#[derive(Debug, Deserialize)]
pub(super) struct Form {
    pub(super) format: String,
    pub(super) version: u32,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) protocol: String,
    /// Name and version of the mapper.
    pub(super) mapper: String,
    /// When it began, in milliseconds since 1970.
    pub(super) began: u64,
}

/// Any other line: a call that has ended, or bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Microseconds from the recording's beginning to the call's end.
    pub(super) at: u64,
    /// Microseconds that the call took.
    pub(super) took: u64,
    pub(super) device: String,
    /// Which of the device's sessions, from 1.
    pub(super) session: u64,
    #[serde(flatten)]
    pub(super) event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "camelCase")]
pub(super) enum Event {
    Connect {
        /// The device with its model, if they are not those of its last session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifests: Option<String>,
        outcome: Outcome<()>,
    },
    Subscribe {
        outcome: Outcome<Vec<String>>,
    },
    Read {
        /// What was read of each property; nothing where the driver has put in nothing.
        results: Vec<(String, Option<Outcome<Read>>)>,
        outcome: Outcome<()>,
    },
    Write {
        property: String,
        value: Text,
        outcome: Outcome<()>,
    },
    Call {
        method: String,
        arguments: Vec<(String, Text)>,
        outcome: Outcome<Vec<Text>>,
    },
    State {
        outcome: Outcome<String>,
    },
    Changed {
        outcome: Outcome<Vec<(String, Outcome<Read>)>>,
    },
    Stream {
        outcome: Outcome<()>,
    },
    Close,
    /// A call that was given up before it had an outcome.
    CutOff {
        of: String,
        /// The properties that it was for.
        properties: Vec<String>,
    },
    Sent {
        bytes: String,
    },
    Received {
        bytes: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Outcome<T> {
    Ok(T),
    Err(Failure),
}

/// A [`DriverError`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: String,
    pub(super) message: String,
}

/// A value as its type and its text, so that no digit is lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Text(String, String);

/// A [`Reading`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Read {
    value: Text,
    /// How old it was when the call ended, in microseconds, where the device says when it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
    #[serde(default, skip_serializing_if = "is_good")]
    quality: String,
}

fn is_good(quality: &str) -> bool {
    quality.is_empty()
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

impl<T> Outcome<T> {
    pub(super) fn of<U>(result: &Result<U, DriverError>, secrets: &Secrets, ok: impl FnOnce(&U) -> T) -> Self {
        match result {
            Ok(value) => Self::Ok(ok(value)),
            Err(error) => Self::failed(error, secrets),
        }
    }

    pub(super) fn failed(error: &DriverError, secrets: &Secrets) -> Self {
        Self::Err(Failure { kind: error.kind_word().to_owned(), message: secrets.redacted(&error.to_string()) })
    }

    pub(super) fn done(result: &Result<(), DriverError>, secrets: &Secrets) -> Outcome<()> {
        Outcome::of(result, secrets, |()| ())
    }

    pub(super) fn into_result(self) -> Result<T, DriverError> {
        match self {
            Self::Ok(value) => Ok(value),
            Self::Err(failure) => Err(failure.into_error()),
        }
    }
}

impl Failure {
    pub(super) fn into_error(self) -> DriverError {
        DriverError::of_kind_word(&self.kind, self.message)
    }
}

impl Text {
    pub(super) fn of(value: &Value) -> Self {
        let (data_type, text) = match value {
            Value::Int(int) => (DataType::Int, int.to_string()),
            Value::Float(float) => (DataType::Float, float.to_string()),
            Value::Double(double) => (DataType::Double, double.to_string()),
            Value::String(text) => (DataType::String, text.clone()),
            Value::Boolean(boolean) => (DataType::Boolean, boolean.to_string()),
            Value::Bytes(bytes) => (DataType::Bytes, base64(bytes)),
        };
        Self(data_type.as_str().to_owned(), text)
    }

    /// The value; `None` if it is none.
    pub(super) fn value(&self) -> Option<Value> {
        let Self(data_type, text) = self;
        Some(match data_type.parse().ok()? {
            DataType::Int => Value::Int(text.parse().ok()?),
            DataType::Float => Value::Float(text.parse().ok()?),
            DataType::Double => Value::Double(text.parse().ok()?),
            DataType::Boolean => Value::Boolean(text.parse().ok()?),
            DataType::Bytes => Value::Bytes(STANDARD.decode(text).ok()?.into()),
            DataType::String | DataType::Stream => Value::String(text.clone()),
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.1
    }
}

impl Read {
    pub(super) fn of(reading: &Reading) -> Self {
        let age = reading.get_time().map(|time| micros(SystemTime::now().duration_since(time).unwrap_or_default()));
        let quality = match reading.get_quality() {
            Quality::Good => String::new(),
            other => other.as_str().to_owned(),
        };
        Self { value: Text::of(reading.get_value()), age, quality }
    }

    pub(super) fn reading(&self) -> Result<Reading, DriverError> {
        let value = self.value.value();
        let value = value.ok_or_else(|| DriverError::refused(format_args!("{:?} is no value", self.value)))?;
        let quality = match self.quality.as_str() {
            "uncertain" => Quality::Uncertain,
            "bad" => Quality::Bad,
            _ => Quality::Good,
        };
        let reading = Reading::new(value).quality(quality);
        let time = self.age.and_then(|age| SystemTime::now().checked_sub(Duration::from_micros(age)));
        Ok(match time {
            Some(time) => reading.at(time),
            None => reading,
        })
    }
}

/// The state of this word.
pub(super) fn state(word: &str) -> DeviceState {
    use DeviceState as S;
    let all = [S::Ok, S::Online, S::Offline, S::Disconnected, S::Unhealthy];
    all.into_iter().find(|state| state.as_str() == word).unwrap_or(S::Unknown)
}
