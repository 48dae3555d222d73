//! TDengine, over both of its interfaces: an `INSERT` as text for each batch. The server is the tests' double, in this process, whose own
//! time is in the figures of both sides. It does next to nothing with a statement, so that what is kept beside it has no goal.

use std::fmt::Write;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use integration_tests::servers::TdengineDouble;
use mapper_framework::{
    model::{PushMethod, TdenginePush},
    sink::{Credentials, Record},
};
use taos::{AsyncQueryable, AsyncTBuilder, Taos, TaosBuilder};

use super::{Bare, compare, compare_sizes};
use crate::table::Table;

/// User and password that every TDengine begins with, and the double has.
const LOGIN: (&str, &str) = ("root", "taosdata");

pub(super) async fn run(table: &Table) -> Result<()> {
    let double = TdengineDouble::start();
    let at = format!("127.0.0.1:{}", double.port());
    for statement in [
        "CREATE DATABASE IF NOT EXISTS plant",
        "CREATE STABLE IF NOT EXISTS plant.bare (ts TIMESTAMP, v DOUBLE, quality VARCHAR(16)) TAGS (device NCHAR(64))",
    ] {
        ensure!(double.execute(statement).is_ok(), "the double refuses {statement}");
    }
    let push = |scheme: &str| {
        let mut push = TdenginePush::default();
        push.addr = format!("{scheme}://{at}");
        push.db_name = "plant".to_owned();
        PushMethod::Tdengine(push)
    };
    // The bare client needs one, though it speaks without TLS. It fails where one is installed, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let nobody = Credentials::none();
    let mut rest =
        Rest { client: reqwest::Client::builder().no_proxy().build()?, url: format!("http://{at}/rest/sql") };
    compare(table, "tdengine by REST", 20, push("http"), &nobody, &mut rest, None).await?;
    let (user, password) = LOGIN;
    let mut websocket = WebSocket(TaosBuilder::from_dsn(format!("ws://{user}:{password}@{at}"))?.build().await?);
    compare(table, "tdengine by WebSocket", 20, push("ws"), &nobody, &mut websocket, None).await?;
    compare_sizes(table, "tdengine by REST", push("http"), &nobody).await?;
    compare_sizes(table, "tdengine by WebSocket", push("ws"), &nobody).await
}

struct Rest {
    client: reqwest::Client,
    url: String,
}

#[async_trait]
impl Bare for Rest {
    async fn write(&mut self, batch: &[Record]) -> Result<()> {
        let request = self.client.post(&self.url).basic_auth(LOGIN.0, Some(LOGIN.1)).body(insert(batch));
        let answer = request.send().await?.error_for_status()?.text().await?;
        ensure!(answer.contains("\"code\":0"), "{answer}");
        Ok(())
    }
}

struct WebSocket(Taos);

#[async_trait]
impl Bare for WebSocket {
    async fn write(&mut self, batch: &[Record]) -> Result<()> {
        self.0.exec(insert(batch)).await?;
        Ok(())
    }
}

/// The statement that somebody would write by hand.
fn insert(batch: &[Record]) -> String {
    let mut statement =
        "INSERT INTO plant.boiler USING plant.bare (device) TAGS ('boiler') (ts, v, quality) VALUES ".to_owned();
    for record in batch {
        let (time, value, quality) = (record.timestamp_ms(), record.value(), record.quality().as_str());
        write!(statement, "({time}, {value}, '{quality}')").expect("a string takes everything");
    }
    statement
}
