//! What is promised of routes and metrics: none of these names goes.

use std::collections::BTreeSet;

use super::{bed, get};

/// One on each line.
fn promised(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_of_the_api_goes() {
    let (_bed, address, _folder) = bed().await;
    let document: serde_json::Value = serde_json::from_str(&get(address, "/api/v2/openapi.json").await).unwrap();
    let mut served = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            served.insert(format!("{method} {path} {}", operation["operationId"].as_str().unwrap()));
        }
    }
    let promised = promised(include_str!("operations.txt"));
    let missing: Vec<_> = promised.iter().filter(|it| !served.contains(**it)).collect();
    assert!(missing.is_empty(), "gone: {missing:?}; there is {served:#?}");
    let new: Vec<_> = served.iter().filter(|it| !promised.contains(it.as_str())).collect();
    assert!(new.is_empty(), "new, and to be promised in operations.txt: {new:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_metric_goes() {
    let (_bed, address, _folder) = bed().await;
    let metrics = get(address, "/metrics").await;
    let described = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exported: BTreeSet<_> = described.collect();
    let promised = promised(include_str!("metrics.txt"));
    let missing: Vec<_> = promised.difference(&exported).collect();
    assert!(missing.is_empty(), "gone, or of another type: {missing:?}");
    let new: Vec<_> = exported.difference(&promised).collect();
    assert!(new.is_empty(), "new, and to be promised in metrics.txt: {new:#?}");
}
