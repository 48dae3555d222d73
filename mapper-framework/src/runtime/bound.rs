//! A device that the driver's types have read.

use std::sync::Arc;

use crate::{
    driver::{ErasedDriver, ErasedProperty},
    model::{Device, DeviceInstance, DeviceModel, Problem, Property},
    sink::{Feed, Sinks},
    telemetry::Telemetry,
};

use super::call::checked;

/// How many problems of a device its complaint tells. All of them are in the log.
const MAX_TOLD: usize = 10;

/// A device and, of each property, what the driver made of its visitor and where its samples go. A property whose visitor did not
/// fit is left out.
pub(super) struct BoundDevice {
    pub(super) device: Arc<Device>,
    /// In the order of the device's properties.
    pub(super) properties: Vec<BoundProperty>,
    /// Why the device cannot be connected to, if so.
    pub(super) config_problem: Option<Problem>,
    /// Everything that is wrong, the config's problem included.
    pub(super) problems: Vec<Problem>,
}

#[derive(Clone)]
pub(super) struct BoundProperty {
    pub(super) property: Arc<Property>,
    pub(super) erased: ErasedProperty,
    /// Where its samples go besides its twin.
    pub(super) feeds: Arc<[Feed]>,
}

impl BoundDevice {
    /// Joins manifest, model and driver.
    pub(super) fn new(
        driver: &dyn ErasedDriver,
        instance: &DeviceInstance,
        model: &DeviceModel,
        sinks: &Sinks,
        telemetry: &Telemetry,
    ) -> Self {
        let resolved = Device::resolve(instance, model);
        let (mut device, mut problems) = (resolved.device, resolved.problems);
        let config = checked(&device.id, telemetry, || driver.check_config(&device))
            .unwrap_or_else(|panic| Err(Problem::of_device("protocol.configData", panic)));
        let config_problem = config.err();
        problems.extend(config_problem.clone());
        let mut properties = Vec::with_capacity(device.properties.len());
        for property in &device.properties {
            let bound = checked(&device.id, telemetry, || driver.bind(property))
                .unwrap_or_else(|panic| Err(Problem::of_property(property.name(), "visitors.configData", panic)));
            match bound {
                Ok(erased) => {
                    let (feeds, refused) = sinks.bind(&device, property);
                    let refused = refused.into_iter();
                    problems.extend(refused.map(|it| Problem::of_property(property.name(), it.field, it.message)));
                    properties.push(BoundProperty { property: Arc::clone(property), erased, feeds: feeds.into() });
                }
                Err(problem) => problems.push(problem),
            }
        }
        device.properties = properties.iter().map(|bound| Arc::clone(&bound.property)).collect();
        Self { device: Arc::new(device), properties, config_problem, problems }
    }

    /// Whether a session to the one device is a session to the other.
    pub(super) fn connects_like(&self, other: &Self) -> bool {
        self.device.config() == other.device.config() && self.device.protocol() == other.device.protocol()
    }

    /// The problems in one line; `None` if there are none.
    pub(super) fn complaint(&self) -> Option<String> {
        let problems: Vec<_> = self.problems.iter().take(MAX_TOLD).map(ToString::to_string).collect();
        let more = self.problems.len() - problems.len();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!problems.is_empty()).then(|| problems.join("; ") + &more)
    }
}
