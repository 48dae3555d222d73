//! All resources of the files, and who refers to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    rc::Rc,
};

use serde_json::Value;

use super::{Fields, Notes, OLD, Text, key, note::Note, of_kubeedge, protocol};
use crate::manifest::{
    Fault, Item, items,
    lines::{self, Document},
    yaml::Yaml,
};

/// A resource of a file.
pub(super) struct Resource<'t> {
    pub(super) file: &'t Path,
    item: Item,
    /// The document's text, if the resource is all of it.
    text: Option<&'t str>,
    document: Rc<Document<'t>>,
    /// How many lines of the file stand before the document.
    above: u64,
}

/// Namespace and name.
type Key = (String, String);

#[derive(Default)]
pub(super) struct Library<'t> {
    pub(super) resources: Vec<Resource<'t>>,
    /// What is wrong with files and documents.
    pub(super) unreadable: Vec<Note>,
    /// `spec` of the old models.
    models: BTreeMap<Key, Value>,
    /// The protocols of the devices that refer to a model.
    protocols: BTreeMap<Key, BTreeSet<String>>,
}

impl<'t> Resource<'t> {
    pub(super) fn value(&self) -> &Value {
        &self.item.value
    }

    /// All keys but those that name version and kind.
    pub(super) fn fields(&self, notes: &mut Notes) -> Fields {
        let mut fields = Fields::of("", Some(self.item.value.clone()), notes);
        let _named = (fields.take("apiVersion"), fields.take("kind"));
        fields
    }

    /// The line of a field in the file.
    pub(super) fn line(&self, field: &str) -> u64 {
        self.above + self.document.line(&self.item.field(field))
    }

    pub(super) fn note(&self, fault: &Fault) -> Note {
        let Fault { field, message, cure, .. } = fault.clone();
        let name = |pointer: &str| self.value().pointer(pointer).and_then(Value::as_str);
        let id = name("/metadata/name").map(|id| format!("{}/{id}", name("/metadata/namespace").unwrap_or("default")));
        let resource = id.and_then(|id| Some(format!("{} {id}", name("/kind")?)));
        let (file, line) = (self.file.display().to_string(), self.line(&field));
        Note { file, line, is_error: false, resource, field: Some(field), message, cure }
    }

    /// The resource as it is written, with its comments where it is a document of its own.
    pub(super) fn verbatim(&self) -> String {
        match self.text {
            Some(text) => {
                let body = text.strip_prefix("---").map_or(text, |rest| rest.split_once('\n').unwrap_or_default().1);
                body.trim_end().to_owned() + "\n"
            }
            None => Yaml::from(self.value().clone()).to_string(),
        }
    }
}

impl<'t> Library<'t> {
    pub(super) fn read(texts: &'t [Text]) -> Self {
        let mut library = Self::default();
        for Text { path, text } in texts {
            match text {
                Ok(text) => lines::parts(text).into_iter().for_each(|(above, part)| library.add(path, above, part)),
                Err(unreadable) => {
                    let (message, cure) = (unreadable.message.clone(), unreadable.cure.clone());
                    library.unreadable.push(Note::of_file(path, 1, message, cure));
                }
            }
        }
        for resource in &library.resources {
            library.models.extend(model(resource.value()));
        }
        for resource in &library.resources {
            let Some((model, protocol)) = protocol_of(resource.value(), &library.models) else { continue };
            library.protocols.entry(model).or_default().extend(protocol);
        }
        library
    }

    /// Reads the text between two lines of `---`.
    fn add(&mut self, file: &'t Path, above: u64, text: &'t str) {
        let (documents, faults) = lines::read(text);
        self.unreadable.extend(faults.into_iter().map(|fault| {
            Note::of_file(file, above + fault.line, format!("not valid YAML: {}", fault.message), fault.cure)
        }));
        let is_one = documents.len() == 1;
        for document in documents.into_iter().map(Rc::new) {
            for item in items(document.value()).into_iter().filter(|item| !item.value.is_null()) {
                let text = (is_one && item.place.is_empty()).then_some(text);
                self.resources.push(Resource { file, item, text, document: Rc::clone(&document), above });
            }
        }
    }

    /// `spec` of an old model to which a device refers.
    pub(super) fn model(&self, device: &Value, name: &str) -> Option<&Value> {
        self.models.get(&key(device, name))
    }

    /// Whether a device refers to the model.
    pub(super) fn is_referred_to(&self, model: &Resource<'_>) -> bool {
        self.protocols.contains_key(&own_key(model.value()))
    }

    /// The protocols of the devices that refer to the model.
    pub(super) fn protocols_of(&self, model: &Resource<'_>) -> Vec<&str> {
        self.protocols.get(&own_key(model.value())).into_iter().flatten().map(String::as_str).collect()
    }
}

fn own_key(value: &Value) -> Key {
    key(value, value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default())
}

/// An old model with its key.
fn model(value: &Value) -> Option<(Key, Value)> {
    let (version, kind) = of_kubeedge(value)?;
    (OLD.contains(&version) && kind == "DeviceModel")
        .then(|| (own_key(value), value.get("spec").cloned().unwrap_or_default()))
}

/// The model that an old device refers to, and the protocol that it names.
fn protocol_of(value: &Value, models: &BTreeMap<Key, Value>) -> Option<(Key, Option<String>)> {
    let (version, kind) = of_kubeedge(value)?;
    let name = value.pointer("/spec/deviceModelRef/name").and_then(Value::as_str)?;
    let model = key(value, name);
    let visitors =
        [value.get("spec"), models.get(&model)].into_iter().flatten().filter_map(|spec| spec.get("propertyVisitors"));
    let protocol = protocol::name(value.pointer("/spec/protocol"), visitors.filter_map(Value::as_array).flatten());
    (OLD.contains(&version) && kind == "Device").then_some((model, protocol))
}
