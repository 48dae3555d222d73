//! The text of the manifests.

use std::sync::Arc;

use super::{
    Place,
    fleet::{Cycle, Fleet, Instance},
};
use crate::{
    manifest::write,
    model::{Device, DeviceId, ModelId, StateReport},
};

/// All documents, each model before the first device that needs it.
pub(super) fn documents(fleet: &Fleet, place: &Place<'_>, cycle: Cycle) -> String {
    let mut documents = Vec::new();
    let mut models = fleet.models.iter().peekable();
    for (index, instance) in fleet.devices.iter().enumerate() {
        while let Some(model) = models.next_if(|it| it.before <= index) {
            let id = ModelId::new(place.namespace, &model.name);
            documents.push(write::model(&id, place.protocol, &model.declared));
        }
        let device = device(instance, place, cycle);
        documents.push(write::device(&device, place.node, &instance.fitted.description));
    }
    documents.join("---\n")
}

fn device(instance: &Instance, place: &Place<'_>, cycle: Cycle) -> Device {
    let Instance { name, model, fitted } = instance;
    Device {
        id: DeviceId::new(place.namespace, name),
        model: ModelId::new(place.namespace, model),
        protocol: place.protocol.to_owned(),
        config: fitted.config.clone(),
        properties: fitted
            .properties
            .iter()
            .map(|property| Arc::new(property.in_cycles(cycle.read, cycle.read)))
            .collect(),
        methods: fitted.methods.clone(),
        state_report: Some(StateReport { cycle: cycle.state }),
        credentials: Arc::default(),
    }
}
