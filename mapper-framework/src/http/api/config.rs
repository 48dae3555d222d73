//! The config, without what is secret.

use axum::{Json, extract::State};
use serde_json::{Map, Value};

use super::super::{Site, problem::Problem};

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The config that is in force, with secrets masked
#[utoipa::path(get, path = "/api/v2/config", tag = "mapper", operation_id = "getConfig",
    responses((status = 200, description = "the keys as in the config file", body = Object), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get(State(site): State<Site>) -> Json<Value> {
    let mut config = site.config().as_json();
    mask(&mut config);
    Json(config)
}

/// Masks whatever may be secret: headers, logins in addresses, and keys that are named like secrets. A driver's own settings are not the framework's to
/// judge, so that of these only booleans and numbers are shown.
fn mask(config: &mut Value) {
    if let Some(settings) = config.pointer_mut("/driver/settings") {
        mask_texts(settings);
    }
    if let Value::Object(config) = config {
        mask_keys(config);
    }
}

fn mask_texts(value: &mut Value) {
    match value {
        Value::String(text) if !text.is_empty() => MASK.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(mask_texts),
        Value::Object(fields) => fields.values_mut().for_each(mask_texts),
        _ => {}
    }
}

fn mask_keys(fields: &mut Map<String, Value>) {
    for (key, value) in fields {
        if is_secret(key) {
            mask_texts(value);
        }
        match value {
            Value::Object(fields) => mask_keys(fields),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(mask_keys),
            Value::String(text) => mask_login(text),
            _ => {}
        }
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    key == "headers" || ["password", "secret", "apikey", "api_key"].iter().any(|word| key.contains(word))
}

/// Masks what stands before the host of an address.
fn mask_login(text: &mut String) {
    let Some(begin) = text.find("://").map(|at| at + 3) else { return };
    let end = text[begin..].find('/').map_or(text.len(), |at| begin + at);
    if let Some(at) = text[begin..end].rfind('@') {
        text.replace_range(begin..begin + at, MASK);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let mut config = json!({
            "driver": {"settings": {"pin": "1234", "port": 502}},
            "sinks": {"http": {"headers": {"Authorization": "Bearer hunter2"}}, "proxy": "http://me:hunter2@proxy:3128/"},
            "http": {"token": "/var/run/secrets/token"},
            "own": [{"apiKey": "hunter2"}],
        });
        mask(&mut config);
        let shown = config.to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("1234"), "{shown}");
        assert!(
            shown.contains("http://***@proxy:3128/") && shown.contains("502") && shown.contains("/var/run"),
            "{shown}"
        );
    }
}
