//! A mapper for [`Flood`], for tests that kill it: it runs against an edgecore of its own, on a spool that outlives it, and says on
//! standard output what has become of its records.
//!
//! Told by environment variables: `MAPPER_TEST_FOLDER` (where the spool lies), `MAPPER_TEST_PUSH` (the push method, YAML in braces),
//! `MAPPER_TEST_FIRST`, `MAPPER_TEST_RATE` and `MAPPER_TEST_TOTAL` (the numbers). `MAPPER_…` keys of the config count, too.

use std::{env, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use integration_tests::flood::{Flood, PROTOCOL};
use mapper_framework::{
    Handle, Mapper,
    config::{Config, Sources},
    local_edge::LocalEdge,
    sink::SinkStatus,
};

fn told<T: std::str::FromStr>(name: &str) -> Result<T> {
    let value = env::var(name).with_context(|| format!("{name} is not set"))?;
    value.parse().ok().with_context(|| format!("{name}={value} cannot be used"))
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder: PathBuf = told("MAPPER_TEST_FOLDER")?;
    let flood =
        Flood { first: told("MAPPER_TEST_FIRST")?, rate: told("MAPPER_TEST_RATE")?, total: told("MAPPER_TEST_TOTAL")? };
    let sockets = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(sockets.path()).await?;
    edge.apply(&Flood::manifests(&told::<String>("MAPPER_TEST_PUSH")?)).await?;
    let mut defaults = Config::default();
    PROTOCOL.clone_into(&mut defaults.common.protocol);
    defaults.common.edgecore_sock = edge.socket().to_owned();
    defaults.grpc_server.socket_path = sockets.path().join("mapper.sock");
    defaults.spool.dir = folder.join("spool");
    let (config, _) = Config::load(Sources::new(defaults).env(env::vars_os()))?;
    let mapper = Mapper::builder(flood).config(config).environment(env::vars_os()).build();
    let handle = mapper.handle();
    let said = tokio::spawn(say(handle));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    mapper
        .run_until(async {
            terminate.recv().await;
        })
        .await?;
    said.abort();
    Ok(())
}

/// Prints the state of the sinks whenever it has changed, and not more often than a test can read it.
async fn say(handle: Handle) {
    let mut said = String::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    loop {
        ticks.tick().await;
        let now = state(&handle.sinks());
        if now != said {
            println!("{now}");
            said = now;
        }
    }
}

fn state(sinks: &[SinkStatus]) -> String {
    let spooled: u64 = sinks.iter().map(SinkStatus::spooled_records).sum();
    format!("spooled={spooled} {}", sinks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
