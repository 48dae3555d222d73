//! Where records go: the target, which is a connection, and the route, which is an address within it.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::SinkError;

/// A place to connect to: a kind of sink, and the settings of a connection. Equal targets share one connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    kind: String,
    settings: Json,
}

impl Target {
    /// A target of a kind, with all that a connection depends on but no credential. The settings are kept on disk beside the records
    /// that wait for the target.
    ///
    /// # Panics
    ///
    /// The settings are of a type that JSON has no form for, such as a map with keys that are no strings.
    pub fn new(kind: &str, settings: &impl Serialize) -> Self {
        let settings = serde_json::to_value(settings).expect("the settings of a target have a form in JSON");
        Self { kind: kind.to_owned(), settings }
    }

    /// The name of the kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The settings, in the kind's own type.
    ///
    /// # Errors
    ///
    /// They are not of this type.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, SinkError> {
        T::deserialize(&self.settings).map_err(|error| {
            SinkError::failed(format_args!("the settings of the target are not those of {}: {error}", self.kind))
        })
    }

    pub(super) fn raw_settings(&self) -> &Json {
        &self.settings
    }

    /// A name that no other target has and that is the same at each start, such as `redis-3f9c…`. For file names and client ids.
    pub(crate) fn id(&self) -> String {
        let digest = Sha256::digest(canonical(&self.settings));
        let digits: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{digits}", self.kind)
    }
}

impl fmt::Display for Target {
    /// The kind and the settings, as in `redis {"addr":"127.0.0.1:6379","db":0}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.settings)
    }
}

/// The settings as text, the keys of each object in their order. Whether `serde_json` writes them so is decided by a Cargo feature, which any crate
/// of a mapper can switch on, and folders on disk are named by it.
fn canonical(json: &Json) -> String {
    match json {
        Json::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            let members =
                sorted.into_iter().map(|(key, value)| format!("{}:{}", Json::from(key.as_str()), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The way of one property's records: a target, and what is different from record to record of it, such as a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    target: Target,
    detail: Json,
}

impl Route {
    /// A route to a target, without anything more to say.
    pub fn to(target: Target) -> Self {
        Self { target, detail: Json::Null }
    }

    /// Adds how records are addressed within the target. [`Record::route`](super::Record::route) gives it back.
    ///
    /// # Panics
    ///
    /// The detail is of a type that JSON has no form for, such as a map with keys that are no strings.
    #[must_use]
    pub fn with(mut self, detail: &impl Serialize) -> Self {
        self.detail = serde_json::to_value(detail).expect("the detail of a route has a form in JSON");
        self
    }

    /// Where the records go.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How records are addressed within the target, in the kind's own type.
    ///
    /// # Errors
    ///
    /// It is not of this type.
    pub(super) fn detail<T: DeserializeOwned>(&self) -> Result<T, SinkError> {
        let misfit = |error| SinkError::rejected(format_args!("the route is not one of {}: {error}", self.target.kind));
        T::deserialize(&self.detail).map_err(misfit)
    }

    pub(super) fn raw_detail(&self) -> &Json {
        &self.detail
    }

    pub(super) fn from_raw(target: Target, detail: Json) -> Self {
        Self { target, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_settings_make_equal_targets_and_others_do_not() {
        let a = Target::new("redis", &("127.0.0.1:6379", 0));
        assert_eq!(a, Target::new("redis", &("127.0.0.1:6379", 0)));
        assert_ne!(a, Target::new("redis", &("127.0.0.1:6379", 1)));
        assert_ne!(a, Target::new("mysql", &("127.0.0.1:6379", 0)));
    }

    #[test]
    fn an_id_stays_what_it_is() {
        let target = Target::new("redis", &("127.0.0.1:6379", 0));
        assert_eq!(target.id(), "redis-531faabbeba9be6a", "folders on disk are named so");
    }

    #[test]
    fn the_canonical_form_is_the_usual_one_whatever_the_order() {
        let json: Json =
            serde_json::from_str(r#"{"b":[{"z":1,"y":"\"ü\n"}],"a":{},"c":[],"d":null,"e":-1.5}"#).unwrap();
        assert_eq!(canonical(&json), r#"{"a":{},"b":[{"y":"\"ü\n","z":1}],"c":[],"d":null,"e":-1.5}"#);
        assert_eq!(canonical(&json), json.to_string(), "serde_json sorts by itself in this build");
    }

    #[test]
    fn settings_and_details_come_back_as_they_were_given() {
        let route = Route::to(Target::new("mqtt", &("broker", 1883))).with(&"plant/boiler");
        assert_eq!(route.target().settings::<(String, u16)>().unwrap(), ("broker".into(), 1883));
        assert_eq!(route.detail::<String>().unwrap(), "plant/boiler");
        assert!(!route.detail::<u8>().unwrap_err().is_retryable());
    }
}
