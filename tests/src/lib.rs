//! Helpers for the tests with foreign clients and real servers: the tools these need, processes that end with their
//! test, and free ports.
//!
//! ```no_run
//! use integration_tests::{ChildGuard, Tool};
//! use tokio::process::Command;
//!
//! # async fn a_test() {
//! let Tool::At(python) = integration_tests::python() else { return };
//! let mut client = ChildGuard::spawn(Command::new(python).arg("tests/clients/python/client.py"));
//! client.wait_for_line(|line| line == "ready").await;
//! assert!(client.exit().await.success());
//! # }
//! ```

mod child;
pub mod flood;
mod port;
mod proxy;
pub mod servers;
mod tool;

pub use child::{ChildGuard, DEADLINE};
pub use port::free_port;
pub use proxy::Proxy;
pub use tool::{Tool, go_client, python, server};

/// The driver in the README is compiled, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
