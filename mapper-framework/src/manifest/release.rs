//! Which release of KubeEdge knows which field. The API server of an older one refuses it.

use std::{fmt, str::FromStr};

use serde_json::Value;

use super::Fault;

/// A minor release of KubeEdge 1, from v1.15, the first with `v1beta1`, to the newest that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(u8);

const OLDEST: Release = Release(15);
const NEWEST: Release = Release(23);

/// A text that is no such release.
#[derive(Debug, thiserror::Error)]
#[error("write a release from {OLDEST} to {NEWEST}, such as v1.21")]
pub(crate) struct UnknownRelease;

impl Release {
    /// The first that looks for a device's namespace in a topic, and loses some.
    pub(crate) const LOSES_NAMESPACES: Self = Self(16);
}

impl Default for Release {
    fn default() -> Self {
        NEWEST
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1.{}", self.0)
    }
}

impl FromStr for Release {
    type Err = UnknownRelease;

    /// Takes `v1.21`, `1.21` and `v1.21.3`.
    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(str::parse::<u8>);
        match (numbers.next(), numbers.next(), numbers.next().unwrap_or(Ok(0)), numbers.next()) {
            (Some(Ok(1)), Some(Ok(minor)), Ok(_), None) if (OLDEST.0..=NEWEST.0).contains(&minor) => Ok(Self(minor)),
            _ => Err(UnknownRelease),
        }
    }
}

/// A field that not all releases have.
struct Newer {
    kind: &'static str,
    /// With `[]` for each item of a list.
    place: &'static str,
    since: Release,
}

const fn newer(kind: &'static str, place: &'static str, since: u8) -> Newer {
    Newer { kind, place, since: Release(since) }
}

/// From the resource definitions of v1.18.0 and v1.23.0, which the tests compare with this, and the Go types of `github.com/kubeedge/api`
/// v1.20.0, v1.21.0 and v1.23.0. The push methods of v1.16 and v1.17, and that it was v1.19 that brought its fields, are from KubeEdge's sources. The
/// model's fields are in the types of v1.23 and not of v1.21; v1.22 is taken to have them.
const NEWER: [Newer; 11] = [
    newer("Device", "spec.properties[].pushMethod.dbMethod.redis", 16),
    newer("Device", "spec.properties[].pushMethod.dbMethod.TDEngine", 16),
    newer("Device", "spec.properties[].pushMethod.dbMethod.mysql", 17),
    newer("Device", "spec.properties[].pushMethod.otel", 19),
    newer("Device", "spec.methods", 19),
    newer("Device", "status.reportToCloud", 19),
    newer("Device", "status.reportCycle", 19),
    newer("DeviceModel", "spec.properties[].visitors", 22),
    newer("DeviceModel", "spec.protocolConfigData", 22),
    newer("Device", "spec.properties[].pushMethod.anomalyDetection", 23),
    newer("Device", "spec.stateReport", STATE_REPORT),
];

/// The release that moved the report of states from `status` into `spec`.
const STATE_REPORT: u8 = 23;

/// The fields of a document that the API server of a release refuses.
pub(crate) fn unknown_to(release: Release, document: &Value) -> Vec<Fault> {
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
    let newer = NEWER.iter().filter(|newer| newer.kind == kind && newer.since > release);
    newer.flat_map(|newer| places(document, newer.place).into_iter().map(|found| newer.fault(release, found))).collect()
}

/// A place of a document that holds something, and the property that it belongs to.
struct Found {
    field: String,
    property: Option<String>,
}

fn places(document: &Value, place: &str) -> Vec<Found> {
    let mut found = vec![(document, Found { field: String::new(), property: None })];
    for part in place.split('.') {
        let (key, is_list) = part.strip_suffix("[]").map_or((part, false), |key| (key, true));
        let mut next = Vec::new();
        for (value, Found { field, property }) in found {
            let field = if field.is_empty() { key.to_owned() } else { format!("{field}.{key}") };
            match value.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::Array(items)) if is_list => next.extend(items.iter().enumerate().map(|(index, item)| {
                    let property = item.get("name").and_then(Value::as_str).map(str::to_owned);
                    (item, Found { field: format!("{field}[{index}]"), property })
                })),
                Some(value) => next.push((value, Found { field, property })),
            }
        }
        found = next;
    }
    found.into_iter().map(|(_, found)| found).collect()
}

impl Newer {
    fn fault(&self, release: Release, Found { field, property }: Found) -> Fault {
        let message =
            format!("KubeEdge {release} does not know it, and its API server refuses it: it came with {}", self.since);
        let cure = match (self.since, release) {
            (Release(STATE_REPORT), Release(19..)) if self.place == "spec.stateReport" => {
                "move its keys to `status`, where KubeEdge v1.19 to v1.22 have them"
            }
            _ => "take it out, or update KubeEdge",
        };
        Fault { property, ..Fault::new(field, message, cure) }
    }
}

#[cfg(test)]
mod tests;
