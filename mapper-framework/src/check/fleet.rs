//! All resources of the files that are checked.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    files::Text,
    finding::{Finding, Place, Severity},
    lines::{self, Document},
};
use crate::{
    local_edge::manifest::{
        DeviceManifest, Examined, Fault, ModelManifest, NotYaml, Resource, ResourceId, examine, schema::ModelSpec,
    },
    model::{Device, ModelId, Resolved},
};

/// Models and devices with their places, and what was found while they were read.
pub(super) struct Fleet<'a> {
    pub(super) models: Vec<(Place<'a>, Arc<ModelManifest>)>,
    pub(super) devices: Vec<(Place<'a>, Arc<DeviceManifest>)>,
    findings: Vec<Finding>,
}

/// The documents of the files, each with its file.
pub(super) struct Library<'a> {
    documents: Vec<(&'a Path, Document)>,
    findings: Vec<Finding>,
}

impl<'a> Library<'a> {
    pub(super) fn read(texts: &'a [Text]) -> Self {
        let mut library = Self { documents: Vec::new(), findings: Vec::new() };
        for Text { path, text } in texts {
            let (documents, faults) = lines::read(text);
            library.documents.extend(documents.into_iter().map(|document| (path.as_path(), document)));
            library.findings.extend(faults.into_iter().map(|fault| not_yaml(path, &fault)));
        }
        library
    }
}

fn not_yaml(file: &Path, fault: &NotYaml) -> Finding {
    Finding {
        file: file.display().to_string(),
        line: fault.line,
        severity: Severity::Error,
        resource: None,
        property: None,
        field: None,
        message: format!("not valid YAML: {}", fault.message),
        cure: "correct the line".to_owned(),
    }
}

impl<'a> Fleet<'a> {
    pub(super) fn read(library: &'a mut Library<'_>) -> Self {
        let findings = std::mem::take(&mut library.findings);
        let mut fleet = Self { models: Vec::new(), devices: Vec::new(), findings };
        let mut first = BTreeMap::new();
        for (file, document) in &library.documents {
            fleet.add(file, document, &mut first);
        }
        fleet
    }

    fn add(&mut self, file: &'a Path, document: &'a Document, first: &mut BTreeMap<ResourceId, String>) {
        let Examined { resource, name, faults, oddities } = examine(&document.value());
        let wrong = faults.iter().map(|fault| fault.field.clone()).collect();
        let place = Place { file, document, resource: name, wrong };
        self.findings.extend(faults.into_iter().map(|fault| place.finding(Severity::Error, fault)));
        self.findings.extend(oddities.into_iter().map(|oddity| place.finding(Severity::Warning, oddity)));
        let Some(resource) = resource else { return };
        let here = format!("{}:{}", file.display(), document.line("metadata.name"));
        if let Some(other) = first.insert(resource.id(), here) {
            let message = format!("stands in {other} as well, and the last one that is applied counts");
            let fault = Fault::new("metadata.name", message, "take one out, or name it otherwise");
            self.findings.push(place.finding(Severity::Error, fault));
        }
        match resource {
            Resource::Model(model) => self.models.push((place, model)),
            Resource::Device(device) => self.devices.push((place, device)),
        }
    }

    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// The model of this name; the first one, should there be several.
    pub(super) fn model(&self, id: &ModelId) -> Option<&ModelManifest> {
        self.models.iter().map(|(_, model)| &**model).find(|model| model.id == *id)
    }
}

/// Joins a device with its model as a mapper does; `None` where it has no name. Without its model it has no properties.
pub(super) fn resolve(device: &DeviceManifest, model: Option<&ModelManifest>) -> Option<Resolved> {
    let device = mended(device);
    let absent = ModelManifest { id: device.model(), spec: ModelSpec::default() };
    let model = model.unwrap_or(&absent);
    Some(Device::resolve(&device.received(model)?, &model.received()?))
}

/// The device without those of its faults for which a mapper leaves out more than what is wrong, and what else is wrong with that would
/// not be found.
fn mended(device: &DeviceManifest) -> DeviceManifest {
    let mut device = device.clone();
    if device.spec.device_model_ref.name.is_empty() {
        "missing".clone_into(&mut device.spec.device_model_ref.name);
    }
    for property in &mut device.spec.properties {
        property.collect_cycle = property.collect_cycle.max(0);
        property.report_cycle = property.report_cycle.max(0);
    }
    device
}
