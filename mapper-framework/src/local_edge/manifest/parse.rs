//! From YAML text to checked manifests.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::{
    DeviceManifest, ModelManifest, Parsed, Resource,
    check::{Fault, check_device, check_model, check_names},
    keys, schema,
};
use crate::{
    local_edge::error::{ManifestDetails, ManifestError},
    model::{DeviceId, ModelId},
};

const GROUP: &str = "devices.kubeedge.io/";
const API_VERSION: &str = "devices.kubeedge.io/v1beta1";

/// Reads all documents of a text. One fault refuses the whole text, so that nothing is applied by halves.
pub(in super::super) fn parse(text: &str, file: Option<&Path>) -> Result<Parsed, ManifestError> {
    // kubectl reads YAML 1.1, in which 0755 is octal and an unquoted `on` is a boolean.
    let options = serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        // A node's whole fleet fits into one file: ten thousand devices of ten properties are about two million nodes.
        budget: serde_saphyr::budget! { max_documents: 100_000, max_events: 20_000_000, max_nodes: 10_000_000 },
    };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let (message, cure) = (format!("not valid YAML: {}", plain(&error.to_string())), "correct the line".to_owned());
        ManifestDetails { file: file.map(Path::to_owned), message, cure, ..ManifestDetails::default() }
    })?;
    let mut parsed = Parsed::default();
    for (index, document) in documents.iter().enumerate() {
        let place = Place { file, document: index + 1, value: document };
        if !document.is_null() {
            place.read(&mut parsed)?;
        }
    }
    Ok(parsed)
}

/// A document and where it stands.
struct Place<'a> {
    file: Option<&'a Path>,
    document: usize,
    value: &'a Value,
}

impl Place<'_> {
    fn read(&self, parsed: &mut Parsed) -> Result<(), ManifestError> {
        let text = |key: &str| self.value.get(key).and_then(Value::as_str);
        match (text("apiVersion"), text("kind")) {
            (Some(API_VERSION), Some("DeviceModel")) => {
                let model = self.read_model(&mut parsed.warnings)?;
                parsed.resources.push(Resource::Model(model.into()));
            }
            (Some(API_VERSION), Some("Device")) => {
                let device = self.read_device(&mut parsed.warnings)?;
                parsed.resources.push(Resource::Device(device.into()));
            }
            (Some(version), Some("Device" | "DeviceModel")) if version.starts_with(GROUP) => {
                let cure = format!("write it as {API_VERSION}, which KubeEdge has since v1.15");
                return Err(self.error(Fault::new("apiVersion", format!("{version} is not supported"), cure)));
            }
            (Some(version), Some(kind)) => {
                parsed
                    .warnings
                    .push(self.warning(&format!("{kind} of {version} is no concern of an edgecore: skipped")));
            }
            (None, _) => return Err(self.error(Fault::new("apiVersion", "missing", format!("write {API_VERSION}")))),
            (_, None) => return Err(self.error(Fault::new("kind", "missing", "write Device or DeviceModel"))),
        }
        Ok(())
    }

    fn read_model(&self, warnings: &mut Vec<String>) -> Result<ModelManifest, ManifestError> {
        let document: schema::Document<schema::ModelSpec> = self.deserialize(warnings)?;
        let namespace = check_names(&document.metadata).map_err(|fault| self.error(fault))?;
        check_model(&document.spec).map_err(|fault| self.error(fault))?;
        Ok(ModelManifest { id: ModelId::new(namespace, &document.metadata.name), spec: document.spec })
    }

    fn read_device(&self, warnings: &mut Vec<String>) -> Result<DeviceManifest, ManifestError> {
        let document: schema::Document<schema::DeviceSpec> = self.deserialize(warnings)?;
        let namespace = check_names(&document.metadata).map_err(|fault| self.error(fault))?;
        check_device(&document.spec).map_err(|fault| self.error(fault))?;
        let id = DeviceId::new(namespace, &document.metadata.name);
        Ok(DeviceManifest { id, spec: document.spec, status: document.status })
    }

    /// Deserializes the document, and warns of the keys that nobody reads.
    fn deserialize<T: DeserializeOwned>(&self, warnings: &mut Vec<String>) -> Result<T, ManifestError> {
        let mut ignored = |path: serde_ignored::Path<'_>| {
            if let Some(key) = keys::unknown(&path.to_string()) {
                warnings.push(self.warning(&key));
            }
        };
        let deserializer = serde_ignored::Deserializer::new(self.value, &mut ignored);
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let value = self.at(error.path());
            let message = plain(&error.inner().to_string());
            let mut fault = Fault::new(error.path().to_string(), &message, cure(&message, value));
            fault.property = self.property_at(error.path());
            self.error(fault)
        })
    }

    fn error(&self, fault: Fault) -> ManifestError {
        let (file, document, resource) = (self.file.map(Path::to_owned), self.document, self.resource());
        let Fault { property, field, message, cure } = fault;
        ManifestDetails { file, document, resource, property, field: Some(field), message, cure }.into()
    }

    fn warning(&self, message: &str) -> String {
        let resource = self.resource().map(|resource| format!("{resource}: ")).unwrap_or_default();
        let file = self.file.map(|file| format!("{}, ", file.display())).unwrap_or_default();
        format!("{file}document {}: {resource}{message}", self.document)
    }

    /// Such as `Device default/boiler`.
    fn resource(&self) -> Option<String> {
        let text = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").unwrap_or("default");
        Some(format!("{} {namespace}/{}", text("/kind")?, text("/metadata/name")?))
    }

    fn at(&self, path: &serde_path_to_error::Path) -> Option<&Value> {
        path.iter().try_fold(self.value, step)
    }

    /// The name of the property that a path leads into.
    fn property_at(&self, path: &serde_path_to_error::Path) -> Option<String> {
        let mut value = self.value;
        for segment in path {
            value = step(value, segment)?;
            if matches!(segment, Segment::Seq { .. }) {
                return value.get("name").and_then(Value::as_str).map(str::to_owned);
            }
        }
        None
    }
}

fn step<'v>(value: &'v Value, segment: &Segment) -> Option<&'v Value> {
    match segment {
        Segment::Seq { index } => value.get(index),
        Segment::Map { key } => value.get(key),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// serde's message in words of YAML, not of Rust.
fn plain(message: &str) -> String {
    let message = message
        .split_once("expected struct ")
        .map_or_else(|| message.to_owned(), |(found, _)| format!("{found}expected a map"));
    message
        // Only a key cannot be null.
        .replace("cannot deserialize null into string; use Option<String>", "a key is empty or null")
        .replace("expected i64", "expected a whole number")
        .replace("expected i32", "expected a whole number")
}

/// What to do about a value of the wrong type, or a missing one.
fn cure(message: &str, value: Option<&Value>) -> String {
    let expects = |what: &str| message.ends_with(&format!("expected {what}"));
    match value {
        Some(value @ (Value::Number(_) | Value::Bool(_))) if expects("a string") => format!("quote it: \"{value}\""),
        Some(Value::String(text)) if expects("a whole number") => match text.parse::<i64>() {
            Ok(number) => format!("write it without quotes: {number}"),
            Err(_) => "write digits only".to_owned(),
        },
        Some(Value::String(_)) if expects("a boolean") => "write true or false, without quotes".to_owned(),
        Some(Value::Null) => "give it a value, or leave the key out".to_owned(),
        Some(_) if expects("a map") || expects("a sequence") => "indent its keys or items below it".to_owned(),
        _ if message.contains("missing field") => "add it".to_owned(),
        _ => "see the custom resource's reference for its type".to_owned(),
    }
}
