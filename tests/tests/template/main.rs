//! The template: what `cargo generate` makes of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod builds;
mod drivers;
