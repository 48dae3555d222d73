//! The device models of a file, without an edge.

use std::{fs, path::Path};

use super::{
    error::LocalEdgeError,
    manifest::{self, Resource},
};
use crate::{dmi::convert, model::DeviceModel};

/// Reads the device models of a file, each with the protocol that it names.
///
/// # Errors
///
/// The file cannot be read, or is wrong.
pub(crate) fn models(file: &Path) -> Result<Vec<(String, DeviceModel)>, LocalEdgeError> {
    let text = fs::read_to_string(file).map_err(|error| LocalEdgeError::io(file, error))?;
    let resources = manifest::parse(&text, Some(file))?.resources;
    let models = resources.iter().filter_map(|resource| match resource {
        Resource::Model(model) => Some(model),
        Resource::Device(_) => None,
    });
    const NAMED: &str = "manifests without a name are refused when they are parsed";
    let models = models.map(|it| (it.spec.protocol.clone(), convert::model(Some(it.to_proto())).expect(NAMED)));
    Ok(models.collect())
}
