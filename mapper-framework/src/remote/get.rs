//! `get`: the devices, the properties of one, or a value.

use super::{
    Client, RemoteError,
    client::{encoded, with_query},
    device_path,
    lists::Whole,
    style::{Style, Tone, of_state},
    table::{Cell, Table},
    words::{ago_or_nothing, clean, count, or_nothing, span},
};
use crate::{
    cli::{GetArgs, Output},
    http::view::{Device, Property, Summary},
    model::DeviceId,
};

pub(super) async fn run(client: &Client, args: &GetArgs, style: Style) -> Result<String, RemoteError> {
    match (&args.device, &args.property) {
        (Some(device), Some(property)) => value(client, &device.0, property, args).await,
        (Some(device), None) => one_device(client, &device.0, args, style).await,
        (None, _) => fleet(client, args, style).await,
    }
}

async fn fleet(client: &Client, args: &GetArgs, style: Style) -> Result<String, RemoteError> {
    let filter = [("search", args.search.clone()), ("state", args.state.clone())];
    let whole = Whole::read(client, "/api/v2/devices", &filter).await?;
    if args.asked.output == Output::Json {
        return Ok(whole.json().to_string());
    }
    let devices: Vec<Summary> = whole.items()?;
    Ok(match devices.as_slice() {
        [] => "no devices".to_owned(),
        devices => table_of_devices(devices).lines(style, None).join("\n"),
    })
}

/// A line for each device.
pub(super) fn table_of_devices(devices: &[Summary]) -> Table {
    let mut table = Table::new(&["DEVICE", "STATE", "FOR", "LAST VALUE", "PROPERTIES", "REASON"]);
    for device in devices {
        table.row([
            clean(&format!("{}/{}", device.namespace, device.name)).into(),
            Cell::toned(device.state.clone(), of_state(&device.state)),
            ago_or_nothing(device.since.as_deref()).into(),
            ago_or_nothing(device.last_sample.as_deref()).into(),
            match device.failing {
                0 => device.properties.to_string().into(),
                failing => Cell::toned(format!("{}, {failing} failing", device.properties), Tone::Bad),
            },
            device.reason.as_deref().map(clean).unwrap_or_default().into(),
        ]);
    }
    table
}

async fn one_device(client: &Client, id: &DeviceId, args: &GetArgs, style: Style) -> Result<String, RemoteError> {
    let path = device_path(id);
    let properties = Whole::read(client, &format!("{path}/properties"), &[("search", args.search.clone())]).await?;
    if args.asked.output == Output::Json {
        return Ok(properties.json().to_string());
    }
    let device: Device = client.read(&path).await?;
    let mut lines = about(&device, style);
    lines.push(String::new());
    let properties: Vec<Property> = properties.items()?;
    lines.extend(match properties.as_slice() {
        [] => vec!["no properties".to_owned()],
        properties => table_of_properties(properties).lines(style, None),
    });
    Ok(lines.join("\n"))
}

fn about(device: &Device, style: Style) -> Vec<String> {
    let Summary { namespace, name, model, protocol, state, since, reason, .. } = &device.summary;
    let since = since.as_deref().map(|since| format!(" for {}", super::words::ago(since))).unwrap_or_default();
    let reason = reason.as_deref().map(|reason| format!(": {}", clean(reason))).unwrap_or_default();
    let mut lines = vec![format!(
        "{} {}{since}{reason}",
        style.paint(&clean(&format!("{namespace}/{name}")), Tone::Bold),
        style.paint(state, of_state(state))
    )];
    lines.push(clean(&format!("  model {}/{}, protocol {protocol}", model.namespace, model.name)));
    if !device.methods.is_empty() {
        let methods = device.methods.iter().map(|method| format!("{}({})", method.name, method.arguments.join(", ")));
        lines.push(clean(&format!("  methods {}", methods.collect::<Vec<_>>().join(", "))));
    }
    let wrong = device.manifest_problems.iter().map(|it| ("✗", Tone::Bad, it));
    let odd = device.doubts.iter().map(|it| ("!", Tone::Odd, it));
    lines.extend(wrong.chain(odd).map(|(mark, tone, text)| format!("{} {}", style.paint(mark, tone), clean(text))));
    lines
}

/// A line for each property.
pub(super) fn table_of_properties(properties: &[Property]) -> Table {
    let mut table = Table::new(&["PROPERTY", "VALUE", "AGE", "TYPE", "DESIRED", "NOTE"]);
    for property in properties {
        let unit = if property.unit.is_empty() { String::new() } else { format!(" {}", property.unit) };
        let value = property.value.as_ref().map(|value| clean(&format!("{value}{unit}")));
        table.row([
            clean(&property.name).into(),
            or_nothing(value.as_deref()).into(),
            property.age_seconds.map_or_else(|| or_nothing(None), span).into(),
            property.r#type.to_lowercase().into(),
            desired(property),
            note(property),
        ]);
    }
    table
}

fn desired(property: &Property) -> Cell {
    let Some(desired) = &property.desired else { return "".into() };
    let tone = match desired.phase.as_str() {
        "converged" => Tone::Good,
        "refused" | "expired" => Tone::Bad,
        _ => Tone::Odd,
    };
    Cell::toned(clean(&format!("{} {}", desired.value, desired.phase)), tone)
}

/// What is wrong with a property.
fn note(property: &Property) -> Cell {
    if let Some(error) = &property.error {
        return Cell::toned(clean(&error.message), Tone::Bad);
    }
    let reason = property.desired.as_ref().and_then(|desired| desired.reason.as_deref());
    match (property.quality.as_deref(), reason) {
        (_, Some(reason)) => Cell::toned(clean(reason), Tone::Odd),
        (Some(quality @ ("bad" | "uncertain")), None) => Cell::toned(format!("quality {quality}"), Tone::Odd),
        _ => "".into(),
    }
}

/// The value alone, for scripts. What is wrong with it goes to standard error.
async fn value(client: &Client, id: &DeviceId, property: &str, args: &GetArgs) -> Result<String, RemoteError> {
    let path = format!("{}/properties/{}", device_path(id), encoded(property));
    let text = client.get(&with_query(&path, &[("fresh", args.fresh.then(|| "true".to_owned()))])).await?;
    if args.asked.output == Output::Json {
        return Ok(text);
    }
    let property: Property = serde_json::from_str(&text)?;
    let error = property.error.as_ref().map(|error| clean(&error.message));
    match (property.value, error) {
        (Some(value), None) => Ok(clean(&value)),
        (Some(value), Some(error)) => {
            let age = property.age_seconds.map(span).unwrap_or_default();
            eprintln!("warning: the property cannot be read now, and its value is {age} old: {error}");
            Ok(clean(&value))
        }
        (None, Some(error)) => Err(RemoteError::NoValue(format!("{id} {} cannot be read: {error}", property.name))),
        (None, None) => {
            let text = format!("{id} {} has no value yet: `explain {id} {}` shows why", property.name, property.name);
            Err(RemoteError::NoValue(text))
        }
    }
}

/// How many devices of how many are shown.
pub(super) fn shown_of(shown: usize, total: usize) -> String {
    if shown == total { count(total, "device") } else { format!("{shown} of {}", count(total, "device")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn property(more: &serde_json::Value) -> Property {
        let mut property = json!({
            "name": "level", "description": "", "type": "FLOAT", "unit": "m", "accessMode": "ReadWrite", "minimum": null,
            "maximum": null, "value": "2.5", "quality": "good", "time": "2026-05-01T08:00:00.000Z", "ageSeconds": 3.0,
            "error": null, "collectCycleSeconds": 1.0, "reportCycleSeconds": 1.0, "nextReadSeconds": null,
            "reportToCloud": true, "desired": null, "sinks": [], "twin": null, "counters": {},
            "strategy": {"twin": "always", "deadband": 0.0, "deadbandPercent": 0.0, "minIntervalSeconds": 0.0, "maxSilenceSeconds": null},
        });
        for (key, value) in more.as_object().unwrap() {
            property[key] = value.clone();
        }
        serde_json::from_value(property).unwrap()
    }

    #[test]
    fn a_property_shows_its_value_its_desired_one_and_what_is_wrong() {
        let properties = [
            property(&json!({})),
            property(&json!({"name": "set", "value": null, "ageSeconds": null, "unit": "",
                "desired": {"value": "3", "phase": "refused", "reason": "above maximum 2"}})),
            property(&json!({"name": "x", "error": {"message": "timed out", "since": "2026-05-01T08:00:00.000Z"}})),
            property(&json!({"name": "y", "quality": "bad"})),
        ];
        assert_eq!(
            table_of_properties(&properties).lines(Style::plain(), None),
            [
                "PROPERTY  VALUE  AGE   TYPE   DESIRED    NOTE",
                "level     2.5 m  3.0s  float",
                "set       -      -     float  3 refused  above maximum 2",
                "x         2.5 m  3.0s  float             timed out",
                "y         2.5 m  3.0s  float             quality bad",
            ]
        );
    }

    #[test]
    fn a_device_is_a_line_with_its_failures() {
        let device = json!({
            "namespace": "plant", "name": "pump", "model": {"namespace": "plant", "name": "pumps"}, "protocol": "modbus",
            "state": "disconnected", "reason": "no route\nto host", "since": null, "lastSample": null, "properties": 3,
            "failing": 2, "connects": 0, "problems": 0,
        });
        let devices: [Summary; 1] = [serde_json::from_value(device).unwrap()];
        assert_eq!(
            table_of_devices(&devices).lines(Style::plain(), None)[1],
            "plant/pump  disconnected  -    -           3, 2 failing  no route to host"
        );
    }
}
