//! The device models of a text, as a mapper gets them.

use std::path::Path;

use super::{ManifestError, Resource, parse};
use crate::{dmi::convert, model::DeviceModel};

/// Reads the device models of a text, each with the protocol that it names. `file` is where the text stands.
///
/// # Errors
///
/// A manifest is wrong.
pub(crate) fn models(text: &str, file: &Path) -> Result<Vec<(String, DeviceModel)>, ManifestError> {
    let resources = parse(text, Some(file))?.resources;
    let models = resources.iter().filter_map(|resource| match resource {
        Resource::Model(model) => Some(model),
        Resource::Device(_) => None,
    });
    const NAMED: &str = "manifests without a name are refused when they are parsed";
    let models = models.map(|it| (it.spec.protocol.clone(), convert::model(Some(it.to_proto())).expect(NAMED)));
    Ok(models.collect())
}
