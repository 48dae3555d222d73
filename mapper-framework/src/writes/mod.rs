//! What is kept of writes to devices: the memory of what became of the last wish for each property, over restarts, and the audit of
//! all writes. What is written, and when, is decided elsewhere.

mod audit;
mod files;
mod lock;
mod memory;

use crate::config::{WritesConfig, WritesMode};

pub(crate) use audit::{AuditFile, AuditLine, AuditResult};
pub(crate) use memory::{Outcome, Remembered, WriteMemory};

/// What may be written to devices, and what is kept of it.
#[derive(Clone, Debug)]
pub(crate) struct Writes {
    pub(crate) mode: WritesMode,
    /// Whether what would be written is recorded only.
    pub(crate) dry_run: bool,
    /// What became of the last wish for each property.
    pub(crate) memory: WriteMemory,
    /// Where each write is recorded.
    pub(crate) audit: AuditFile,
}

impl Writes {
    /// What the config allows. Nothing is kept until memory and audit are opened.
    pub(crate) fn of(config: &WritesConfig) -> Self {
        let (mode, dry_run) = (config.mode, config.dry_run);
        Self { mode, dry_run, memory: WriteMemory::volatile(), audit: AuditFile::off() }
    }

    /// Why nothing may be written to any device; `None` if something may.
    pub(crate) fn forbidden(&self) -> Option<&'static str> {
        (self.mode == WritesMode::ReadOnly).then_some("writes.mode is readOnly")
    }
}
