//! The sections for each protocol that v1alpha1 and v1alpha2 have, as `protocolName` and `configData`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Fields, Notes};
use crate::manifest::{Fault, yaml::Yaml};

/// The protocols with a section of their own, which are named like it.
const BUILT_IN: [&str; 3] = ["modbus", "opcua", "bluetooth"];
const CUSTOMIZED: &str = "customizedProtocol";
/// Sections within a section, whose keys go up to the others.
const NESTED: [&str; 4] = ["tcp", "rtu", "com", "customizedValues"];

/// The protocol of a device: what its own section says, or else its visitors.
pub(super) fn name<'a>(protocol: Option<&'a Value>, visitors: impl Iterator<Item = &'a Value>) -> Option<String> {
    protocol.into_iter().chain(visitors).filter_map(Value::as_object).find_map(named)
}

fn named(sections: &Map<String, Value>) -> Option<String> {
    let built_in = BUILT_IN.iter().find(|name| sections.get(**name).is_some_and(|section| !section.is_null()));
    let customized = || sections.get(CUSTOMIZED)?.get("protocolName")?.as_str();
    built_in.copied().or_else(customized).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The protocol that a visitor names.
pub(super) fn of_visitor(visitor: &Fields) -> Option<String> {
    named(visitor.as_map())
}

/// Takes the section of a protocol, which is the only one, and gives its name and keys.
pub(super) fn section(sections: &mut Fields, notes: &mut Notes) -> (Option<String>, ConfigData) {
    let mut data = ConfigData::default();
    if let Some(name) = BUILT_IN.into_iter().find(|name| sections.as_map().get(*name).is_some_and(|it| !it.is_null())) {
        data.add(sections.section(name, notes), notes);
        return (Some(name.to_owned()), data);
    }
    let mut customized = sections.section(CUSTOMIZED, notes);
    let name = customized.text("protocolName");
    data.add(customized.section("configData", notes), notes);
    customized.leave(notes);
    ((!name.is_empty()).then_some(name), data)
}

/// Adds `protocol.common`. Of its own keys, none was read by the mappers that KubeEdge had for the protocols with a section.
///
//= mappers-go pkg/driver: of ProtocolConfigCommon, COM, TCP and CustomizedValues are read
pub(super) fn common(name: Option<&str>, mut common: Fields, data: &mut ConfigData, notes: &mut Notes) {
    let Some(name) = name.filter(|name| BUILT_IN.contains(name)) else { return data.add(common, notes) };
    for section in NESTED {
        let mut nested = common.section(section, notes);
        if name == "modbus" && section == "customizedValues" {
            rs485(&mut nested, data, notes);
        }
        data.add(nested, notes);
    }
    for (path, _, value) in common.into_entries() {
        let why = format!("the {name} mapper of mappers-go did not read it");
        notes.left_out(&path, &value, &why, "write the key by which the new driver knows it, if there is one");
    }
}

/// How the Go mapper for Modbus was told of RS485, by the key that it has for that in v1beta1.
fn rs485(values: &mut Fields, data: &mut ConfigData, notes: &mut Notes) {
    let path = values.path("serialType");
    match values.text("serialType").as_str() {
        "" => {}
        "RS485" => data.insert(path, "rs485Enabled".to_owned(), true.into(), notes),
        other => notes.left_out(&path, &other.into(), "only RS485 makes a difference", "nothing is to be done"),
    }
}

/// Says what takes the place of keys of OPC UA that the driver among the examples refuses.
pub(super) fn opcua(data: &ConfigData, notes: &mut Notes) {
    const CREDENTIALS: &str =
        "take it out, and name a folder in driver.credentials by `credentials`, with the files username and password";
    const PKI: &str = "take it out: the mapper's certificate and key lie in driver.settings.pki";
    let cures = [
        ("userName", CREDENTIALS),
        ("password", CREDENTIALS),
        ("certificate", PKI),
        ("privateKey", PKI),
        ("timeout", "write milliseconds, 5000 for 5"),
    ];
    for (key, cure) in cures {
        if let Some((path, _)) = data.0.get(key) {
            notes.add(Fault::new(path, "is written as it was, which examples/opcua refuses", cure));
        }
    }
}

/// The keys that become `configData`.
#[derive(Default)]
pub(super) struct ConfigData(BTreeMap<String, (String, Value)>);

impl ConfigData {
    /// Adds keys. Those of sections within come to stand beside the others.
    pub(super) fn add(&mut self, mut fields: Fields, notes: &mut Notes) {
        for name in NESTED {
            let nested = fields.section(name, notes);
            if !nested.is_empty() {
                self.add(nested, notes);
            }
        }
        for (path, key, value) in fields.into_entries() {
            self.insert(path, key, value, notes);
        }
    }

    fn insert(&mut self, path: String, key: String, value: Value, notes: &mut Notes) {
        let value = match value {
            Value::Null => {
                return notes.left_out(&path, &value, "edgecore cannot send null", "give it a value if it is needed");
            }
            Value::Array(_) | Value::Object(_) => {
                let message = "written as a text of JSON, since edgecore sends numbers, strings and booleans only";
                notes.add(Fault::new(
                    &path,
                    message,
                    "have the driver read it from the text, or write one key for each value",
                ));
                Value::String(value.to_string())
            }
            scalar => scalar,
        };
        match self.0.get(&key) {
            Some((_, present)) if *present == value => {}
            Some((other, _)) => {
                let why = format!("{other} has become the same key of configData");
                notes.left_out(&path, &value, &why, "name one of them otherwise, as the driver reads it");
            }
            None => drop(self.0.insert(key, (path, value))),
        }
    }

    pub(super) fn into_yaml(self) -> Option<Yaml> {
        Yaml::Map(self.0.into_iter().map(|(key, (_, value))| (key, value.into())).collect()).filled()
    }
}
