//! Settings that are wrong while records come, and are put right: nothing is lost by that.

use std::{fs, time::Duration};

use integration_tests::{
    flood::{Flood, PROTOCOL},
    servers::{RedisOptions, RedisRole, RedisServer, Reply},
};
use mapper_framework::{
    config::Config,
    sink::{Ledger, SinkState, SinkStatus},
    testing::TestBed,
};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::time::timeout;

use super::PASSWORD;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A mapper whose devices send numbers to a redis.
pub(super) struct Run {
    bed: TestBed,
    secrets: TempDir,
    total: u64,
}

impl Run {
    /// Each device sends the numbers `0..each` to `addr`, 1,000 in a second.
    pub(super) async fn start(devices: &[&str], each: u64, addr: &str, change: impl FnOnce(&mut Config)) -> Self {
        let secrets = tempfile::tempdir().expect("a folder");
        let flood = Flood { first: 0, rate: 1_000, total: each };
        let builder = TestBed::builder(flood, PROTOCOL).config(|config| {
            config.sinks.backoff_max = Duration::from_secs(1);
            config.sinks.redis.stream = true;
            config.sinks.redis.max_length = 0;
            secrets.path().clone_into(&mut config.sinks.redis.credentials);
            change(config);
        });
        let run = Self { bed: builder.start().await, secrets, total: each * devices.len() as u64 };
        let push = format!("{{dbMethod: {{redis: {{redisClientConfig: {{addr: \"{addr}\", db: 0}}}}}}}}");
        run.bed.edge().apply(&Flood::manifests_of(devices, &push)).await.expect("applied");
        run
    }

    pub(super) fn log_in(&self, username: &str, password: &str) {
        fs::write(self.secrets.path().join("password"), password).expect("written");
        fs::write(self.secrets.path().join("username"), username).expect("written");
    }

    /// Waits until the one sink fits, and sees to it that its ledger adds up all the time.
    pub(super) async fn until(&self, what: &str, fits: impl Fn(&SinkStatus) -> bool) {
        let handle = self.bed.handle();
        let wait = handle.wait_for_sinks(|sinks| {
            sinks.iter().for_each(|sink| assert!(sink.ledger().adds_up(), "{sink}"));
            sinks.first().is_some_and(&fits)
        });
        if timeout(PATIENCE, wait).await.is_err() {
            panic!("not within {PATIENCE:?}: {what}; {:?}", handle.sinks());
        }
    }

    /// Waits until nothing is taken, for a reason with this in it.
    pub(super) async fn until_down(&self, reason: &str) {
        let says = |sink: &SinkStatus| sink.reason().is_some_and(|why| why.contains(reason));
        self.until(reason, |sink| sink.state() == SinkState::Down && says(sink)).await;
    }

    /// Waits until all has been read from the devices.
    pub(super) async fn until_produced(&self) {
        self.until("all is produced", |sink| sink.ledger().produced() >= self.total).await;
    }

    /// Waits until everything is settled, and stops the mapper.
    pub(super) async fn settle(self) -> Ledger {
        self.until("everything is settled", |sink| {
            sink.ledger().produced() == self.total && sink.ledger().in_flight() == 0
        })
        .await;
        let ledger = *self.bed.handle().sinks()[0].ledger();
        self.bed.stop().await.expect("stopped");
        ledger
    }
}

/// The numbers in a device's stream, in the order in which they were written, each once.
pub(super) fn numbers(server: &RedisServer, device: &str) -> Vec<i64> {
    let entries = server.command(&["XRANGE", &format!("default/{device}/stream"), "-", "+"]).list();
    let number = |entry: Reply| {
        let document: Json = serde_json::from_str(&entry.list().remove(1).texts()[1]).expect("a document");
        document["value"].as_i64().expect("a number")
    };
    let mut numbers = Vec::new();
    for number in entries.into_iter().map(number) {
        // What came again stands there twice.
        if numbers.last().is_none_or(|last| *last < number) {
            numbers.push(number);
        }
    }
    numbers
}

fn all(count: i64) -> Vec<i64> {
    (0..count).collect()
}

#[tokio::test]
async fn a_user_without_the_right_to_any_key_costs_no_record() {
    let options = RedisOptions { password: Some(PASSWORD), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_with(options).await else { return };
    server.command(&["ACL", "SETUSER", RedisServer::USER, "resetkeys"]);
    let addr = format!("127.0.0.1:{}", server.port());
    let run = Run::start(&["boiler", "pump"], 2_000, &addr, |_| {}).await;
    run.log_in(RedisServer::USER, PASSWORD);
    run.until_down("right to the key").await;
    run.until_produced().await;
    server.command(&["ACL", "SETUSER", RedisServer::USER, "~*"]);
    let ledger = run.settle().await;
    assert_eq!((ledger.delivered(), ledger.rejected(), ledger.dropped()), (4_000, 0, 0), "{ledger}");
    assert_eq!(numbers(&server, "boiler"), all(2_000));
    assert_eq!(numbers(&server, "pump"), all(2_000));
}

#[tokio::test]
async fn a_user_without_the_right_to_the_command_costs_no_record() {
    let options = RedisOptions { password: Some(PASSWORD), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_with(options).await else { return };
    server.command(&["ACL", "SETUSER", RedisServer::USER, "-xadd"]);
    let addr = format!("127.0.0.1:{}", server.port());
    let run = Run::start(&["boiler"], 1_000, &addr, |_| {}).await;
    run.log_in(RedisServer::USER, PASSWORD);
    run.until_down("right to the command").await;
    run.until_produced().await;
    server.command(&["ACL", "SETUSER", RedisServer::USER, "+xadd"]);
    let ledger = run.settle().await;
    assert_eq!((ledger.delivered(), ledger.rejected(), ledger.dropped()), (1_000, 0, 0), "{ledger}");
    assert_eq!(numbers(&server, "boiler"), all(1_000));
}

#[tokio::test]
async fn a_user_without_the_right_to_the_keys_of_one_device_costs_its_records_only() {
    let options = RedisOptions { password: Some(PASSWORD), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_with(options).await else { return };
    let acl = ["ACL", "SETUSER", RedisServer::USER, "resetkeys", "~boiler", "~default/boiler/*"];
    server.command(&acl);
    let addr = format!("127.0.0.1:{}", server.port());
    let run = Run::start(&["boiler", "pump"], 2_000, &addr, |_| {}).await;
    run.log_in(RedisServer::USER, PASSWORD);
    run.until("good records arrive beside bad ones", |sink| {
        sink.ledger().delivered() >= 1_000 && sink.ledger().rejected() > 0
    })
    .await;
    run.until("those of the boiler have all arrived", |sink| sink.ledger().delivered() == 2_000).await;
    let ledger = *run.bed.handle().sinks()[0].ledger();
    assert!(ledger.rejected() <= 2_000 && ledger.dropped() == 0, "{ledger}");
    assert_eq!(numbers(&server, "boiler"), all(2_000));
    assert!(numbers(&server, "pump").is_empty());
    run.bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn the_address_of_a_sentinel_costs_no_record() {
    let options = RedisOptions { role: RedisRole::Sentinel(1), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_with(options).await else { return };
    let addr = format!("127.0.0.1:{}", server.port());
    let run = Run::start(&["boiler"], 1_000, &addr, |_| {}).await;
    run.until_down("Sentinel").await;
    run.until_produced().await;
    let (ledger, state) = {
        let sink = &run.bed.handle().sinks()[0];
        (*sink.ledger(), sink.state())
    };
    assert_eq!((ledger.in_flight(), ledger.rejected(), ledger.dropped()), (1_000, 0, 0), "{ledger}");
    assert_eq!(state, SinkState::Down);
    run.bed.stop().await.expect("stopped");
}
