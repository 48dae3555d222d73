//! The sinks: how much they keep of what their client libraries can do, what they take of memory while a target is away, and whether
//! one that hangs holds up another. Figures are printed beside their goals; nothing fails.

#[path = "../../../mapper-framework/benches/common/table.rs"]
mod table;

mod isolation;
mod memory;
mod throughput;

use std::env;

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo test --all-targets` runs this program as well, and is not to wait for figures.
    if !env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    throughput::run().await?;
    isolation::run().await?;
    memory::run().await
}
