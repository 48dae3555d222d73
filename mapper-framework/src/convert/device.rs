//! Devices.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Fields, Library, Notes, Resource, assembled, cycle, metadata,
    protocol::{self, ConfigData},
};
use crate::manifest::{Fault, yaml::Yaml};

/// Where the broker of a node listens, which v1alpha2 has in the old mapper's config.
const BROKER: &str = "tcp://127.0.0.1:1883";
/// The topic of v1alpha2 where a device names none. A mapper puts the device's name in the place of `+`.
const DATA_TOPIC: &str = "$ke/events/device/+/data/update";

/// What the old manifest says of a property, wherever it stands there.
#[derive(Default)]
struct Property {
    visitor: Option<Fields>,
    desired: Option<(String, String)>,
    is_twin: bool,
    /// Where it is published to.
    topic: Option<String>,
}

/// The properties in the order in which they are found.
#[derive(Default)]
struct Properties {
    names: Vec<String>,
    properties: BTreeMap<String, Property>,
}

impl Properties {
    fn get(&mut self, name: &str) -> &mut Property {
        if !self.properties.contains_key(name) {
            self.names.push(name.to_owned());
        }
        self.properties.entry(name.to_owned()).or_default()
    }
}

pub(super) fn convert(resource: &Resource<'_>, library: &Library<'_>, own_protocol: &str, notes: &mut Notes) -> Yaml {
    let mut device = resource.fields(notes);
    let metadata = metadata(&mut device, notes);
    let mut spec = device.section("spec", notes);
    let model_ref = spec.section("deviceModelRef", notes).text("name");
    let model = library.model(resource.value(), &model_ref);

    let mut properties = Properties::default();
    visitors(&mut spec, model, &mut properties, notes);
    twins(&mut device, &mut properties, notes);
    let name = resource.value().pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    data(&mut spec, name, &mut properties, notes);
    if properties.names.is_empty() {
        let message = "the device has no property visitors, twins or data properties, and gets no properties";
        notes.add(Fault::new("spec", message, "convert it in one call with its model, or write them"));
    }

    let (protocol_name, config) = protocol(&mut spec, own_protocol, &properties, notes);
    let node = node(&mut spec, notes);
    let Properties { names, properties: mut of } = properties;
    let read_only = read_only(model);
    let converted = names.into_iter().map(|name| {
        let property = of.remove(&name).unwrap_or_default();
        let is_read_only = read_only.contains(name.as_str());
        property.convert(&name, &protocol_name, is_read_only, notes)
    });
    let properties = Yaml::List(converted.collect());
    spec.leave(notes);
    device.leave(notes);
    let protocol = Yaml::map([("protocolName", Yaml::text(&protocol_name)), ("configData", config.into_yaml())]);
    let spec = Yaml::map([
        ("deviceModelRef", Some(Yaml::map([("name", Yaml::text(&model_ref))]))),
        ("nodeName", node.as_deref().and_then(Yaml::text)),
        ("protocol", Some(protocol)),
        ("properties", properties.filled()),
    ]);
    assembled("Device", metadata, spec)
}

/// `propertyVisitors` of the device, and those of the model that it does not have itself.
fn visitors(spec: &mut Fields, model: Option<&Value>, properties: &mut Properties, notes: &mut Notes) {
    let own = spec.list("propertyVisitors", notes);
    // What is odd in the model's is noted where it is converted: in each device.
    let model = model.and_then(|model| model.get("propertyVisitors")).map(|list| json!({"propertyVisitors": list}));
    let models = Fields::of("spec.deviceModelRef", model, notes).list("propertyVisitors", notes);
    let own_names: BTreeSet<_> = own.iter().map(|visitor| visitor.peek("propertyName").to_owned()).collect();
    let inherited = models.into_iter().filter(|visitor| !own_names.contains(visitor.peek("propertyName")));
    for mut visitor in own.into_iter().chain(inherited) {
        let (place, name) = (visitor.path("propertyName"), visitor.text("propertyName"));
        let property = properties.get(&name);
        if property.visitor.is_some() {
            notes.add(Fault::new(place, format!("{name} stands twice, and the first one counts"), "take one out"));
            continue;
        }
        property.visitor = Some(visitor);
    }
}

/// `status.twins`: which properties are reported, and what is desired of them.
fn twins(device: &mut Fields, properties: &mut Properties, notes: &mut Notes) {
    let mut status = device.section("status", notes);
    let mut left = BTreeSet::new();
    for mut twin in status.list("twins", notes) {
        let property = properties.get(&twin.text("propertyName"));
        property.is_twin = true;
        let mut desired = twin.section("desired", notes);
        let value = desired.text("value");
        if !value.is_empty() {
            property.desired = Some((desired.path("value"), value));
        }
        left.extend(desired.take("metadata").map(|_| "metadata of desired values"));
        left.extend(twin.take("reported").map(|_| "reported values"));
        desired.leave(notes);
        twin.leave(notes);
    }
    left.extend(status.take("state").map(|_| "state"));
    left.extend(status.take("lastOnline").map(|_| "lastOnline"));
    if !left.is_empty() {
        let left = left.into_iter().collect::<Vec<_>>().join(", ");
        notes.add(Fault::new(
            "status",
            format!("{left}: left out, since the mapper reports anew"),
            "nothing is to be done",
        ));
    }
    status.leave(notes);
}

/// `spec.data`: which properties are published on the node.
fn data(spec: &mut Fields, device: &str, properties: &mut Properties, notes: &mut Notes) {
    let mut data = spec.section("data", notes);
    let topic = data.text("dataTopic");
    let topic = if topic.is_empty() { DATA_TOPIC } else { &topic }.replace('+', device);
    let mut is_published = false;
    for mut property in data.list("dataProperties", notes) {
        properties.get(&property.text("propertyName")).topic = Some(topic.clone());
        is_published = true;
        if let Some(metadata) = property.take("metadata") {
            let why = "the model has the type, and a sink's record its time";
            notes.left_out(&property.path("metadata"), &metadata, why, "nothing is to be done");
        }
        property.leave(notes);
    }
    if is_published {
        let message =
            format!("its properties are published by pushMethod.mqtt to {BROKER}, as JSON of the framework's own");
        notes.add(Fault::new("spec.data", message, "correct the address to that of the old mapper's config"));
    }
    data.leave(notes);
}

/// The device's protocol, or that of its visitors, or the mapper's own.
fn protocol(spec: &mut Fields, own: &str, properties: &Properties, notes: &mut Notes) -> (String, ConfigData) {
    let mut sections = spec.section("protocol", notes);
    let (name, mut config) = protocol::section(&mut sections, notes);
    protocol::common(name.as_deref(), sections.section("common", notes), &mut config, notes);
    sections.leave(notes);
    if name.as_deref() == Some("opcua") {
        protocol::opcua(&config, notes);
    }
    let visitors = properties.properties.values().filter_map(|property| property.visitor.as_ref());
    let name = name.or_else(|| visitors.filter_map(protocol::of_visitor).next()).unwrap_or_else(|| {
        let message = format!("the device names no protocol, and gets the mapper's own, {own:?}");
        notes.add(Fault::new("spec.protocol", message, "convert it by the program of its mapper, or correct the name"));
        own.to_owned()
    });
    (name, config)
}

/// The node of `nodeSelector`.
///
//= KubeEdge v1.14 cloud/pkg/devicecontroller/controller/downstream.go: NodeSelectorTerms[0].MatchExpressions[0].Values[0] is the node
fn node(spec: &mut Fields, notes: &mut Notes) -> Option<String> {
    let selector = spec.take("nodeSelector");
    let values = selector.as_ref().and_then(|it| it.pointer("/nodeSelectorTerms/0/matchExpressions/0/values"));
    let node = values.and_then(|values| values.get(0)).and_then(Value::as_str).map(|node| node.trim().to_owned());
    let Some(node) = node.filter(|node| !node.is_empty()) else {
        let message = match &selector {
            Some(selector) => format!("{selector} names no node, and is left out"),
            None => "missing, and so is nodeName".to_owned(),
        };
        notes.add(Fault::new("spec.nodeSelector", message, "write the name of the node to spec.nodeName"));
        return None;
    };
    let plain = |key: &str| {
        let expression = json!({"key": key, "operator": "In", "values": values});
        Some(json!({"nodeSelectorTerms": [{"matchExpressions": [expression]}]}))
    };
    let has_one = values.and_then(Value::as_array).is_some_and(|values| values.len() == 1);
    let is_plain = has_one && ["", "kubernetes.io/hostname"].iter().any(|key| plain(key) == selector);
    if !is_plain {
        let message = format!("{}: of it, only {node} is carried over, as KubeEdge does", selector.unwrap_or_default());
        notes.add(Fault::new(
            "spec.nodeSelector",
            message,
            "a device has one node: make a Device for each further one",
        ));
    }
    Some(node)
}

/// The properties of a model that may not be written.
fn read_only(model: Option<&Value>) -> BTreeSet<&str> {
    let properties = model.and_then(|model| model.get("properties")).and_then(Value::as_array).into_iter().flatten();
    let is_read_only = |property: &&Value| {
        let types = property.get("type").and_then(Value::as_object).into_iter().flat_map(|types| types.values());
        types.into_iter().any(|rules| rules.get("accessMode").and_then(Value::as_str) != Some("ReadWrite"))
    };
    properties.filter(is_read_only).filter_map(|property| property.get("name").and_then(Value::as_str)).collect()
}

impl Property {
    fn convert(self, name: &str, protocol: &str, is_read_only: bool, notes: &mut Notes) -> Yaml {
        let Self { visitor, desired, is_twin, topic } = self;
        let (mut collect, mut report, mut visitors) = (None, None, None);
        if let Some(mut visitor) = visitor {
            (collect, report) =
                (cycle::millis(&mut visitor, "collectCycle", notes), cycle::millis(&mut visitor, "reportCycle", notes));
            if !is_twin && topic.is_none() {
                let message = format!("{name} was no twin, and is reported from now on");
                notes.add(Fault::new(
                    visitor.path(""),
                    message,
                    "take reportToCloud out if nobody needs it in the cloud",
                ));
            }
            let (own, mut config) = protocol::section(&mut visitor, notes);
            let values = visitor.section("customizedValues", notes);
            config.add(values, notes);
            let own = own.unwrap_or_else(|| protocol.to_owned());
            visitors = Some(Yaml::map([("protocolName", Yaml::text(&own)), ("configData", config.into_yaml())]));
            visitor.leave(notes);
        }
        let desired = desired.filter(|(place, value)| {
            if is_read_only {
                let why = "the model has the property as ReadOnly, and the old mapper did not write it";
                notes.left_out(
                    place,
                    &value.as_str().into(),
                    why,
                    "write ReadWrite in the model if it is to be written",
                );
            }
            !is_read_only
        });
        let push = topic.as_ref().map(|topic| {
            let mqtt = [("address", Some(BROKER.into())), ("topic", Yaml::text(topic)), ("qos", Some(json!(0).into()))];
            Yaml::map([("mqtt", Some(Yaml::map(mqtt)))])
        });
        let is_reported = is_twin || topic.is_none();
        Yaml::map([
            ("name", Yaml::text(name)),
            ("desired", desired.map(|(_, value)| Yaml::map([("value", Some(value.as_str().into()))]))),
            ("visitors", visitors),
            ("collectCycle", collect.map(|millis| json!(millis).into())),
            ("reportCycle", report.map(|millis| json!(millis).into())),
            ("reportToCloud", is_reported.then(|| json!(true).into())),
            ("pushMethod", push),
        ])
    }
}
