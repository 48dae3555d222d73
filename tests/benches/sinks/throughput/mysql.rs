//! MySQL: one statement with many rows per batch, prepared once.

use anyhow::Result;
use async_trait::async_trait;
use integration_tests::servers::MariaDbServer;
use mapper_framework::{
    model::{MysqlPush, PushMethod},
    sink::{Credentials, Record},
};
use mysql_async::{Conn, OptsBuilder, Params, Statement, Value, prelude::Queryable};

use super::{BATCH, Bare, GOAL, compare};
use crate::table::Table;

pub(super) async fn run(table: &Table) -> Result<()> {
    let Some(server) = MariaDbServer::start().await else { return Ok(()) };
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(server.port())
        .user(Some(MariaDbServer::USER))
        .pass(Some(MariaDbServer::PASSWORD));
    let mut connection = Conn::new(options).await?;
    connection.query_drop(format!("CREATE DATABASE {0}; USE {0}", MariaDbServer::DATABASE)).await?;
    let mut bare = Client::connect(connection).await?;
    let mut push = MysqlPush::default();
    push.addr = format!("127.0.0.1:{}", server.port());
    push.database = MariaDbServer::DATABASE.to_owned();
    push.user_name = MariaDbServer::USER.to_owned();
    let credentials = Credentials::none().with_password(MariaDbServer::PASSWORD);
    compare(table, "mysql", 20, PushMethod::Mysql(push), &credentials, &mut bare, GOAL).await
}

/// The golden files of the sink: a table like its own, and the statement that fills it.
const CREATE: &str = include_str!("../../../../mapper-framework/tests/golden/mysql/single.create.sql");
const ROW: &str = "(?, ?, ?, TIMESTAMPADD(MICROSECOND, ?, TIMESTAMP'1970-01-01 00:00:00'), ?, ?, ?, ?, ?, ?)";

struct Client {
    connection: Conn,
    insert: Statement,
}

impl Client {
    async fn connect(mut connection: Conn) -> Result<Self> {
        connection.query_drop(CREATE.replace("device_data", "bare")).await?;
        let insert = format!("INSERT INTO bare VALUES {}", vec![ROW; BATCH].join(", "));
        let insert = connection.prep(insert).await?;
        Ok(Self { connection, insert })
    }
}

#[async_trait]
impl Bare for Client {
    async fn write(&mut self, batch: &[Record]) -> Result<()> {
        let mut values = Vec::with_capacity(batch.len() * 10);
        for record in batch {
            let (device, series) = (record.device(), record.series());
            values.extend([
                device.namespace().into(),
                device.name().into(),
                record.property().into(),
                (record.timestamp_ms() * 1_000).into(),
                series.data_type().as_str().into(),
                record.value().as_f64().into(),
                Value::NULL,
                record.value().to_string().into(),
                series.unit().into(),
                record.quality().as_str().into(),
            ]);
        }
        Ok(self.connection.exec_drop(&self.insert, Params::Positional(values)).await?)
    }
}
