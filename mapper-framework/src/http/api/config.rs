//! The config, without what is secret.

use axum::{Json, extract::State};
use serde_json::Value;

use super::super::{Site, problem::Refused};

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The config that is in force, with secrets masked
#[utoipa::path(get, path = "/api/v2/config", tag = "mapper", operation_id = "getConfig",
    responses((status = 200, description = "the keys as in the config file", body = Object), Refused))]
pub(super) async fn get(State(site): State<Site>) -> Json<Value> {
    let mut config = site.config().as_json();
    let own: Vec<_> = site.config().own.places().map(str::to_owned).collect();
    mask(&mut config, &own);
    Json(config)
}

/// Masks whatever may be secret: headers, logins and queries in addresses, and keys that are named like secrets. Sections that are not the
/// framework's, those of drivers and of sinks of one's own, are not its to judge: of these only booleans and numbers are shown.
fn mask(config: &mut Value, own: &[String]) {
    for place in own {
        if let Some(section) = config.pointer_mut(&format!("/{}", place.replace('.', "/"))) {
            mask_texts(section);
        }
    }
    mask_value(config);
}

fn mask_texts(value: &mut Value) {
    match value {
        Value::String(text) if !text.is_empty() => MASK.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(mask_texts),
        Value::Object(fields) => fields.values_mut().for_each(mask_texts),
        _ => {}
    }
}

fn mask_value(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if is_secret(key) {
                    mask_texts(value);
                }
                mask_value(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_value),
        Value::String(text) => mask_address(text),
        _ => {}
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    key == "headers"
        || ["password", "passphrase", "secret", "apikey", "api_key", "private"].iter().any(|word| key.contains(word))
}

/// Masks what stands before the host of an address, and its query.
fn mask_address(text: &mut String) {
    let begin = text.find("://").map_or(0, |at| at + 3);
    let end = text[begin..].find('/').map_or(text.len(), |at| begin + at);
    if begin > 0
        && let Some(query) = text.find('?')
    {
        text.replace_range(query + 1.., MASK);
    }
    let end = end.min(text.len());
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
            "sinks_of_others": [{"apiKey": "hunter2"}, "me:hunter2@broker:1883", "https://a/b?token=hunter2"],
            "plant": {"token": "hunter2"},
        });
        mask(&mut config, &["driver.settings".to_owned(), "plant".to_owned()]);
        let shown = config.to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("1234"), "{shown}");
        assert!(
            shown.contains("http://***@proxy:3128/") && shown.contains("502") && shown.contains("/var/run"),
            "{shown}"
        );
    }
}
