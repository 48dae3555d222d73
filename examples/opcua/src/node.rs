//! Nodes as manifests name them.

use std::{fmt, str::FromStr};

use mapper_framework::DriverError;
use serde::{Deserialize, Deserializer, de::Error as _};
use ua::types::{NamespaceMap, NodeId};

/// A node: `i=2258`, `ns=2;s=Boiler.Level` or `nsu=urn:factory:boilers;s=Boiler.Level`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// As it was written.
    text: String,
    /// Its namespace's index counts only without a URI.
    id: NodeId,
    uri: Option<String>,
}

impl Node {
    /// The node's id in a server with these namespaces.
    ///
    /// # Errors
    ///
    /// The server does not have the namespace.
    pub(crate) fn resolve(&self, namespaces: &NamespaceMap) -> Result<NodeId, DriverError> {
        let Some(uri) = &self.uri else { return Ok(self.id.clone()) };
        let Some(namespace) = namespaces.get_index(uri) else {
            let mut known: Vec<_> = namespaces.known_namespaces().iter().map(|(uri, _)| uri.as_str()).collect();
            known.sort_unstable();
            return Err(DriverError::refused(format_args!(
                "{self}: the server has no such namespace, but {}",
                known.join(", ")
            )));
        };
        Ok(NodeId { namespace, identifier: self.id.identifier.clone() })
    }
}

impl FromStr for Node {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let (uri, rest) = match trimmed.strip_prefix("nsu=").map(|rest| rest.split_once(';')) {
            None => (None, trimmed),
            Some(Some((uri, rest))) if !uri.is_empty() && !rest.starts_with("ns=") => (Some(uri.to_owned()), rest),
            Some(_) => return Err(unreadable(text)),
        };
        let id = NodeId::from_str(rest).map_err(|_| unreadable(text))?;
        Ok(Self { text: trimmed.to_owned(), id, uri })
    }
}

fn unreadable(text: &str) -> String {
    format!(
        "found {text:?}, expected a node such as i=2258, ns=2;s=Boiler.Level or nsu=urn:factory:boilers;s=Boiler.Level"
    )
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use ua::types::Identifier;

    use super::*;

    fn namespaces() -> NamespaceMap {
        let mut namespaces = NamespaceMap::new();
        namespaces.add_namespace("urn:server");
        namespaces.add_namespace("urn:factory:boilers");
        namespaces
    }

    fn resolved(text: &str) -> NodeId {
        text.parse::<Node>().unwrap().resolve(&namespaces()).unwrap()
    }

    #[test]
    fn a_node_is_found_by_its_index_and_by_the_uri_of_its_namespace() {
        assert_eq!(resolved("i=2258"), NodeId::new(0, 2258));
        assert_eq!(resolved("ns=7;i=4"), NodeId::new(7, 4));
        assert_eq!(resolved(" nsu=urn:factory:boilers;s=Level; high "), NodeId::new(2, "Level; high"));
        assert_eq!(resolved("nsu=http://opcfoundation.org/UA/;i=85"), NodeId::new(0, 85));
        let guid = resolved("ns=1;g=72962b91-fa75-4ae6-8d28-b404dc7daf63");
        assert!(matches!(guid.identifier, Identifier::Guid(_)));
        assert!(matches!(resolved("ns=1;b=TQ==").identifier, Identifier::ByteString(_)));
    }

    #[test]
    fn what_is_no_node_is_an_error_with_an_example() {
        for text in ["", "Level", "ns=x;i=1", "ns=1,i=1", "i=-1", "nsu=urn:a", "nsu=;i=1", "nsu=urn:a;ns=2;i=1"] {
            let error = text.parse::<Node>().unwrap_err();
            assert!(error.contains("expected a node such as i=2258"), "{error}");
        }
    }

    #[test]
    fn a_namespace_that_the_server_lacks_is_named_with_those_that_it_has() {
        let node: Node = "nsu=urn:factory:boiler;i=1".parse().unwrap();
        let error = node.resolve(&namespaces()).unwrap_err();
        assert!(!error.is_retryable());
        let message = error.to_string();
        assert!(message.starts_with("nsu=urn:factory:boiler;i=1: the server has no such namespace, but "), "{message}");
        assert!(message.contains("urn:factory:boilers"), "{message}");
    }
}
