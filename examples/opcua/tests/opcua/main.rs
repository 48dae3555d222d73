//! The mapper against real OPC UA servers, asyncua and node-opcua. `cargo xtask test -- -p opcua` installs them and runs this.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

/// Runs each of these tests against each of the servers.
macro_rules! against_each {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::{Outcome, server::Make};

            #[tokio::test]
            async fn asyncua() -> Outcome {
                super::$name(Make::Asyncua).await
            }

            #[tokio::test]
            async fn node_opcua() -> Outcome {
                super::$name(Make::NodeOpcua).await
            }
        }
    )+};
}

mod authority;
mod bed;
mod chains;
mod check;
mod discover;
mod driver;
mod mapper;
mod recorded;
mod security;
mod server;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
