//! Devices behind `Zigbee2MQTT`.
//!
//! `BASE/bridge/state` says whether `Zigbee2MQTT` itself is there, and `BASE/NAME/availability`, where that is switched on, whether the
//! device is. All values of a device come in one message on `BASE/NAME`, often some of them only, and are set by the like on
//! `BASE/NAME/set`.

use mapper_framework::DriverError;
use serde_json::Value as Json;

use crate::{codec::Words, presence::Availability, visitor::Visitor};

use super::{Plan, Source};

pub(super) const WORDS: Words = ("ON", "OFF");

/// Where the time of the last message stands, if `Zigbee2MQTT` is to add it.
pub(super) const TIME: &str = "/last_seen";

pub(super) fn prepare(plan: &mut Plan) -> Result<(), DriverError> {
    let base = plan.config.base.clone().unwrap_or_else(|| "zigbee2mqtt".to_owned());
    plan.placeholders.set("base", &base);
    let bridge = Availability::new(plan.fill("{base}/bridge/state")?).at("/state");
    let device = Availability::new(plan.fill("{base}/{device}/availability")?).at("/state").optional();
    plan.availability = vec![bridge, device];
    Ok(())
}

pub(super) fn sources(plan: &Plan, pointer: Option<String>) -> Result<Vec<Source>, DriverError> {
    let Some(pointer) = pointer else {
        return Err(DriverError::refused("there is no `pointer`: write what the device exposes, such as /temperature"));
    };
    Ok(vec![Source { filter: plan.fill("{base}/{device}")?, pointer: Some(pointer) }])
}

/// `/color/x` is set by `{"color": {"x": VALUE}}`.
pub(super) fn command(visitor: &Visitor) -> Result<(String, String), DriverError> {
    let pointer = visitor.pointer.as_ref().and_then(|pointer| pointer.0.strip_prefix('/'));
    let Some(pointer) = pointer else {
        return Err(DriverError::unsupported(
            "it has neither `command` nor a `pointer` that says what is set, such as /state",
        ));
    };
    let json = pointer.rsplit('/').fold("{json}".to_owned(), |inner, key| {
        let key = key.replace("~1", "/").replace("~0", "~");
        format!("{{{}:{inner}}}", Json::String(key))
    });
    Ok(("{base}/{device}/set".to_owned(), json))
}
