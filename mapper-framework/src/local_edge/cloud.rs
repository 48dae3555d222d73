//! What the cloud brings: manifests that come, change and go, and the calls to mappers that follow.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use super::{
    LocalEdgeError, SendFailure,
    core::Core,
    dial::{self, MapperCall},
    event::{EdgeEvent, Operation},
};
use crate::{
    manifest::{DeviceManifest, ModelManifest, Resource, ResourceId},
    model::{DeviceId, ModelId},
};

impl Core {
    /// Stores resources, models first, and calls the mappers one after the other.
    pub(super) async fn apply(&self, mut resources: Vec<Resource>) {
        resources.sort_by_key(Resource::id);
        let _turn = self.turn.lock().await;
        // Changed, and with no change of a device that a node would get them with.
        let mut alone = BTreeSet::new();
        for resource in &resources {
            match resource {
                Resource::Model(model) => {
                    if self.apply_model(model).await == Some(Operation::Update) {
                        alone.insert(model.id.clone());
                    }
                }
                Resource::Device(device) => {
                    if self.apply_device(device).await {
                        alone.remove(&device.model());
                    }
                }
            }
        }
        for model in alone {
            let message = format!(
                "device model {model} is changed by itself, and no KubeEdge node would get it: change one of its devices as well"
            );
            self.emit(EdgeEvent::Warning { message });
        }
    }

    /// Returns what the mapper was called with; `None` if nothing has changed.
    async fn apply_model(&self, model: &Arc<ModelManifest>) -> Option<Operation> {
        let operation = self.change(|state| state.put_model(model))?;
        if model.spec.protocol.is_empty() {
            let message = format!(
                "device model {} has no spec.protocol, so edgecore cannot tell a mapper of it: add the protocol's name",
                model.id
            );
            self.emit(EdgeEvent::Warning { message });
        }
        let message = model.to_proto();
        let call = match operation {
            Operation::Create => MapperCall::CreateModel(message),
            Operation::Update | Operation::Remove => MapperCall::UpdateModel(message),
        };
        let result = self.send(&model.spec.protocol, call).await;
        self.emit(EdgeEvent::ModelSent { model: model.id.clone(), operation, result });
        Some(operation)
    }

    /// Returns whether the device was sent to its mapper.
    async fn apply_device(&self, device: &Arc<DeviceManifest>) -> bool {
        let Some(operation) = self.change(|state| state.put_device(device)) else { return false };
        let Some(message) = self.read(|state| state.message(device, false)) else {
            let message = format!(
                "device {} refers to device model {}, which is not there, so edgecore does not send it: \
                 apply the model, and then the device again",
                device.id,
                device.model()
            );
            self.emit(EdgeEvent::Warning { message });
            return false;
        };
        let call = match operation {
            Operation::Create => MapperCall::RegisterDevice(message),
            Operation::Update | Operation::Remove => MapperCall::UpdateDevice(message),
        };
        let result = self.send(device.protocol(), call).await;
        self.emit(EdgeEvent::DeviceSent { device: device.id.clone(), operation, result });
        true
    }

    /// Applies a device with another desired value.
    pub(super) async fn set_desired(&self, id: &DeviceId, property: &str, value: &str) -> Result<(), LocalEdgeError> {
        let _turn = self.turn.lock().await;
        let device = self.read(|state| state.device(id)).ok_or_else(|| LocalEdgeError::UnknownDevice(id.clone()))?;
        let changed = device.with_desired(property, value).ok_or_else(|| LocalEdgeError::UnknownProperty {
            device: id.clone(),
            property: property.to_owned(),
            known: device.property_names().map(str::to_owned).collect(),
        })?;
        self.apply_device(&Arc::new(changed)).await;
        Ok(())
    }

    /// Sends a device once more as it stands, with its twins.
    pub(super) async fn repeat(&self, id: &DeviceId) {
        let _turn = self.turn.lock().await;
        let found = self.read(|state| {
            let device = state.device(id)?;
            let message = state.message(&device, true)?;
            Some((device, message))
        });
        let Some((device, message)) = found else { return };
        let result = self.send(device.protocol(), MapperCall::UpdateDevice(message)).await;
        self.emit(EdgeEvent::DeviceSent { device: id.clone(), operation: Operation::Update, result });
    }

    pub(super) async fn delete(&self, id: &ResourceId) -> Result<(), LocalEdgeError> {
        match id {
            ResourceId::Model(id) => self.delete_model(id).await,
            ResourceId::Device(id) => self.delete_device(id).await,
        }
    }

    /// Deletes a device. If a running edge cannot tell the mapper, it gives the device to the next one that registers.
    pub(super) async fn delete_device(&self, id: &DeviceId) -> Result<(), LocalEdgeError> {
        let _turn = self.turn.lock().await;
        let removed = self.change(|state| state.remove_device(id));
        let device = removed.ok_or_else(|| LocalEdgeError::UnknownDevice(id.clone()))?;
        let call = MapperCall::RemoveDevice { namespace: id.namespace().to_owned(), name: id.name().to_owned() };
        let result = self.send(device.protocol(), call).await;
        if !matches!(result, Ok(()) | Err(SendFailure::NotRunning)) {
            self.change(|state| state.linger(device));
        }
        self.emit(EdgeEvent::DeviceSent { device: id.clone(), operation: Operation::Remove, result });
        Ok(())
    }

    pub(super) async fn delete_model(&self, id: &ModelId) -> Result<(), LocalEdgeError> {
        let _turn = self.turn.lock().await;
        let model = self.read(|state| state.model(id)).ok_or_else(|| LocalEdgeError::UnknownModel(id.clone()))?;
        let call = MapperCall::RemoveModel { namespace: id.namespace().to_owned(), name: id.name().to_owned() };
        let result = self.send(&model.spec.protocol, call).await;
        self.change(|state| state.remove_model(id));
        self.emit(EdgeEvent::ModelSent { model: id.clone(), operation: Operation::Remove, result });
        Ok(())
    }

    /// Calls the protocol's mapper, for as long as the edge runs.
    async fn send(&self, protocol: &str, call: MapperCall) -> Result<(), SendFailure> {
        let (run, callee): (_, Option<PathBuf>) = self.read(|state| (state.run.clone(), state.callee(protocol)));
        let run = run.ok_or(SendFailure::NotRunning)?;
        let socket = callee.ok_or_else(|| SendFailure::NoMapper(protocol.to_owned()))?;
        tokio::select! {
            () = run.cancelled() => Err(SendFailure::NotRunning),
            result = dial::call(&socket, self.quirks.authority, call) => result,
        }
    }
}
