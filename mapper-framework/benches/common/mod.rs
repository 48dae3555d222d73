//! What the benchmarks share.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub(crate) mod fleet;
pub(crate) mod process;
pub(crate) mod table;

use std::env;

/// Whether `cargo bench` runs the program. `cargo test --all-targets` runs it as well, and is not to wait for figures.
pub(crate) fn is_wanted() -> bool {
    env::args().any(|arg| arg == "--bench")
}
