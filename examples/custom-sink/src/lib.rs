//! A mapper with a sink of its own: [`csv`] is the sink, [`clock`] a device for it.
//!
//! Run it from the workspace's root, and look into the file that comes to lie in the working directory:
//!
//! ```console
//! cargo run -p custom-sink -- --standalone examples/custom-sink/devices
//! ```

pub mod clock;
pub mod csv;
