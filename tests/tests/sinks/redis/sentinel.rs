//! A master, its replica, and a Sentinel that lets the replica take over.

use std::time::Duration;

use integration_tests::servers::{RedisOptions, RedisRole, RedisServer};
use mapper_framework::{
    config::Config,
    sink::{SinkState, SinkStatus},
};
use tokio::time::{Instant, sleep};

use super::settings::{numbers, start};
use crate::run::PATIENCE;

/// How many numbers each run sends, in as many milliseconds.
const TOTAL: u64 = 10_000;

/// The three of them.
struct Trio {
    master: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
}

impl Trio {
    async fn start(password: Option<&'static str>) -> Option<Self> {
        let options = |role| RedisOptions { password, role, ..RedisOptions::default() };
        let master = RedisServer::start_with(options(RedisRole::Alone)).await?;
        let replica = RedisServer::start_with(options(RedisRole::Replica(master.port()))).await?;
        let trio = Self {
            sentinel: RedisServer::start_with(options(RedisRole::Sentinel(master.port()))).await?,
            master,
            replica,
        };
        trio.until_info(&trio.master, "replication", "state=online").await;
        trio.until_info(&trio.sentinel, "sentinel", "slaves=1").await;
        Some(trio)
    }

    fn addr(&self) -> String {
        format!("redis-sentinel://127.0.0.1:1,127.0.0.1:{}/{}", self.sentinel.port(), RedisServer::MASTER)
    }

    /// Asks until a section of `INFO` says this: the servers have no way to say it by themselves.
    async fn until_info(&self, server: &RedisServer, section: &str, says: &str) {
        let begin = Instant::now();
        while !server.command(&["INFO", section]).text().contains(says) {
            assert!(begin.elapsed() < PATIENCE, "{section} never says {says}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn delivered(least: u64) -> impl Fn(&SinkStatus) -> bool {
    move |sink| sink.ledger().delivered() >= least
}

#[tokio::test]
async fn after_a_failover_the_new_master_is_written_to() {
    let Some(mut trio) = Trio::start(None).await else { return };
    let run = start(&["boiler"], TOTAL, &trio.addr(), |_| {}).await;
    run.until("it works", delivered(2_000)).await;
    trio.master.kill().await;
    run.until("the failover is seen", |sink| sink.state() == SinkState::Down).await;
    trio.until_info(&trio.replica, "replication", "role:master").await;
    let ledger = run.settle().await;
    assert_eq!((ledger.delivered(), ledger.rejected(), ledger.dropped()), (TOTAL, 0, 0), "{ledger}");
    let found = numbers(&trio.replica, "boiler");
    let lost = TOTAL as usize - found.len();
    println!("failover without waiting for replicas: {lost} of {TOTAL} acknowledged records are lost; {ledger}");
    assert_eq!(found.last(), Some(&(TOTAL as i64 - 1)), "the new master has what came last");
    // What the replica had not been sent yet, at most.
    assert!(lost <= 1_000, "{lost} are lost");
}

#[tokio::test]
async fn a_record_that_a_replica_has_confirmed_outlives_the_master() {
    let Some(mut trio) = Trio::start(None).await else { return };
    let run = start(&["boiler"], TOTAL, &trio.addr(), |config| config.sinks.redis.wait_replicas = 1).await;
    run.until("it works", delivered(2_000)).await;
    trio.replica.freeze().await;
    run.until_down("replicas").await;
    trio.replica.thaw().await;
    run.until("it works again", delivered(5_000)).await;
    trio.master.kill().await;
    trio.until_info(&trio.replica, "replication", "role:master").await;
    // There is nobody left who could confirm.
    run.until_produced().await;
    run.until_down("replicas").await;
    let acknowledged = run.ledger().delivered();
    let found = numbers(&trio.replica, "boiler");
    assert!(found.len() as u64 >= acknowledged, "{} of {acknowledged} are left", found.len());
    assert!(found.iter().zip(0..).all(|(found, expected)| *found == expected), "in order, without a gap");
    assert_eq!((run.ledger().rejected(), run.ledger().dropped()), (0, 0));
    run.stop().await;
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_and_a_server_in_the_place_of_one_wait_with_the_cure() {
    let Some(trio) = Trio::start(None).await else { return };
    let (sentinel, master) = (trio.sentinel.port(), trio.master.port());
    for (addr, cure) in [
        (format!("redis-sentinel://127.0.0.1:{sentinel}/other"), "the name in addr"),
        (format!("redis-sentinel://127.0.0.1:{master}/plant"), "write redis://"),
        (format!("redis-sentinel://127.0.0.1:{master},127.0.0.1:{sentinel}/plant"), ""),
        (format!("redis-cluster://127.0.0.1:{master}"), "write redis://"),
    ] {
        let run = start(&["boiler"], 100, &addr, |_| {}).await;
        if cure.is_empty() {
            assert_eq!(run.settle().await.delivered(), 100, "one that is right is enough");
        } else {
            run.until_produced().await;
            run.until_down(cure).await;
            assert_eq!((run.ledger().in_flight(), run.ledger().rejected()), (100, 0), "{addr}");
            run.stop().await;
        }
    }
}

#[tokio::test]
async fn a_user_logs_in_to_the_master_that_the_sentinels_name() {
    let Some(trio) = Trio::start(Some(super::PASSWORD)).await else { return };
    // A Sentinel names the master, wherever that is.
    let named = |config: &mut Config| {
        (config.sinks.redis.allowed, config.sinks.redis.plaintext) = (vec!["127.0.0.1".to_owned()], true);
    };
    let run = start(&["boiler"], 500, &trio.addr(), named).await;
    run.until_down("NOAUTH").await;
    run.log_in(RedisServer::USER, super::PASSWORD);
    assert_eq!(run.settle().await.delivered(), 500);
    assert_eq!(numbers(&trio.master, "boiler").len(), 500);
}
