//! All resources of the files that are checked.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::finding::{Finding, Place, Severity};
use crate::{
    manifest::{
        DeviceManifest, Examined, Item, ModelManifest, NotYaml, Release, Resource, ResourceId, duplicate, examine,
        files::{Text, Unreadable},
        items,
        lines::{self, Document},
        schema::ModelSpec,
        unknown_to,
    },
    model::{Device, ModelId, Resolved},
};

/// Models and devices with their places, and what was found while they were read.
pub(super) struct Fleet<'a> {
    /// The one that the resources are applied to.
    release: Release,
    pub(super) models: Vec<(Place<'a>, Arc<ModelManifest>)>,
    pub(super) devices: Vec<(Place<'a>, Arc<DeviceManifest>)>,
    findings: Vec<Finding>,
}

/// The documents of the files, each with its file.
pub(super) struct Library<'a> {
    documents: Vec<(&'a Path, Document<'a>)>,
    findings: Vec<Finding>,
}

impl<'a> Library<'a> {
    pub(super) fn read(texts: &'a [Text]) -> Self {
        let mut library = Self { documents: Vec::new(), findings: Vec::new() };
        for Text { path, text } in texts {
            let text = match text {
                Ok(text) => text,
                Err(unreadable) => {
                    library.findings.push(not_read(path, unreadable));
                    continue;
                }
            };
            let (documents, faults) = lines::read(text);
            library.documents.extend(documents.into_iter().map(|document| (path.as_path(), document)));
            library.findings.extend(faults.into_iter().map(|fault| not_yaml(path, &fault)));
        }
        library
    }
}

fn not_read(file: &Path, unreadable: &Unreadable) -> Finding {
    let Unreadable { message, cure } = unreadable.clone();
    let place = NotYaml { line: 1, message: String::new(), cure };
    Finding { message, ..not_yaml(file, &place) }
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
        cure: fault.cure.clone(),
    }
}

impl<'a> Fleet<'a> {
    pub(super) fn read(library: &'a Library<'a>, release: Release) -> Self {
        let (models, devices, findings) = (Vec::new(), Vec::new(), library.findings.clone());
        let mut fleet = Self { release, models, devices, findings };
        let mut first = BTreeMap::new();
        for (file, document) in &library.documents {
            for item in items(document.value()) {
                fleet.add(file, document, item, &mut first);
            }
        }
        fleet
    }

    fn add(
        &mut self,
        file: &'a Path,
        document: &'a Document<'a>,
        item: Item,
        first: &mut BTreeMap<ResourceId, String>,
    ) {
        let Examined { resource, name, faults, oddities } = examine(&item, document);
        let too_new = unknown_to(self.release, &item.value);
        let wrong = faults.iter().map(|fault| fault.field.clone()).collect();
        let place = Place { file, document, item: item.place, resource: name, wrong };
        self.findings.extend(faults.into_iter().map(|fault| place.finding(Severity::Error, fault)));
        self.findings.extend(too_new.into_iter().map(|fault| place.finding(Severity::Error, fault)));
        self.findings.extend(oddities.into_iter().map(|oddity| place.finding(Severity::Warning, oddity)));
        let Some(resource) = resource else { return };
        let here = format!("{}:{}", file.display(), place.line("metadata.name"));
        if let Some(other) = first.insert(resource.id(), here) {
            self.findings.push(place.finding(Severity::Error, duplicate(&other)));
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
