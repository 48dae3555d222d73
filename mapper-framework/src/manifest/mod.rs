//! Device manifests: the YAML that `kubectl apply` takes, and the protobuf that edgecore makes of it.

mod check;
mod config;
mod error;
mod examine;
#[cfg(feature = "cli")]
pub(crate) mod files;
mod fit;
mod keys;
pub(crate) mod lines;
mod models;
mod parse;
mod proto;
mod release;
pub(crate) mod schema;
mod shape;
pub(crate) mod write;
#[cfg(feature = "cli")]
pub(crate) mod yaml;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

pub(crate) use check::{Config, Fault, duplicate};
pub use error::ManifestError;
pub(crate) use examine::{Examined, Item, examine, is_within, items};
pub(crate) use keys::nearest;
pub(crate) use models::models;
pub(crate) use parse::{NotYaml, parse};
pub(crate) use release::{Release, unknown_to};

use crate::{
    dmi::convert,
    model::{DeviceId, DeviceInstance, DeviceModel, ModelId, StreamTwin},
};

/// The files of a folder that `kubectl apply -f DIR` reads.
pub(crate) const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// What a text holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) resources: Vec<Resource>,
    /// What is odd but no reason to refuse it.
    pub(crate) warnings: Vec<String>,
}

/// One document. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resource {
    Model(Arc<ModelManifest>),
    Device(Arc<DeviceManifest>),
}

/// Names a document. Models come before the devices that need them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ResourceId {
    Model(ModelId),
    Device(DeviceId),
}

impl Resource {
    pub(crate) fn id(&self) -> ResourceId {
        match self {
            Self::Model(model) => ResourceId::Model(model.id.clone()),
            Self::Device(device) => ResourceId::Device(device.id.clone()),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(id) => write!(f, "device model {id}"),
            Self::Device(id) => write!(f, "device {id}"),
        }
    }
}

/// A device model's manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelManifest {
    pub(crate) id: ModelId,
    pub(crate) spec: schema::ModelSpec,
}

impl ModelManifest {
    /// What a mapper reads of it.
    pub(crate) fn received(&self) -> Option<DeviceModel> {
        convert::model(Some(self.to_proto())).ok()
    }
}

/// A device's manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceManifest {
    pub(crate) id: DeviceId,
    pub(crate) spec: schema::DeviceSpec,
    /// Where the state's report was configured before v1.23.
    pub(crate) status: Option<schema::StateReport>,
}

impl DeviceManifest {
    /// The model that the device refers to.
    pub(crate) fn model(&self) -> ModelId {
        ModelId::new(self.id.namespace(), &self.spec.device_model_ref.name)
    }

    /// What a mapper reads of it, with the model's part laid under its own; `None` where it has no name or names no model.
    pub(crate) fn received(&self, model: &ModelManifest) -> Option<DeviceInstance> {
        convert::instance(Some(self.to_proto(model, Vec::new()))).ok()
    }

    /// `spec.protocol.protocolName`
    pub(crate) fn protocol(&self) -> &str {
        &self.spec.protocol.protocol_name
    }

    /// Whether frames are recorded by a property, as its visitor says.
    pub(crate) fn records_frames(&self, property: &str) -> bool {
        let visitors =
            self.spec.properties.iter().filter(|it| it.name == property).filter_map(|it| it.visitors.as_ref());
        visitors.filter_map(|it| it.config_data.as_ref()).any(StreamTwin::is_file)
    }

    pub(crate) fn property_names(&self) -> impl Iterator<Item = &str> {
        self.spec.properties.iter().map(|property| property.name.as_str())
    }

    /// The same manifest with another desired value; `None` if it lacks the property.
    pub(crate) fn with_desired(&self, property: &str, value: &str) -> Option<Self> {
        let mut manifest = self.clone();
        let property = manifest.spec.properties.iter_mut().find(|candidate| candidate.name == property)?;
        property.desired.get_or_insert_default().value = value.to_owned();
        Some(manifest)
    }

    /// Whether edgecore sees a change: in the spec, and there not in the order of properties or methods.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        sorted(&self.spec) != sorted(&other.spec)
    }
}

fn sorted(spec: &schema::DeviceSpec) -> schema::DeviceSpec {
    let mut spec = spec.clone();
    spec.properties.sort_by(|a, b| a.name.cmp(&b.name));
    spec.methods.sort_by(|a, b| a.name.cmp(&b.name));
    spec
}
