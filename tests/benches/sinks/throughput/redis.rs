//! Redis: sorted sets, a pipeline per batch.

use anyhow::Result;
use async_trait::async_trait;
use integration_tests::servers::RedisServer;
use mapper_framework::{
    model::{PushMethod, RedisPush},
    sink::{Credentials, Record},
};
use redis::aio::MultiplexedConnection;

use super::{Bare, GOAL, compare};
use crate::table::Table;

pub(super) async fn run(table: &Table) -> Result<()> {
    let Some(server) = RedisServer::start().await else { return Ok(()) };
    let addr = format!("127.0.0.1:{}", server.port());
    let client = redis::Client::open(format!("redis://{addr}/"))?;
    let mut bare = Client(client.get_multiplexed_async_connection().await?);
    let mut push = RedisPush::default();
    push.addr = addr;
    compare(table, "redis", 40, PushMethod::Redis(push), &Credentials::none(), &mut bare, GOAL).await
}

struct Client(MultiplexedConnection);

#[async_trait]
impl Bare for Client {
    async fn write(&mut self, batch: &[Record]) -> Result<()> {
        let mut pipeline = redis::pipe();
        for record in batch {
            pipeline.zadd("bare", document(record), record.timestamp_ms()).ignore();
        }
        Ok(pipeline.query_async(&mut self.0).await?)
    }
}

/// The document that the sink writes, made as somebody would make it who writes by hand.
fn document(record: &Record) -> String {
    let device = record.device();
    let document = serde_json::json!({
        "DeviceName": device.name(),
        "PropertyName": record.property(),
        "Namespace": device.namespace(),
        "Value": record.value().to_string(),
        "Type": record.series().data_type().as_str(),
        "TimeStamp": record.timestamp_ms(),
    });
    document.to_string()
}
