//! Settings that are wrong while records come, and are put right: nothing is lost by that.

use std::collections::BTreeSet;

use integration_tests::servers::{RedisOptions, RedisRole, RedisServer, Reply};
use mapper_framework::config::Config;
use serde_json::Value as Json;

use super::PASSWORD;
use crate::run::Run;

/// Each device sends the numbers `0..each` to `addr`.
pub(super) async fn start(devices: &[&str], each: u64, addr: &str, change: impl FnOnce(&mut Config)) -> Run {
    let push = format!("{{dbMethod: {{redis: {{redisClientConfig: {{addr: \"{addr}\", db: 0}}}}}}}}");
    Run::start(devices, each, &push, |config, secrets| {
        config.sinks.redis.stream = true;
        config.sinks.redis.max_length = 0;
        secrets.clone_into(&mut config.sinks.redis.credentials);
        change(config);
    })
    .await
}

/// The numbers in a device's stream, each once. They came in order, but for one place: what was refused last may be overtaken by what is tried
/// next, in the moment in which the server is put right.
pub(super) fn numbers(server: &RedisServer, device: &str) -> Vec<i64> {
    let entries = server.command(&["XRANGE", &format!("default/{device}/stream"), "-", "+"]).list();
    let number = |entry: Reply| {
        let document: Json = serde_json::from_str(&entry.list().remove(1).texts()[1]).expect("a document");
        document["value"].as_i64().expect("a number")
    };
    // What came again stands there twice.
    let mut seen = BTreeSet::new();
    let first: Vec<i64> = entries.into_iter().map(number).filter(|number| seen.insert(*number)).collect();
    let turns = first.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(turns <= 1, "{turns} times out of order");
    seen.into_iter().collect()
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
    let run = start(&["boiler", "pump"], 2_000, &addr, |_| {}).await;
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
    let run = start(&["boiler"], 1_000, &addr, |_| {}).await;
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
    let run = start(&["boiler", "pump"], 2_000, &addr, |_| {}).await;
    run.log_in(RedisServer::USER, PASSWORD);
    run.until("good records arrive beside bad ones", |sink| {
        sink.ledger().delivered() >= 1_000 && sink.ledger().rejected() > 0
    })
    .await;
    run.until("those of the boiler have all arrived", |sink| sink.ledger().delivered() == 2_000).await;
    let ledger = run.ledger();
    assert!(ledger.rejected() <= 2_000 && ledger.dropped() == 0, "{ledger}");
    assert_eq!(numbers(&server, "boiler"), all(2_000));
    assert!(numbers(&server, "pump").is_empty());
    run.stop().await;
}

#[tokio::test]
async fn the_address_of_a_sentinel_costs_no_record() {
    let options = RedisOptions { role: RedisRole::Sentinel(1), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_with(options).await else { return };
    let addr = format!("127.0.0.1:{}", server.port());
    let run = start(&["boiler"], 1_000, &addr, |_| {}).await;
    run.until_down("Sentinel").await;
    run.until_produced().await;
    let ledger = run.ledger();
    assert_eq!((ledger.in_flight(), ledger.rejected(), ledger.dropped()), (1_000, 0, 0), "{ledger}");
    run.stop().await;
}
