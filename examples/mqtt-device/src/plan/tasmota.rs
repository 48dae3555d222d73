//! Devices with the firmware Tasmota, with its default full topic `%prefix%/%topic%/`.
//!
//! `tele/TOPIC/LWT` is `Online` or `Offline`, retained. `tele/TOPIC/STATE` and `tele/TOPIC/SENSOR` come every `TelePeriod`, 300 seconds by
//! default, and at once when the command `TelePeriod` is given without a payload. Each command is answered on `stat/TOPIC/RESULT`.

use mapper_framework::DriverError;

use crate::{codec::Words, presence::Availability, visitor::Visitor};

use super::{Plan, Source};

pub(super) const WORDS: Words = ("ON", "OFF");

pub(super) fn prepare(plan: &mut Plan) -> Result<(), DriverError> {
    plan.availability = vec![Availability::new(plan.fill("tele/{device}/LWT")?)];
    plan.refresh = Some((plan.fill("cmnd/{device}/TelePeriod")?, String::new()));
    // A command that it does not know is answered by `{"Command":"Unknown"}`.
    plan.answers = Some(plan.fill("stat/{device}/RESULT")?);
    Ok(())
}

/// A pointer finds itself in one of the messages.
pub(super) fn sources(plan: &Plan, pointer: Option<String>) -> Result<Vec<Source>, DriverError> {
    let Some(pointer) = pointer else {
        return Err(DriverError::refused(
            "there is no `pointer`: write where the value stands in SENSOR, STATE or RESULT, such as /ENERGY/Power",
        ));
    };
    let topics = ["tele/{device}/SENSOR", "tele/{device}/STATE", "stat/{device}/RESULT"];
    let source = |topic| Ok(Source { filter: plan.fill(topic)?, pointer: Some(pointer.clone()) });
    topics.into_iter().map(source).collect()
}

/// `/POWER` is set by the command `POWER`.
pub(super) fn command(visitor: &Visitor) -> Result<(String, String), DriverError> {
    let name = visitor.pointer.as_ref().and_then(|pointer| pointer.0.strip_prefix('/'));
    match name.filter(|name| !name.is_empty() && !name.contains('/')) {
        Some(name) => Ok((format!("cmnd/{{device}}/{name}"), "{value}".to_owned())),
        None => Err(DriverError::unsupported(
            "it has no `command`, and its `pointer` is not the name of one, such as /POWER or /Dimmer",
        )),
    }
}
