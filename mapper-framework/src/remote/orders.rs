//! `set` and `call`: orders to a device, and what they come to.

use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::{Client, RemoteError, client::encoded, device_path, words::clean};
use crate::{
    cli::{CallArgs, Output, SetArgs},
    http::view::OrderAnswer,
};

pub(super) async fn set(client: &Client, args: &SetArgs) -> Result<String, RemoteError> {
    let path = format!("{}/properties/{}", device_path(&args.device.0), encoded(&args.property));
    let body = json!({"value": args.value, "expiresAfterSeconds": seconds(args.expiry.expires_after)});
    let text = client.ask(Method::PUT, &path, Some(body)).await?;
    shown(text, args.asked.output, "written")
}

pub(super) async fn call(client: &Client, args: &CallArgs) -> Result<String, RemoteError> {
    let path = format!("{}/methods/{}", device_path(&args.device.0), encoded(&args.method));
    let arguments: Map<_, _> =
        args.arguments.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let body = json!({"arguments": arguments, "expiresAfterSeconds": seconds(args.expiry.expires_after)});
    let text = client.ask(Method::POST, &path, Some(body)).await?;
    shown(text, args.asked.output, "called")
}

fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}

fn shown(text: String, output: Output, done: &str) -> Result<String, RemoteError> {
    if output == Output::Json {
        return Ok(text);
    }
    Ok(lines(&serde_json::from_str(&text)?, done))
}

/// The results of a method, then what was read back.
fn lines(answer: &OrderAnswer, done: &str) -> String {
    let results = answer.results.iter().map(|result| clean(&result.value));
    let read = answer.read_back.iter().map(|read| {
        let quality = if read.quality == "good" { String::new() } else { format!(" ({})", read.quality) };
        clean(&format!("{} = {}{quality}", read.property, read.value))
    });
    let lines: Vec<_> = results.chain(read).collect();
    if lines.is_empty() { done.to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_shows_its_results_and_what_is_read_back() {
        let answer = json!({
            "results": [{"value": "7", "type": "INT"}],
            "readBack": [{"property": "level", "value": "2.5", "type": "FLOAT", "quality": "uncertain", "time": ""}],
        });
        assert_eq!(lines(&serde_json::from_value(answer).unwrap(), "called"), "7\nlevel = 2.5 (uncertain)");
        let nothing = json!({"results": [], "readBack": []});
        assert_eq!(lines(&serde_json::from_value(nothing).unwrap(), "written"), "written");
    }
}
