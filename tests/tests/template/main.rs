//! The template: what `cargo generate` makes of it.

mod answers;
mod builds;
