//! A connection to where the data is: one server, or the nodes of a cluster.

use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use super::{
    super::super::SinkError,
    address::RedisTarget,
    batch::Batch,
    cluster::RedisCluster,
    connection::{RedisClient, Way},
    sentinel,
};

/// A connection.
pub(super) enum Link {
    Server(RedisClient),
    Cluster(Box<RedisCluster>),
}

impl Link {
    /// Connects. Sentinels are asked each time, since the master may be another one.
    pub(super) async fn open(target: &RedisTarget, way: &Way<'_>) -> Result<Self, SinkError> {
        match target {
            RedisTarget::Server(server) => Ok(Self::Server(RedisClient::open(server, way).await?)),
            RedisTarget::Sentinel(watched) => {
                let master = sentinel::master(watched, way).await?;
                Ok(Self::Server(RedisClient::open(&master, way).await?))
            }
            RedisTarget::Cluster(cluster) => Ok(Self::Cluster(Box::new(RedisCluster::open(cluster, way).await?))),
        }
    }

    /// Sends one command.
    pub(super) async fn call<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, SinkError> {
        match self {
            Self::Server(server) => server.call(command).await,
            Self::Cluster(cluster) => cluster.call(command).await,
        }
    }

    /// Sends the commands of a batch, and gives the answer to each.
    ///
    /// # Errors
    ///
    /// The connection is lost, and how many of the commands were carried out is not known; or fewer replicas than `replicas` have
    /// confirmed them within `patience`.
    pub(super) async fn write(
        &mut self,
        batch: &Batch,
        (replicas, patience): (u32, Duration),
    ) -> Result<Vec<Result<(), SinkError>>, SinkError> {
        let answers = match self {
            Self::Server(server) => server.pipeline(batch.pipeline()).await?,
            Self::Cluster(cluster) => cluster.write(batch).await,
        };
        // What is refused as a whole is not to be waited for.
        if replicas > 0 && answers.iter().any(Result::is_ok) {
            self.wait_for(replicas, patience).await?;
        }
        Ok(answers)
    }

    /// Waits until so many replicas have what was written on this connection; in a cluster, so many of each master.
    async fn wait_for(&mut self, replicas: u32, patience: Duration) -> Result<(), SinkError> {
        let mut wait = redis::cmd("WAIT");
        // 0 would be for ever.
        wait.arg(replicas).arg(patience.as_millis().max(1) as u64);
        let confirmed: u32 = self.call(&wait).await?;
        if confirmed >= replicas {
            return Ok(());
        }
        Err(SinkError::failed(format_args!(
            "{confirmed} replicas have confirmed it within {patience:?}, and sinks.redis.wait_replicas asks for {replicas}: \
             bring the replicas back, or ask for fewer"
        )))
    }
}
