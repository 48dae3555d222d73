//! The history of a device, from its sorted set.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::Value;

use super::{
    super::super::{
        Point, Query, SinkError,
        history::{ANSWER_BYTES, take},
    },
    link::Link,
    sorted_set_key,
};

/// How many members are asked for at first, which may be as large as a record can be.
const FIRST_PAGE: usize = 16;

/// How many are asked for at once at most.
const PAGE: usize = 1_000;

/// About how many bytes a page is to have.
const PAGE_BYTES: usize = 1 << 20;

/// How many members are looked at: the set holds all properties of the device, and may hold none of those which are asked for.
const MOST_MEMBERS: usize = 200_000;

/// What the history needs of the Go framework's document.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    device_name: String,
    property_name: String,
    namespace: String,
    value: String,
}

/// Reads from the newest member on until there are enough points.
pub(super) async fn read(connection: &mut Link, query: &Query) -> Result<Vec<Point>, SinkError> {
    // In the order of the set. What is written meanwhile moves the pages, so that a member may come twice.
    let mut found = BTreeMap::new();
    let (mut offset, mut count, mut room) = (0, FIRST_PAGE, ANSWER_BYTES);
    while offset < MOST_MEMBERS {
        let page = page(connection, query, offset, count).await?;
        let is_last = page.len() < count;
        offset += count;
        count = next_page(count, page.iter().map(|(member, _)| member.len()).sum());
        for (member, score) in page {
            let timestamp_ms = score as i64;
            if let Some(point) = point(query, &member, timestamp_ms) {
                room = take(room, member.len())?;
                found.insert((timestamp_ms, member), point);
            }
        }
        if is_last || found.len() >= query.limit() {
            break;
        }
    }
    let surplus = found.len().saturating_sub(query.limit());
    Ok(found.into_values().skip(surplus).collect())
}

/// How many members are asked for after so many had so many bytes.
fn next_page(count: usize, bytes: usize) -> usize {
    match bytes {
        bytes if bytes > PAGE_BYTES => (count / 2).max(1),
        bytes if bytes <= PAGE_BYTES / 2 => (count * 2).min(PAGE),
        _ => count,
    }
}

async fn page(
    connection: &mut Link,
    query: &Query,
    offset: usize,
    count: usize,
) -> Result<Vec<(Vec<u8>, f64)>, SinkError> {
    let mut command = redis::cmd("ZREVRANGEBYSCORE");
    command.arg(sorted_set_key(query.device())).arg(query.to_ms()).arg(query.from_ms());
    command.arg("WITHSCORES").arg("LIMIT").arg(offset).arg(count);
    connection.call(&command).await
}

/// The point in a member; none if it is not asked for, or nothing that can be read.
fn point(query: &Query, member: &[u8], timestamp_ms: i64) -> Option<Point> {
    let member: Member = serde_json::from_slice(member).ok()?;
    let device = query.device();
    if member.device_name != device.name() || member.namespace != device.namespace() {
        return None;
    }
    let series = query.series_of(&member.property_name)?;
    let value = Value::parse(&member.value, series.data_type()).ok()?;
    Some(Point::new(member.property_name, value, timestamp_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_with_small_members_and_shrink_with_large_ones() {
        assert_eq!(next_page(FIRST_PAGE, 16 * 150), 32);
        assert_eq!(next_page(800, 800 * 150), PAGE);
        assert_eq!(next_page(FIRST_PAGE, 128 << 20), 8);
        assert_eq!(next_page(1, 8 << 20), 1);
        assert_eq!(next_page(500, 700 << 10), 500);
    }
}
