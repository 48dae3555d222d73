//! All that is wrong with one document.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    DeviceManifest, Fault, ModelManifest, Resource,
    check::{check_device, check_model, check_names},
    keys::nearest,
    schema::{DeviceSpec, Document, ModelSpec},
    typed,
};
use crate::model::{DeviceId, ModelId};

const GROUP: &str = "devices.kubeedge.io/";
const API_VERSION: &str = "devices.kubeedge.io/v1beta1";

/// A document, and what is to be said of it.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// What it holds, without what is wrong with it; `None` where nothing is left, or where it is of another kind.
    pub(crate) resource: Option<Resource>,
    /// Such as `Device default/boiler`, where that could be told.
    pub(crate) name: Option<String>,
    /// What the cluster's API server, or edgecore, would refuse.
    pub(crate) faults: Vec<Fault>,
    /// What is no reason to refuse it.
    pub(crate) oddities: Vec<Fault>,
}

/// Examines a document. What is wrong at one place does not hide what is wrong at another.
pub(crate) fn examine(document: &Value) -> Examined {
    let text = |key: &str| document.get(key).and_then(Value::as_str);
    let mut examined = Examined { name: name(document), ..Examined::default() };
    match (text("apiVersion"), text("kind")) {
        (Some(API_VERSION), Some("DeviceModel")) => examined.read(document, check_model, model),
        (Some(API_VERSION), Some("Device")) => examined.read(document, check_device, device),
        (Some(version), Some("Device" | "DeviceModel")) if version.starts_with(GROUP) => {
            let cure = format!("write it as {API_VERSION}, which KubeEdge has since v1.15");
            examined.faults.push(Fault::new("apiVersion", format!("{version} is not supported"), cure));
        }
        (Some(version), Some(kind)) => {
            let meant = nearest(kind, &["Device", "DeviceModel"]).filter(|_| version.starts_with(GROUP));
            let cure =
                meant.map_or_else(|| "keep it in another file".to_owned(), |kind| format!("did you mean {kind}?"));
            let message = format!("{kind} of {version} is no concern of an edgecore, and skipped");
            examined.oddities.push(Fault::new("kind", message, cure));
        }
        (None, _) => examined.faults.push(Fault::new("apiVersion", "missing", format!("write {API_VERSION}"))),
        (_, None) => examined.faults.push(Fault::new("kind", "missing", "write Device or DeviceModel")),
    }
    examined
}

impl Examined {
    fn read<Spec>(&mut self, document: &Value, check: fn(&Spec) -> Vec<Fault>, make: fn(Document<Spec>) -> Resource)
    where
        Document<Spec>: DeserializeOwned,
    {
        let reading = typed::read::<Document<Spec>>(document);
        let is_news = |fault: &Fault| !reading.left_out.iter().any(|field| is_within(&fault.field, field));
        if let Some(document) = &reading.value {
            let found = check_names(&document.metadata).into_iter().chain(check(&document.spec));
            self.faults.extend(found.filter(is_news));
        }
        self.faults.splice(0..0, reading.faults);
        self.oddities.extend(reading.unknown);
        self.resource = reading.value.map(make);
    }
}

/// Whether a field is another one, or a part of it.
pub(crate) fn is_within(field: &str, other: &str) -> bool {
    field.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn model(document: Document<ModelSpec>) -> Resource {
    let id = ModelId::new(document.metadata.namespace(), &document.metadata.name);
    Resource::Model(ModelManifest { id, spec: document.spec }.into())
}

fn device(document: Document<DeviceSpec>) -> Resource {
    let id = DeviceId::new(document.metadata.namespace(), &document.metadata.name);
    Resource::Device(DeviceManifest { id, spec: document.spec, status: document.status }.into())
}

/// Such as `Device default/boiler`.
fn name(document: &Value) -> Option<String> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let namespace = text("/metadata/namespace").unwrap_or("default");
    Some(format!("{} {namespace}/{}", text("/kind")?, text("/metadata/name")?))
}
