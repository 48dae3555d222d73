//! Lists that come in pages.

use serde_json::{Value, json};

use super::{Client, RemoteError, client::with_query};
use crate::http::view::Page;

/// How many items are asked for at a time, the most that the server returns.
const ITEMS: usize = 1000;

/// A list with all its pages.
#[derive(Debug)]
pub(super) struct Whole {
    items: Vec<Value>,
    total: usize,
}

impl Whole {
    /// Reads all pages of a list.
    pub(super) async fn read(
        client: &Client,
        path: &str,
        filter: &[(&str, Option<String>)],
    ) -> Result<Self, RemoteError> {
        let mut whole = Self { items: Vec::new(), total: 0 };
        let mut after = None;
        loop {
            let mut query = filter.to_vec();
            query.extend([("limit", Some(ITEMS.to_string())), ("continue", after)]);
            let page: Page<Value> = client.read(&with_query(path, &query)).await?;
            whole.total = page.total;
            whole.items.extend(page.items);
            after = page.r#continue;
            if after.is_none() {
                return Ok(whole);
            }
        }
    }

    /// The items, understood.
    pub(super) fn items<T: serde::de::DeserializeOwned>(self) -> Result<Vec<T>, RemoteError> {
        Ok(serde_json::from_value(Value::Array(self.items))?)
    }

    /// The list as one page.
    pub(super) fn json(self) -> Value {
        json!({"items": self.items, "continue": null, "total": self.total})
    }
}
