//! A twin as it goes over the wire.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use crate::{
    dmi::client::{DesiredReport, TwinReport},
    model::{DeviceId, IllegalValues, Value},
    telemetry::{Damper, Telemetry, reports::TwinHeldBack},
};

use super::{
    Phase, TwinUpdate, illegal,
    legality::{self, Illegal},
};

/// The most illegal twins that are remembered as logged. With more of them, some are logged again.
const MAX_LOGGED: usize = 10_000;

/// Writes twins as edgecore takes them, and holds back those that it would drop.
#[derive(Debug)]
pub(super) struct Renderer {
    telemetry: Telemetry,
    /// What becomes of texts that edgecore would drop, unless a property says otherwise.
    illegal: IllegalValues,
    /// When twins that edgecore would drop are logged. Bounded by [`MAX_LOGGED`].
    logged: HashMap<(DeviceId, Arc<str>), Damper>,
}

impl Renderer {
    pub(super) fn new(telemetry: Telemetry, illegal: IllegalValues) -> Self {
        Self { telemetry, illegal, logged: HashMap::new() }
    }

    /// The twin as it goes over the wire; `None` if edgecore would drop it.
    pub(super) fn render(&mut self, device: &DeviceId, twin: &TwinUpdate) -> Option<TwinReport> {
        let property = &twin.property;
        let rule = IllegalValues::of(property, self.illegal);
        let reported = match legality::check_name(property.name()).and_then(|()| value(&twin.value, rule)) {
            Ok(reported) => reported,
            Err(reason) => {
                self.report_illegal(device, twin, &reason);
                return None;
            }
        };
        let acknowledged = twin.desired.acknowledged.as_deref().unwrap_or_default();
        let desired = match illegal::written(acknowledged, rule) {
            Ok(desired) => desired.into_owned(),
            // The reported value is good: it must not be dropped for the sake of the desired one.
            Err(reason) => {
                self.report_illegal(device, twin, &reason);
                String::new()
            }
        };
        let desired = DesiredReport { value: desired, phase: twin.desired.phase.map_or("", Phase::as_str) };
        Some(TwinReport {
            property: property.name().to_owned(),
            data_type: property.data_type(),
            reported,
            timestamp: twin.timestamp,
            desired,
        })
    }

    fn report_illegal(&mut self, device: &DeviceId, twin: &TwinUpdate, reason: &Illegal) {
        if self.logged.len() >= MAX_LOGGED {
            self.logged.clear();
        }
        let logged = self.logged.entry((device.clone(), twin.property.shared_name())).or_default();
        let occurrence = logged.begins();
        self.telemetry.emit(TwinHeldBack { device, property: twin.property.name(), reason, occurrence });
    }
}

/// The value as it stands in the twin. The rule is for texts only: to cut or to encode other values would spoil them.
fn value(value: &Value, rule: IllegalValues) -> Result<String, Illegal> {
    match value {
        Value::String(text) => illegal::written(text, rule).map(Cow::into_owned),
        other => {
            let text = other.to_string();
            legality::check_value(&text).map(|()| text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{DataType, Property},
        twin::Echo,
    };

    fn renderer(illegal: IllegalValues) -> Renderer {
        Renderer::new(Telemetry::default(), illegal)
    }

    fn device() -> DeviceId {
        DeviceId::new("", "a")
    }

    fn twin(data_type: DataType, value: impl Into<Value>, acknowledged: &str) -> TwinUpdate {
        TwinUpdate {
            property: Arc::new(Property::builder("name", data_type).build()),
            value: value.into(),
            timestamp: std::time::SystemTime::UNIX_EPOCH,
            desired: Echo { acknowledged: Some(acknowledged.into()), phase: None },
        }
    }

    /// What edgecore gets as the reported and as the desired value.
    fn rendered(renderer: &mut Renderer, twin: &TwinUpdate) -> Option<(String, String)> {
        renderer.render(&device(), twin).map(|report| (report.reported, report.desired.value))
    }

    fn both(reported: &str, desired: &str) -> Option<(String, String)> {
        Some((reported.to_owned(), desired.to_owned()))
    }

    #[test]
    fn an_illegal_value_is_held_back_and_counted() {
        let mut renderer = renderer(IllegalValues::Hold);
        assert_eq!(rendered(&mut renderer, &twin(DataType::String, "21 °C", "")), None);
        assert_eq!(rendered(&mut renderer, &twin(DataType::String, "21C", "")), both("21C", ""));
        assert_eq!(renderer.telemetry.stats().reports().twins_held_back(), 1);
    }

    #[test]
    fn an_illegal_desired_value_does_not_cost_the_reported_one() {
        let mut renderer = renderer(IllegalValues::Hold);
        assert_eq!(rendered(&mut renderer, &twin(DataType::String, "21", "2 1")), both("21", ""));
        assert_eq!(renderer.telemetry.stats().reports().twins_held_back(), 1);
    }

    #[test]
    fn the_desired_value_is_written_by_the_same_rule_as_the_reported_one() {
        let same = twin(DataType::String, "21 °C", "21 °C");
        assert_eq!(rendered(&mut renderer(IllegalValues::Replace), &same), both("21__C", "21__C"));
        let encoded = "MjEgwrBD";
        assert_eq!(rendered(&mut renderer(IllegalValues::Base64url), &same), both(encoded, encoded));
    }

    #[test]
    fn what_is_no_text_is_left_as_it_is() {
        let mut renderer = renderer(IllegalValues::Base64url);
        assert_eq!(rendered(&mut renderer, &twin(DataType::Int, 21, "21")), both("21", "21"));
        for data_type in [DataType::Bytes, DataType::Stream] {
            let frame = twin(data_type, vec![0xff_u8; 3], "");
            assert_eq!(rendered(&mut renderer, &frame), both("____", ""), "encoded once");
        }
        let long = twin(DataType::Stream, vec![0_u8; 385], "");
        assert_eq!(rendered(&mut self::renderer(IllegalValues::Replace), &long), None, "bytes are not cut");
    }

    #[test]
    fn a_name_is_not_mended() {
        let property = Arc::new(Property::builder("le vel", DataType::String).build());
        let twin = TwinUpdate { property, ..twin(DataType::String, "21", "") };
        assert_eq!(rendered(&mut renderer(IllegalValues::Base64url), &twin), None);
    }

    #[test]
    fn a_text_without_room_for_its_encoding_is_held() {
        let mut renderer = renderer(IllegalValues::Base64url);
        assert_eq!(rendered(&mut renderer, &twin(DataType::String, "x".repeat(385), "")), None);
        assert_eq!(renderer.telemetry.stats().reports().twins_held_back(), 1);
    }
}
