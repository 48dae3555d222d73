//! Shelly devices, whose topics begin with their id.
//!
//! Those of the first generation have a topic for each value, such as `shellies/ID/relay/0`, and are set on `shellies/ID/relay/0/command`.
//! Later ones speak JSON-RPC: what has changed comes on `ID/events/rpc`, questions and commands go to `ID/rpc`, and are answered on the
//! topic that they name. Where `status_ntf` is switched on, the status of each component comes on `ID/status/switch:0` as well. In both,
//! `…/online` is `true` or `false`, retained.

use mapper_framework::DriverError;
use serde_json::json;

use crate::{codec::Words, presence::Availability, visitor::Visitor};

use super::{Plan, Source};

/// Of the first generation. Later ones have true and false.
pub(super) const WORDS: Words = ("on", "off");

/// Where a device answers, with `/rpc` behind it.
const REPLIES: &str = "mqtt-mapper/{device}";

pub(super) fn prepare(plan: &mut Plan) -> Result<(), DriverError> {
    if plan.config.is_first_generation() {
        plan.availability = vec![Availability::new(plan.fill("shellies/{device}/online")?)];
        plan.refresh = Some((plan.fill("shellies/{device}/command")?, "update".to_owned()));
    } else {
        plan.availability = vec![Availability::new(plan.fill("{device}/online")?)];
        let question = json!({"id": 1, "src": plan.fill(REPLIES)?, "method": "Shelly.GetStatus"});
        plan.refresh = Some((plan.fill("{device}/rpc")?, question.to_string()));
        plan.answers = Some(plan.fill(REPLIES)? + "/rpc");
    }
    Ok(())
}

/// `topic` is what stands behind the device's id: a topic of the first generation, and a component of later ones.
pub(super) fn sources(plan: &Plan, visitor: &Visitor) -> Result<Vec<Source>, DriverError> {
    let pointer = visitor.pointer.as_ref().map(|pointer| pointer.0.clone());
    let Some(topic) = &visitor.topic else {
        return Err(DriverError::refused(
            "there is no `topic`: write `relay/0` or the like for the first generation, and a component such as `switch:0` for later ones",
        ));
    };
    if plan.config.is_first_generation() {
        return Ok(vec![Source { filter: plan.fill(&format!("shellies/{{device}}/{topic}"))?, pointer }]);
    }
    let pointer = pointer.ok_or_else(|| {
        DriverError::refused(
            "there is no `pointer`: write where the value stands in the component's status, such as /output",
        )
    })?;
    let component = topic.replace('~', "~0").replace('/', "~1");
    let found = [
        (format!("{{device}}/status/{topic}"), pointer.clone()),
        ("{device}/events/rpc".to_owned(), format!("/params/{component}{pointer}")),
        (format!("{REPLIES}/rpc"), format!("/result/{component}{pointer}")),
    ];
    found
        .into_iter()
        .map(|(topic, pointer)| Ok(Source { filter: plan.fill(&topic)?, pointer: Some(pointer) }))
        .collect()
}

pub(super) fn command(plan: &Plan, visitor: &Visitor) -> Result<(String, String), DriverError> {
    let topic = visitor.topic.as_deref().unwrap_or_default();
    if plan.config.is_first_generation() {
        return Ok((format!("shellies/{{device}}/{topic}/command"), "{value}".to_owned()));
    }
    let pointer = visitor.pointer.as_ref().map_or("", |pointer| pointer.0.as_str());
    let (kind, number) = topic.split_once(':').unwrap_or((topic, "0"));
    let (method, parameter) = match (kind, pointer) {
        ("switch", "/output") => ("Switch.Set", "on"),
        ("light", "/output") => ("Light.Set", "on"),
        ("light", "/brightness") => ("Light.Set", "brightness"),
        ("cover", "/current_pos") => ("Cover.GoToPosition", "pos"),
        _ => {
            return Err(DriverError::unsupported(format_args!(
                "there is no method known that sets {pointer} of {topic}: write `command` and `payload`"
            )));
        }
    };
    let number: u16 = number
        .parse()
        .map_err(|_| DriverError::refused(format_args!("{topic:?} is no component: expected one such as switch:0")))?;
    let source = plan.fill(REPLIES)?;
    let head = json!({"id": 2, "src": source, "method": method}).to_string();
    let params = format!(r#""params":{{"id":{number},"{parameter}":{{json}}}}"#);
    Ok(("{device}/rpc".to_owned(), format!("{},{params}}}", head.trim_end_matches('}'))))
}
