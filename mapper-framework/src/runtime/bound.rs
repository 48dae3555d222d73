//! A device that the driver's types have read.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    driver::{ErasedDriver, ErasedProperty},
    model::{Device, DeviceInstance, DeviceModel, Doubt, Misfit, Problem, Property, ReportRules, StreamTwin},
    sink::{Feed, RouteError, Sinks},
};

use super::{call::Fence, consumers::Plan, served::Settings};

/// How many problems of a device its state's reason names. All of them are in the log.
const MAX_NAMED: usize = 10;

/// A device and, of each property, what the driver made of its visitor and where its samples go. A property whose visitor did not
/// fit is left out.
pub(super) struct BoundDevice {
    pub(super) device: Arc<Device>,
    /// In the order of the device's properties.
    pub(super) properties: Vec<BoundProperty>,
    /// The desired values in the manifest, those of properties that are left out included.
    pub(super) wishes: HashMap<Arc<str>, String>,
    /// Whether the device's config does not fit, so that it cannot be connected to.
    pub(super) has_wrong_config: bool,
    /// Everything that is wrong, the config's problems included.
    pub(super) problems: Vec<Problem>,
    /// Why nothing of the device will reach the cloud, if so.
    pub(super) lost: Option<Problem>,
    /// What works, and is probably not what was meant.
    pub(super) doubts: Vec<Doubt>,
}

#[derive(Clone)]
pub(super) struct BoundProperty {
    pub(super) property: Arc<Property>,
    pub(super) erased: ErasedProperty,
    /// What it shows of the device's stream; `None` if it is the driver's. The driver never gets one of the stream.
    pub(super) stream: Option<StreamTwin>,
    /// What consumes the stream for it; `None` where it only shows something.
    pub(super) consumer: Option<Plan>,
    /// Which samples its twin gets.
    pub(super) twin: ReportRules,
    /// Where its samples go besides its twin.
    pub(super) feeds: Arc<[Feed]>,
}

impl BoundDevice {
    /// Joins manifest, model and driver.
    pub(super) fn new(
        driver: &dyn ErasedDriver,
        instance: &DeviceInstance,
        model: &DeviceModel,
        settings: &Settings,
        sinks: &Sinks,
        fence: &Fence,
    ) -> Self {
        let resolved = Device::resolve(instance, model);
        let (mut device, mut problems) = (resolved.device, resolved.problems);
        let config = fence
            .checked(|| driver.check_config(&device))
            .unwrap_or_else(|panic| Err(vec![Problem::of_device("protocol.configData", panic)]));
        let has_wrong_config = config.is_err();
        problems.extend(config.err().into_iter().flatten());
        let mut properties = Vec::with_capacity(device.properties.len());
        for property in &device.properties {
            match bind(driver, property, fence) {
                Ok((erased, stream)) => {
                    let (consumer, wrong) =
                        stream.map_or_else(Default::default, |stream| Plan::of(&device, property, stream, sinks));
                    // Where frames are pushed to, no sample goes.
                    let (feeds, mut refused) = match stream {
                        Some(StreamTwin::Frame) => Default::default(),
                        _ => sinks.bind(&device, property),
                    };
                    refused.extend(wrong);
                    problems.extend(refused.into_iter().map(|RouteError { field, message, cure }| Problem {
                        cure,
                        ..Problem::of_property(property.name(), field, message)
                    }));
                    let (twin, feeds) = (ReportRules::of_twin(property, &settings.twins), feeds.into());
                    properties.push(BoundProperty {
                        property: Arc::clone(property),
                        erased,
                        stream,
                        consumer,
                        twin,
                        feeds,
                    });
                }
                Err(misfits) => problems.extend(misfits),
            }
        }
        device.properties = properties.iter().map(|bound| Arc::clone(&bound.property)).collect();
        let wishes = instance.properties.iter().rev().filter(|property| !property.desired.is_empty());
        let wishes = wishes.map(|property| (property.name.as_str().into(), property.desired.clone())).collect();
        let lost = Doubt::of_namespace(device.id.namespace());
        let lost = lost.map(|it| Problem::of_device(&it.field, it.message).with_cure(it.cure));
        let mut doubts = Doubt::of(&device);
        for property in &device.properties {
            let is_drivers = StreamTwin::of(property) == Ok(None);
            // For unread keys the driver is asked only where there is something to doubt.
            let is_near = |key: &String| Doubt::of_unread(property, key).is_some();
            if is_drivers && property.drivers_visitor().keys().any(is_near) {
                let unread = fence.checked(|| driver.unread_visitor(property)).unwrap_or_default();
                doubts.extend(unread.iter().filter_map(|key| Doubt::of_unread(property, key)));
            }
            if is_drivers && !has_wrong_config {
                let review = fence.checked(|| driver.review(&device, property)).unwrap_or_default();
                doubts.extend(review.doubts_of(property));
            }
        }
        let waits =
            if has_wrong_config { None } else { fence.checked(|| driver.longest_wait(&device)).unwrap_or_default() };
        doubts.extend(Doubt::of_timeout(device.config(), waits, settings.call_timeout));
        Self { device: Arc::new(device), properties, wishes, has_wrong_config, problems, lost, doubts }
    }

    /// Whether the device has a stream: one of its properties shows something of it.
    pub(super) fn has_stream(&self) -> bool {
        self.properties.iter().any(|property| property.stream.is_some())
    }

    /// After which time without a frame the device's stream is stalled, where the manifest says so.
    pub(super) fn stall(&self) -> Option<Duration> {
        let of_stream = self.properties.iter().filter(|property| property.stream.is_some());
        of_stream.filter_map(|property| StreamTwin::stall(&property.property)).min()
    }

    /// Whether a session to the one device is a session to the other.
    pub(super) fn connects_like(&self, other: &Self) -> bool {
        self.device.config() == other.device.config() && self.device.protocol() == other.device.protocol()
    }

    /// The problems in one line; `None` if there are none.
    pub(super) fn problem(&self) -> Option<String> {
        let all = self.lost.iter().chain(&self.problems);
        let problems: Vec<_> = all.clone().take(MAX_NAMED).map(ToString::to_string).collect();
        let more = all.count() - problems.len();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!problems.is_empty()).then(|| problems.join("; ") + &more)
    }
}

/// Has the driver read a property, unless it is one of the stream.
fn bind(
    driver: &dyn ErasedDriver,
    property: &Property,
    fence: &Fence,
) -> Result<(ErasedProperty, Option<StreamTwin>), Vec<Problem>> {
    match StreamTwin::of(property).map_err(|misfits| stream_problems(property, misfits))? {
        Some(stream) => Ok((Arc::new(()), Some(stream))),
        None => {
            let panicked = |panic| Err(vec![Problem::of_property(property.name(), "visitors.configData", panic)]);
            fence.checked(|| driver.bind(property)).unwrap_or_else(panicked).map(|erased| (erased, None))
        }
    }
}

fn stream_problems(property: &Property, misfits: Vec<Misfit>) -> Vec<Problem> {
    let problem = |misfit| Problem::of_visitor(property, misfit);
    misfits.into_iter().map(problem).collect()
}
