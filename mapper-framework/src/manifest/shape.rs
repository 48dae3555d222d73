//! The shapes of the custom resources: which keys there are, and what may stand at them.
//!
//! They follow KubeEdge's resource definitions, of which those of v1.23 hold all keys of the older ones. The API server refuses other keys
//! and types, and takes null for an absent key. `tests/tests/deploy/mutations.rs` holds both against the API server's own code.

use Shape::{Flag, Int, List, Long, Map, MapWith, Open, OpenWith, Text, Texts, Word};

/// What may stand at a key.
#[derive(Debug)]
pub(super) enum Shape {
    /// These keys, and no others.
    Map(&'static [(&'static str, Shape)]),
    /// These keys, of which this one has to be there.
    MapWith(&'static str, &'static [(&'static str, Shape)]),
    List(&'static Shape),
    /// Any keys, with texts.
    Texts,
    /// Any keys, with whatever.
    Open,
    /// Any keys; these with what they name.
    OpenWith(&'static [(&'static str, Shape)]),
    Text,
    /// Text that is not empty, where it is there at all: one of several words, which its rule knows.
    Word,
    /// An integer of 64 bits.
    Long,
    /// An integer of 32 bits.
    Int,
    Flag,
}

pub(super) const DEVICE: Shape = Map(&[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", METADATA),
    ("spec", DEVICE_SPEC),
    // What v1.18 and older have there is closed, but clusters write it and not people.
    ("status", OpenWith(&[("reportToCloud", Flag), ("reportCycle", Long)])),
]);

pub(super) const MODEL: Shape =
    Map(&[("apiVersion", Text), ("kind", Text), ("metadata", METADATA), ("spec", MODEL_SPEC)]);

/// Kubernetes' own.
const METADATA: Shape = Map(&[
    ("name", Text),
    ("namespace", Text),
    ("labels", Texts),
    ("annotations", Texts),
    ("generateName", Text),
    ("finalizers", List(&Text)),
    ("ownerReferences", List(&Open)),
    ("managedFields", List(&Open)),
    ("creationTimestamp", Text),
    ("deletionTimestamp", Text),
    ("deletionGracePeriodSeconds", Long),
    ("generation", Long),
    ("resourceVersion", Text),
    ("selfLink", Text),
    ("uid", Text),
]);

const MODEL_SPEC: Shape =
    Map(&[("protocol", Text), ("properties", List(&MODEL_PROPERTY)), ("protocolConfigData", Open)]);

const MODEL_PROPERTY: Shape = Map(&[
    ("name", Text),
    ("description", Text),
    ("type", Word),
    ("accessMode", Word),
    ("minimum", Text),
    ("maximum", Text),
    ("unit", Text),
    ("visitors", VISITORS),
]);

const VISITORS: Shape = Map(&[("protocolName", Text), ("configData", Open)]);

const DEVICE_SPEC: Shape = Map(&[
    ("deviceModelRef", Map(&[("name", Text)])),
    ("nodeName", Text),
    ("protocol", Map(&[("protocolName", Text), ("configData", Open)])),
    ("properties", List(&PROPERTY)),
    ("methods", List(&Map(&[("name", Text), ("description", Text), ("propertyNames", List(&Text))]))),
    ("stateReport", Map(&[("reportToCloud", Flag), ("reportCycle", Long)])),
]);

const PROPERTY: Shape = Map(&[
    ("name", Text),
    ("desired", MapWith("value", &[("value", Text), ("metadata", Texts)])),
    ("visitors", VISITORS),
    ("reportCycle", Long),
    ("collectCycle", Long),
    ("reportToCloud", Flag),
    ("pushMethod", PUSH_METHOD),
]);

const PUSH_METHOD: Shape = Map(&[
    ("http", Map(&[("hostName", Text), ("port", Long), ("requestPath", Text), ("timeout", Long)])),
    ("mqtt", Map(&[("address", Text), ("topic", Text), ("qos", Int), ("retained", Flag)])),
    ("otel", Map(&[("endpointURL", Text)])),
    ("dbMethod", DB_METHOD),
    ("anomalyDetection", Open),
]);

const DB_METHOD: Shape = Map(&[
    (
        "influxdb2",
        Map(&[
            ("influxdb2ClientConfig", Map(&[("url", Text), ("org", Text), ("bucket", Text)])),
            ("influxdb2DataConfig", Map(&[("measurement", Text), ("tag", Texts), ("fieldKey", Text)])),
        ]),
    ),
    (
        "redis",
        Map(&[("redisClientConfig", Map(&[("addr", Text), ("db", Int), ("poolsize", Int), ("minIdleConns", Int)]))]),
    ),
    ("TDEngine", Map(&[("TDEngineClientConfig", Map(&[("addr", Text), ("dbName", Text)]))])),
    ("mysql", Map(&[("mysqlClientConfig", Map(&[("addr", Text), ("database", Text), ("userName", Text)]))])),
]);

impl Shape {
    /// The keys that may stand in it; `None` where any may, or none can.
    pub(super) fn keys(&self) -> Option<&'static [(&'static str, Shape)]> {
        match self {
            Map(keys) | MapWith(_, keys) | OpenWith(keys) => Some(keys),
            _ => None,
        }
    }

    /// What is expected, in words.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Map(_) | MapWith(..) | OpenWith(_) | Texts | Open => "a mapping of keys to values",
            List(_) => "a list",
            Text | Word => "text",
            Long | Int => "a whole number",
            Flag => "true or false",
        }
    }

    /// All places of a key below this shape, each as the path of the mapping that it belongs to, such as `spec.properties[]`.
    pub(super) fn places(&self, key: &str) -> Vec<String> {
        let mut places = Vec::new();
        self.collect(key, "", &mut places);
        places
    }

    fn collect(&self, key: &str, path: &str, places: &mut Vec<String>) {
        if let List(item) = self {
            return item.collect(key, &format!("{path}[]"), places);
        }
        for (name, below) in self.keys().unwrap_or_default() {
            if *name == key {
                places.push(path.to_owned());
            }
            let dot = if path.is_empty() { "" } else { "." };
            below.collect(key, &format!("{path}{dot}{name}"), places);
        }
    }

    /// All keys below this shape.
    pub(super) fn all_keys(&self) -> Vec<&'static str> {
        if let List(item) = self {
            return item.all_keys();
        }
        let keys = self.keys().unwrap_or_default();
        keys.iter().flat_map(|(name, below)| std::iter::once(*name).chain(below.all_keys())).collect()
    }
}
