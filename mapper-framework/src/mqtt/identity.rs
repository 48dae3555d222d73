//! Who a connection says it is.

use std::fs;

use serde_json::json;
use sha2::{Digest, Sha256};

/// The host's name. Where there is no such file, the config has to distinguish the nodes.
fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim_end().to_owned()
}

/// The name of the node as the config has it, or else the host's.
pub(crate) fn node_or_host(node: &str) -> String {
    if node.is_empty() { host_name() } else { node.to_owned() }
}

/// A client id: the same at each start on the same host, so that a broker ends the old connection when a new one comes; and another on
/// each host and for each broker, or the mappers of two nodes would end each other's without end.
pub(crate) fn client_id(begins_with: &str, broker: &str, host: &str) -> String {
    let digest = Sha256::digest(json!([broker, host]).to_string());
    let digits: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{begins_with}-{digits}")
}
