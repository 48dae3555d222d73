//! A twin as it goes over the wire.

use std::{collections::HashSet, sync::Arc};

use crate::{
    dmi::client::{DesiredReport, TwinReport},
    model::DeviceId,
    telemetry::{Occurrence, Telemetry, reports::TwinHeldBack},
};

use super::{Phase, TwinUpdate, legality};

/// The most illegal twins that are remembered as logged. With more of them, some are logged again.
const MAX_LOGGED: usize = 10_000;

/// Writes twins as edgecore takes them, and holds back those that it would drop.
#[derive(Debug)]
pub(super) struct Renderer {
    telemetry: Telemetry,
    /// Twins that edgecore would drop, so that each is logged once. Bounded by [`MAX_LOGGED`].
    logged: HashSet<(DeviceId, Arc<str>)>,
}

impl Renderer {
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self { telemetry, logged: HashSet::new() }
    }

    /// The twin as it goes over the wire; `None` if edgecore would drop it.
    pub(super) fn render(&mut self, device: &DeviceId, twin: &TwinUpdate) -> Option<TwinReport> {
        let property = &twin.property;
        let reported = twin.value.to_string();
        if let Err(reason) = legality::check(property.name(), &reported) {
            self.report_illegal(device, twin, &reason);
            return None;
        }
        let mut desired = DesiredReport {
            value: twin.desired.acknowledged.as_deref().unwrap_or_default().to_owned(),
            phase: twin.desired.phase.map_or("", Phase::as_str),
        };
        if let Err(reason) = legality::check_value(&desired.value) {
            // The reported value is good: it must not be dropped for the sake of the desired one.
            self.report_illegal(device, twin, &reason);
            desired.value.clear();
        } else if !self.logged.is_empty() {
            self.logged.remove(&(device.clone(), property.shared_name()));
        }
        Some(TwinReport {
            property: property.name().to_owned(),
            data_type: property.data_type(),
            reported,
            timestamp: twin.timestamp,
            desired,
        })
    }

    fn report_illegal(&mut self, device: &DeviceId, twin: &TwinUpdate, reason: &legality::Illegal) {
        if self.logged.len() >= MAX_LOGGED {
            self.logged.clear();
        }
        let occurrence = Occurrence::first_if(self.logged.insert((device.clone(), twin.property.shared_name())));
        self.telemetry.emit(TwinHeldBack { device, property: twin.property.name(), reason, occurrence });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{DataType, Property},
        twin::Echo,
    };

    fn renderer() -> Renderer {
        Renderer::new(Telemetry::default())
    }

    fn device() -> DeviceId {
        DeviceId::new("", "a")
    }

    fn twin(value: &str, acknowledged: Option<&str>) -> TwinUpdate {
        TwinUpdate {
            property: Arc::new(Property::builder("name", DataType::String).build()),
            value: value.into(),
            timestamp: std::time::SystemTime::UNIX_EPOCH,
            desired: Echo { acknowledged: acknowledged.map(Into::into), phase: None },
        }
    }

    #[test]
    fn an_illegal_value_is_held_back_and_counted() {
        let mut renderer = renderer();
        assert!(renderer.render(&device(), &twin("21 °C", None)).is_none());
        assert!(renderer.render(&device(), &twin("21C", None)).is_some());
        assert_eq!(renderer.telemetry.stats().reports().twins_held_back(), 1);
    }

    #[test]
    fn an_illegal_desired_value_does_not_cost_the_reported_one() {
        let mut renderer = renderer();
        let report = renderer.render(&device(), &twin("21", Some("2 1"))).expect("it is reported");
        assert_eq!((report.reported.as_str(), report.desired.value.as_str()), ("21", ""));
        assert_eq!(renderer.telemetry.stats().reports().twins_held_back(), 1);
    }
}
