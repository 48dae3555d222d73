//! All that is wrong with one document.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    DeviceManifest, Fault, ModelManifest, Resource,
    check::{check_device, check_model, check_names},
    fit::{Fit, fit},
    keys::nearest,
    lines,
    schema::{DeviceSpec, Document, ModelSpec},
    shape,
};
use crate::{
    model::{DeviceId, ModelId},
    typed,
};

const GROUP: &str = "devices.kubeedge.io/";
const API_VERSION: &str = "devices.kubeedge.io/v1beta1";

/// A document, and what is to be said of it.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// What it holds, without what is wrong with it; `None` where nothing is left, or where it is of another kind.
    pub(crate) resource: Option<Resource>,
    /// Such as `Device default/boiler`, where that is known.
    pub(crate) name: Option<String>,
    /// What the cluster's API server, or edgecore, would refuse.
    pub(crate) faults: Vec<Fault>,
    /// What is no reason to refuse it.
    pub(crate) oddities: Vec<Fault>,
}

/// A document, or an item of one that is a list, with the place of the item, such as `items[1]`.
pub(crate) struct Item {
    pub(crate) place: String,
    pub(crate) value: Value,
}

impl Item {
    /// A fault of the item as one of the document.
    pub(crate) fn within(&self, fault: Fault) -> Fault {
        let field = self.field(&fault.field);
        Fault { field, ..fault }
    }

    /// A field of the item as one of the document.
    pub(crate) fn field(&self, field: &str) -> String {
        if self.place.is_empty() { field.to_owned() } else { format!("{}.{field}", self.place) }
    }
}

/// The resources in a document: those of a `List`, a `DeviceList` or a `DeviceModelList` (what `kubectl get` prints), or itself.
pub(crate) fn items(document: Value) -> Vec<Item> {
    let kind = match document.get("kind").and_then(Value::as_str) {
        Some("List") => None,
        Some("DeviceList") => Some("Device"),
        Some("DeviceModelList") => Some("DeviceModel"),
        _ => return vec![Item { place: String::new(), value: document }],
    };
    let version = document.get("apiVersion").cloned().unwrap_or_default();
    let items = document.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let complete = |mut item: Value| {
        if let (Some(kind), Value::Object(map)) = (kind, &mut item) {
            map.entry("apiVersion").or_insert_with(|| version.clone());
            map.entry("kind").or_insert_with(|| json!(kind));
        }
        item
    };
    let items = items.into_iter().enumerate();
    items.map(|(index, item)| Item { place: format!("items[{index}]"), value: complete(item) }).collect()
}

/// Examines an item of a document. What is wrong at one place does not hide what is wrong at another.
pub(crate) fn examine(item: &Item, of: &lines::Document<'_>) -> Examined {
    let document = &item.value;
    let written = |field: &str| of.written(&item.field(field)).map(str::to_owned);
    let text = |key: &str| document.get(key).and_then(Value::as_str);
    let mut examined = Examined { name: name(document), ..Examined::default() };
    match (text("apiVersion"), text("kind")) {
        (Some(API_VERSION), Some("DeviceModel")) => {
            examined.read(fit(document, &shape::MODEL, &written), check_model, model);
        }
        (Some(API_VERSION), Some("Device")) => {
            examined.read(fit(document, &shape::DEVICE, &written), check_device, device);
        }
        (Some(version), Some("Device" | "DeviceModel")) if version.starts_with(GROUP) || !version.contains('/') => {
            let cure =
                format!("write {API_VERSION}, as the mapper's subcommand `convert` does for v1alpha1 and v1alpha2");
            examined.faults.push(Fault::new("apiVersion", format!("{version} is not supported"), cure));
        }
        (Some(version), Some(kind)) => examined.other(version, kind),
        (None, _) => examined.faults.push(Fault::new("apiVersion", "missing", format!("write {API_VERSION}"))),
        (_, None) => examined.faults.push(Fault::new("kind", "missing", "write Device or DeviceModel")),
    }
    examined
}

impl Examined {
    fn read<Spec>(&mut self, fit: Fit, check: fn(&Spec) -> Vec<Fault>, make: fn(Document<Spec>) -> Resource)
    where
        Document<Spec>: DeserializeOwned,
    {
        let Fit { value, faults, nulls } = fit;
        self.faults = faults;
        let left_out: Vec<String> = self.faults.iter().map(|fault| fault.field.clone()).collect();
        let is_news = |fault: &Fault| !left_out.iter().any(|field| is_within(&fault.field, field));
        match serde_json::from_value::<Document<Spec>>(value) {
            Ok(document) => {
                let found = check_names(&document.metadata).into_iter().chain(check(&document.spec));
                self.faults.extend(found.filter(is_news).map(|fault| {
                    let null = nulls.iter().find(|null| null.field == fault.field);
                    null.map_or(fault.clone(), |null| Fault { property: fault.property, ..null.clone() })
                }));
                self.resource = (!document.metadata.name.is_empty()).then(|| make(document));
            }
            Err(error) => self.faults.push(Fault::new(".", typed::plain(&error.to_string()), "correct it")),
        }
    }

    /// A kind that is not read here: no kind at all in KubeEdge's own group, and no concern of edgecore's in others.
    fn other(&mut self, version: &str, kind: &str) {
        if version.starts_with(GROUP) && kind != "DeviceStatus" {
            let message = format!("{version} has no kind {kind:?}, and the API server refuses it");
            let cure = nearest(kind, &["Device", "DeviceModel"]).map(|meant| format!("did you mean {meant}?"));
            let cure = cure.unwrap_or_else(|| "write Device or DeviceModel".to_owned());
            self.faults.push(Fault::new("kind", message, cure));
        } else {
            let message = format!("skipped: edgecore does not handle {kind} of {version}");
            self.oddities.push(Fault::new("kind", message, "keep it in another file"));
        }
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
