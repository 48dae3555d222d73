//! A connection into a cluster: each key is at one of its nodes, and moves.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{
    Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Value, aio::ConnectionLike, cluster::ClusterClient,
    cluster_async::ClusterConnection,
};
use tokio::time::timeout;

use super::{
    super::super::SinkError,
    address::{Cluster, Node, Server},
    batch::Batch,
    connection::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT, RedisClient, Way},
    failure::{at, sink_error},
    library,
};

/// How often the library follows a key that has moved, or waits for a node, within one call.
const RETRIES: u32 = 4;

/// The longest pause between these, in milliseconds.
const LONGEST_PAUSE: u64 = 300;

/// A connection to all masters of a cluster. The library keeps it up to date.
pub(super) struct RedisCluster {
    commands: ClusterConnection,
}

impl RedisCluster {
    pub(super) async fn open(cluster: &Cluster, way: &Way<'_>) -> Result<Self, SinkError> {
        is_cluster(cluster, way).await?;
        let client = client(cluster, way)?;
        let commands = timeout(CONNECT_TIMEOUT, client.get_async_connection()).await;
        let late = |_| SinkError::disconnected(format_args!("redis cluster: no connection within {CONNECT_TIMEOUT:?}"));
        let commands = commands.map_err(late)?.map_err(|error| at("redis cluster", &failure(&error)))?;
        Ok(Self { commands })
    }

    /// Sends one command.
    pub(super) async fn call<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, SinkError> {
        command.query_async(&mut self.commands).await.map_err(|error| failure(&error))
    }

    /// Sends the commands of a batch, those of one key in their order and those of several keys side by side, and gives the answer to
    /// each.
    pub(super) async fn write(&self, batch: &Batch) -> Vec<Result<(), SinkError>> {
        let parts = batch.by_key();
        let answers = join_all(parts.iter().map(|(_, commands)| self.of_one_key(commands))).await;
        let mut all: Vec<_> = (0..batch.len()).map(|_| Ok(())).collect();
        for ((steps, _), answers) in parts.iter().zip(answers) {
            for (step, answer) in steps.iter().zip(answers) {
                all[*step] = answer.map(drop).map_err(|error| failure(&error));
            }
        }
        all
    }

    async fn of_one_key(&self, commands: &[&Cmd]) -> Vec<RedisResult<Value>> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command((*command).clone());
        }
        pipeline.ignore_errors();
        match pipeline.query_async::<Vec<RedisResult<Value>>>(&mut self.commands.clone()).await {
            Ok(answers) => answers,
            // A node lets one command in while it is given the slot, and not what follows in a pipeline.
            Err(error) if matches!(error.code(), Some("ASK" | "MOVED" | "TRYAGAIN")) => self.one_by_one(commands).await,
            Err(error) => commands.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn one_by_one(&self, commands: &[&Cmd]) -> Vec<RedisResult<Value>> {
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            answers.push(self.commands.clone().req_packed_command(command).await.and_then(Value::extract_error));
        }
        answers
    }
}

/// Sees to it that a node answers which is one. The library's own attempt keeps the reason of a refusal to itself.
async fn is_cluster(cluster: &Cluster, way: &Way<'_>) -> Result<(), SinkError> {
    let mut last = None;
    for Node { host, port } in &cluster.nodes {
        let server = Server { host: host.clone(), port: *port, db: 0, tls: cluster.tls };
        match RedisClient::open(&server, way).await {
            Ok(mut node) => return node.call::<Value>(redis::cmd("CLUSTER").arg("SLOTS")).await.map(drop),
            Err(error) if error.is_misconfigured() => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(()), Err)
}

fn client(cluster: &Cluster, way: &Way<'_>) -> Result<ClusterClient, SinkError> {
    let nodes = cluster.nodes.iter().map(|node| library::address(node, cluster.tls));
    let mut builder = ClusterClient::builder(nodes)
        .retries(RETRIES)
        .max_retry_wait(LONGEST_PAUSE)
        .connection_timeout(Duration::from_secs(2))
        .response_timeout(RESPONSE_TIMEOUT + way.config.wait_timeout);
    if cluster.tls {
        builder = builder.certs(library::certificates(way.tls)?);
    }
    if let Some(username) = way.credentials.username() {
        builder = builder.username(username);
    }
    if let Some(password) = way.credentials.password() {
        builder = builder.password(password.expose());
    }
    builder.build().map_err(|error| at("redis cluster", &sink_error(&error)))
}

/// What an error means. Where a key is follows from the cluster and not from a setting, so that another node's name is no fault.
fn failure(error: &RedisError) -> SinkError {
    match error.code() {
        Some(code @ ("ASK" | "MOVED")) => {
            SinkError::failed(format_args!("{code}: the key is being moved between nodes"))
        }
        _ => sink_error(error),
    }
}
