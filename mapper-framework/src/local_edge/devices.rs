//! The devices of a folder as a mapper gets them, without a mapper.

use std::{collections::HashMap, path::Path, sync::Arc};

use super::{error::LocalEdgeError, folder};
use crate::{
    dmi::convert,
    manifest::{ModelManifest, Resource},
    model::{Device, ModelId, Resolved},
};

/// Reads the manifests of a folder, and joins each device with its model as it looks after the wire: with numbers of 32 bits, and with the
/// model's visitors under its own.
///
/// # Errors
///
/// A file cannot be read, or is wrong, or a device's model is in none of them.
pub(crate) async fn devices(folder: impl AsRef<Path>) -> Result<Vec<Resolved>, LocalEdgeError> {
    let folder = folder.as_ref();
    let files = folder::read(folder).await.map_err(|error| LocalEdgeError::io(folder, error))?;
    let mut resources = Vec::new();
    for parsed in files.into_values() {
        resources.extend(parsed?.resources);
    }
    resolve(&resources)
}

/// Why neither conversion refuses what was parsed.
const NAMED: &str = "manifests are refused when they are parsed unless they have a name and name a model";

fn resolve(resources: &[Resource]) -> Result<Vec<Resolved>, LocalEdgeError> {
    let models: HashMap<ModelId, &Arc<ModelManifest>> = resources
        .iter()
        .filter_map(|resource| match resource {
            Resource::Model(model) => Some((model.id.clone(), model)),
            Resource::Device(_) => None,
        })
        .collect();
    let mut devices = Vec::new();
    for resource in resources {
        let Resource::Device(device) = resource else { continue };
        let model = models.get(&device.model()).ok_or_else(|| LocalEdgeError::UnknownModel(device.model()))?;
        let instance = convert::instance(Some(device.to_proto(model, Vec::new()))).expect(NAMED);
        let model = convert::model(Some(model.to_proto())).expect(NAMED);
        devices.push(Device::resolve(&instance, &model));
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: m}
spec: {protocol: p, properties: [{name: level, type: INT, accessMode: ReadOnly, visitors: {configData: {register: 7}}}]}";
    const DEVICE: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: d}
spec:
  deviceModelRef: {name: m}
  protocol: {protocolName: p, configData: {serial: 123456789}}
  properties: [{name: level}, {name: stray}]";

    #[tokio::test]
    async fn a_device_is_what_comes_out_of_the_wire() {
        let folder = tempfile::tempdir().unwrap();
        // The device's file comes first.
        std::fs::write(folder.path().join("a.yaml"), DEVICE).unwrap();
        std::fs::write(folder.path().join("b.yaml"), MODEL).unwrap();
        let found = devices(folder.path()).await.unwrap();
        let [Resolved { device, problems }] = found.as_slice() else { panic!("one device: {found:?}") };
        assert_eq!(device.config()["serial"], 123_456_792);
        assert_eq!(device.property("level").unwrap().visitor()["register"], 7);
        assert!(problems[0].to_string().starts_with(r#"property "stray""#), "{problems:?}");
    }

    #[tokio::test]
    async fn a_device_without_its_model_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), DEVICE).unwrap();
        let error = devices(folder.path()).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no device model default/m; apply its manifest first");
    }
}
