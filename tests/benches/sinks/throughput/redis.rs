//! Redis: sorted sets, a pipeline per batch.

use anyhow::Result;
use integration_tests::servers::RedisServer;
use mapper_framework::{
    model::{PushMethod, RedisPush},
    sink::{Credentials, Record, async_trait},
};
use redis::aio::MultiplexedConnection;

use super::{Bare, compare};
use crate::table::Table;

pub(super) async fn run(table: &Table) -> Result<()> {
    let Some(server) = RedisServer::start().await else { return Ok(()) };
    let addr = format!("127.0.0.1:{}", server.port());
    let client = redis::Client::open(format!("redis://{addr}/"))?;
    let mut bare = Client(client.get_multiplexed_async_connection().await?);
    let mut push = RedisPush::default();
    push.addr = addr;
    compare(table, "redis", 40, PushMethod::Redis(push), &Credentials::none(), &mut bare).await
}

struct Client(MultiplexedConnection);

#[async_trait]
impl Bare for Client {
    async fn write(&mut self, batch: &[Record]) -> Result<()> {
        let mut pipeline = redis::pipe();
        for record in batch {
            pipeline.zadd("bare", record.to_go_json(), record.timestamp_ms()).ignore();
        }
        Ok(pipeline.query_async(&mut self.0).await?)
    }
}
