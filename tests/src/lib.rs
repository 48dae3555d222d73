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

pub mod camera;
pub mod cargo;
mod child;
pub mod flood;
pub mod folder;
pub mod generate;
pub mod golden_config;
pub mod golden_spool;
mod port;
mod proxy;
pub mod servers;
mod tool;
mod until;

pub use child::{ChildGuard, DEADLINE};
pub use port::free_port;
pub use proxy::Proxy;
pub use tool::{Tool, browser, deploy_check, ffmpeg, go_client, node_opcua, python, server};
pub use until::until_sink;

/// The Rust code in the README and in `docs/` is compiled, so that it stays true.
#[cfg(doctest)]
mod documents {
    macro_rules! documents {
        ($($name:ident: $file:literal,)*) => {
            $(#[doc = include_str!(concat!("../../", $file))] struct $name;)*
        };
    }

    documents! {
        Readme: "README.md",
        GettingStarted: "docs/getting-started.md",
        Deploying: "docs/deploying.md",
        WritingADriver: "docs/writing-a-driver.md",
        WritingASink: "docs/writing-a-sink.md",
        Sinks: "docs/sinks.md",
        KubeedgeNode: "docs/kubeedge-node.md",
        CheckingManifests: "docs/checking-manifests.md",
        FailureModes: "docs/failure-modes.md",
        RecordingASession: "docs/recording-a-session.md",
        MovingFromGo: "docs/moving-from-go.md",
        Watching: "docs/watching.md",
        WatchingByTask: "docs/watching-by-task.md",
        Streams: "docs/streams.md",
    }
}
