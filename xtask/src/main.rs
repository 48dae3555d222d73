//! The project's automation, in Rust: `cargo xtask <command>`.

mod codegen;

use anyhow::Result;
use clap::Parser;

/// The project's automation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Regenerates the protobuf code from `proto/`, without `protoc`.
    Codegen {
        /// Changes nothing, and fails if what is checked in differs from what `proto/` gives.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Codegen { check } => codegen::run(check),
    }
}

/// The workspace's root.
fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's root")
}
