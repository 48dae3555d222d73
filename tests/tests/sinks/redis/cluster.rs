//! A cluster of three masters, between which keys move.

use std::time::Duration;

use integration_tests::servers::{RedisOptions, RedisRole, RedisServer};
use mapper_framework::sink::SinkStatus;
use tokio::time::{Instant, sleep};

use super::settings::{numbers, start};
use crate::run::PATIENCE;

/// The slots of a cluster.
const SLOTS: u16 = 16_384;

/// How many numbers each device sends.
const EACH: u64 = 4_000;

const DEVICES: [&str; 6] = ["boiler", "pump", "valve", "fan", "meter", "lamp"];

struct RedisCluster(Vec<RedisServer>);

impl RedisCluster {
    async fn start() -> Option<Self> {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let options = RedisOptions { role: RedisRole::Node, ..RedisOptions::default() };
            nodes.push(RedisServer::start_with(options).await?);
        }
        let share = SLOTS / 3;
        for (node, first) in nodes.iter().zip([0, share, 2 * share]) {
            let last = if first == 2 * share { SLOTS - 1 } else { first + share - 1 };
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(first / share + 1).to_string()]);
        }
        for node in &nodes[1..] {
            let (port, bus) = (nodes[0].port().to_string(), nodes[0].bus_port().to_string());
            node.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Self(nodes);
        for node in &cluster.0 {
            let begin = Instant::now();
            // Nobody says so but who is asked.
            while !cluster.is_complete(node) {
                assert!(begin.elapsed() < PATIENCE, "the cluster does not come together");
                sleep(Duration::from_millis(50)).await;
            }
        }
        Some(cluster)
    }

    fn is_complete(&self, node: &RedisServer) -> bool {
        let info = node.command(&["CLUSTER", "INFO"]).text();
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") && info.contains("cluster_size:3")
    }

    fn addr(&self) -> String {
        format!("redis-cluster://127.0.0.1:1,127.0.0.1:{}", self.0[0].port())
    }

    fn slot(&self, key: &str) -> u16 {
        self.0[0].command(&["CLUSTER", "KEYSLOT", key]).text().parse().expect("a slot")
    }

    fn owner(&self, key: &str) -> usize {
        let slot = self.slot(key);
        usize::from(slot / (SLOTS / 3)).min(2)
    }

    fn id(&self, node: usize) -> String {
        self.0[node].command(&["CLUSTER", "MYID"]).text()
    }

    /// Begins to move the slot of a key: what is not there any more is asked for at the other node.
    fn begin_to_move(&self, key: &str, to: usize) {
        let (slot, from) = (self.slot(key).to_string(), self.owner(key));
        self.0[to].command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)]);
        self.0[from].command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(to)]);
        let port = self.0[to].port().to_string();
        self.0[from].command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
    }

    fn end_to_move(&self, key: &str, to: usize) {
        let (slot, id) = (self.slot(key).to_string(), self.id(to));
        self.0[to].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        for node in &self.0 {
            node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }
}

fn delivered(least: u64) -> impl Fn(&SinkStatus) -> bool {
    move |sink| sink.ledger().delivered() >= least
}

#[tokio::test]
async fn the_devices_are_spread_over_the_nodes_and_a_key_that_moves_is_followed() {
    let Some(cluster) = RedisCluster::start().await else { return };
    let streams = DEVICES.map(|device| format!("default/{device}/stream"));
    let owners: std::collections::BTreeSet<_> = streams.iter().map(|key| cluster.owner(key)).collect();
    assert_eq!(owners.len(), 3, "each node has a stream");
    let run = start(&DEVICES, EACH, &cluster.addr(), |_| {}).await;
    run.until("it works", delivered(3_000)).await;
    let moved = &streams[0];
    let to = (cluster.owner(moved) + 1) % 3;
    cluster.begin_to_move(moved, to);
    run.until("it goes on while the key is at neither node for good", delivered(9_000)).await;
    cluster.end_to_move(moved, to);
    let ledger = run.settle().await;
    let total = EACH * DEVICES.len() as u64;
    assert_eq!((ledger.delivered(), ledger.rejected(), ledger.dropped()), (total, 0, 0), "{ledger}");
    println!("three nodes, a key moved: {ledger}");
    for (device, key) in DEVICES.iter().zip(&streams) {
        let owner = if key == moved { to } else { cluster.owner(key) };
        assert_eq!(numbers(&cluster.0[owner], device), (0..EACH as i64).collect::<Vec<_>>(), "{device}");
    }
}

#[tokio::test]
async fn a_node_of_a_cluster_given_as_a_server_costs_no_record() {
    let Some(cluster) = RedisCluster::start().await else { return };
    let addr = format!("127.0.0.1:{}", cluster.0[0].port());
    let run = start(&DEVICES, 200, &addr, |_| {}).await;
    run.until_down("redis-cluster://").await;
    run.until_produced().await;
    let ledger = run.ledger();
    assert_eq!((ledger.rejected(), ledger.dropped()), (0, 0), "{ledger}");
    run.stop().await;
}

#[tokio::test]
async fn the_history_is_read_at_whatever_node_has_it() {
    let Some(cluster) = RedisCluster::start().await else { return };
    let fixture = super::Fixture { address: cluster.addr(), ..super::Fixture::new(&cluster.0[0]) };
    let mut fixture = HistoryOf(fixture);
    fixture.check().await;
}

/// The contract suite reads what has arrived at one server; here the history is enough.
struct HistoryOf<'a>(super::Fixture<'a>);

impl HistoryOf<'_> {
    async fn check(&mut self) {
        use mapper_framework::{
            sink::{Outcome, Sink},
            testing::sinks,
        };
        use std::time::UNIX_EPOCH;
        let mut sink = self.0.open().await.expect("opened");
        for device in DEVICES {
            let series = self.0.series(device, "pressure");
            let batch = [super::record(&series, 1, 1_000), super::record(&series, 2, 2_000)];
            assert_eq!(sink.write(&batch).await.expect("written"), Outcome::accepted(2));
            let query = sinks::query(vec![series], UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(9), 10);
            let points = sink.query(&query).await.expect("answered");
            let times: Vec<_> = points.iter().map(|point| point.timestamp_ms).collect();
            assert_eq!(times, [1_000, 2_000], "{device}");
        }
    }
}
