//! The section of writes to devices.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `writes`: whether devices are written to, what is remembered of it over restarts, and where it is recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WritesConfig {
    /// Whether the mapper writes to devices. By default `enabled`.
    pub mode: WritesMode,
    /// Whether what would be written is logged and recorded, and not written. Not by default.
    pub dry_run: bool,
    /// What happens with desired values when the mapper has no memory, as on its first start. By default `write`.
    pub first_start: FirstStart,
    /// The file in which the mapper remembers which desired values it has written, so that it does not write them again after a
    /// restart. Of this mapper alone; it is made when the mapper starts. Empty, as by default, it becomes `<spool.dir>/writes.memory`.
    ///
    /// In a container, mount a `hostPath` there, or each new pod is a first start.
    pub memory: PathBuf,
    /// Where each write is recorded.
    pub audit: AuditConfig,
}

/// Whether the mapper writes to devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum WritesMode {
    /// Desired values, orders by the [`Handle`](crate::Handle) and calls of methods are written.
    #[default]
    Enabled,
    /// Nothing is ever written to any device.
    ReadOnly,
}

/// What happens with desired values when the mapper has no memory of what it has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FirstStart {
    /// They are written.
    #[default]
    Write,
    /// They are held until they change, as those of all properties of which nothing is remembered, for as long as the file of the
    /// memory lives.
    Hold,
}

/// `writes.audit`: one line of JSON for each write to a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditConfig {
    /// The file. Older ones lie beside it, as `<path>.1` and so on. Empty, as by default, nothing is recorded.
    pub path: PathBuf,
    /// The size at which the next file begins, at least 65,536 bytes. By default 10 MiB.
    pub max_bytes: u64,
    /// How many files there are at most, with the one that is written: at least 1. By default 5.
    pub files: u32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { path: PathBuf::new(), max_bytes: 10 << 20, files: 5 }
    }
}
