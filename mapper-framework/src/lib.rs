//! Write KubeEdge device mappers in Rust.

mod dmi;
