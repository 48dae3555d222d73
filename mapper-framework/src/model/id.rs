//! Names that hold a namespace.

use std::{fmt, sync::Arc};

/// The name of a device.
pub type DeviceId = NamespacedName;

/// The name of a device model.
pub type ModelId = NamespacedName;

/// A Kubernetes name in its namespace, written `namespace/name`. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespacedName {
    full: Arc<str>,
    namespace_len: usize,
}

impl NamespacedName {
    /// Joins a namespace and a name. An empty namespace, as old edgecores send, is `default`.
    pub fn new(namespace: &str, name: &str) -> Self {
        let namespace = if namespace.is_empty() { "default" } else { namespace };
        Self { full: format!("{namespace}/{name}").into(), namespace_len: namespace.len() }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.full[..self.namespace_len]
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        &self.full[self.namespace_len + 1..]
    }

    /// `namespace/name`.
    pub fn as_str(&self) -> &str {
        &self.full
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_namespace_is_the_default_one() {
        let id = NamespacedName::new("", "boiler");
        assert_eq!((id.namespace(), id.name()), ("default", "boiler"));
        assert_eq!(id, NamespacedName::new("default", "boiler"));
    }

    #[test]
    fn a_name_with_slashes_stays_whole() {
        let id = NamespacedName::new("plant", "hall/2");
        assert_eq!((id.namespace(), id.name(), id.as_str()), ("plant", "hall/2", "plant/hall/2"));
    }
}
