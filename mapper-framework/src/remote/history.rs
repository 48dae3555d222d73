//! `history`: what a sink has kept.

use std::time::SystemTime;

use humantime_serde::re::humantime::parse_duration;

use super::{Client, RemoteError, client::with_query, device_path, style::Style, table::Table, words::clean};
use crate::{
    cli::{HistoryArgs, Output},
    http::{Point, view::List},
    model::rfc3339,
};

pub(super) async fn run(client: &Client, args: &HistoryArgs, style: Style) -> Result<String, RemoteError> {
    let now = SystemTime::now();
    let query = [
        ("property", args.property.clone()),
        ("from", args.from.as_deref().map(|from| time(from, now))),
        ("to", args.to.as_deref().map(|to| time(to, now))),
        ("limit", args.limit.map(|limit| limit.to_string())),
        ("sink", args.sink.clone()),
    ];
    let text = client.get(&with_query(&format!("{}/history", device_path(&args.device.0)), &query)).await?;
    if args.asked.output == Output::Json {
        return Ok(text);
    }
    let points: List<Point> = serde_json::from_str(&text)?;
    let mut table = Table::new(&["TIME", "PROPERTY", "VALUE"]);
    for point in &points.items {
        table.row([clean(&point.time).into(), clean(&point.property).into(), clean(&point.value).into()]);
    }
    Ok(if table.is_empty() { "no values in this time".to_owned() } else { table.lines(style, None).join("\n") })
}

/// A time as the API has it; a duration is how long ago it is. The mapper says what is wrong with another text.
fn time(text: &str, now: SystemTime) -> String {
    let ago = parse_duration(text).ok().and_then(|ago| now.checked_sub(ago));
    ago.map_or_else(|| text.to_owned(), rfc3339)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_duration_is_a_time_ago() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(3_600);
        assert_eq!(time("1h", now), "1970-01-01T00:00:00.000Z");
        // Nothing is older than 1970.
        assert_eq!(time("100years", now), "1970-01-01T00:00:00.000Z");
        assert_eq!(time("2026-05-01T08:00:00Z", now), "2026-05-01T08:00:00Z");
        assert_eq!(time("yesterday", now), "yesterday");
    }
}
