//! Settings that are wrong for half a minute while a device delivers a thousand samples a second, and are then put right: each costs
//! one line of the log, and no record.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::Path,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use integration_tests::{
    Proxy,
    servers::{
        Answer, Mosquitto, MosquittoOptions, Nginx, NginxDoor, NginxOptions, Receiver, RedisOptions, RedisRole,
        RedisServer, Reply, Subscriber,
    },
};
use mapper_framework::{
    config::{MqttVersion, SinksConfig},
    sink::SinkState,
};
use tokio::{task::JoinSet, time::sleep};
use tracing::Level;

use super::{places::PASSWORD, servers::Run};

/// Samples a second.
const RATE: u32 = 1_000;

/// How many samples there are when the setting is put right.
const WRONG: u64 = 30_000;

/// How many there are in all.
const ALL: u64 = 33_000;

/// A server with a setting that is wrong.
#[async_trait]
trait Wrong: Send + Sync {
    /// What a manifest says, in YAML.
    fn push_method(&self) -> String;

    /// Sets what the mapper needs for it; `secrets` is a folder of credentials.
    fn configure(&self, config: &mut SinksConfig, secrets: &Path);

    /// The port of the server, by which its lines in the log are known.
    fn port(&self) -> u16;

    /// What the log has to say of the cure.
    fn cure(&self) -> &'static str;

    /// Puts the setting right.
    async fn put_right(&mut self);

    /// All numbers that have arrived, in their order.
    async fn numbers(&mut self) -> Vec<i64>;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_was_wrong_for_half_a_minute_costs_no_record() {
    let log = ErrorLog::start();
    let door = |door, path| NginxOptions { door, path };
    let open = MosquittoOptions::default();
    let wrong: Vec<(&str, Option<Box<dyn Wrong>>)> = vec![
        ("http to a port for TLS", Web::start("http://127.0.0.1", door(NginxDoor::Tls, PATH), "https://").await),
        (
            "no client certificate",
            Web::start("https://localhost", door(NginxDoor::ClientCertificate, PATH), "sinks.tls.cert_file").await,
        ),
        ("a route that is not there", Web::start("http://127.0.0.1", door(NginxDoor::Plain, "/else"), "path").await),
        ("a redis user without the keys", RedisRights::start().await),
        ("a Sentinel's address as a plain one", RedisAddress::of_sentinel().await),
        ("a node of a cluster as a plain server", RedisAddress::of_node().await),
        (
            "a topic that the broker denies",
            MqttRules::start(MosquittoOptions { writable: Some("elsewhere"), ..open }, "topic").await,
        ),
    ];
    let mut runs = JoinSet::new();
    for (what, wrong) in wrong {
        if let Some(wrong) = wrong {
            runs.spawn(run(what, wrong, log));
        }
    }
    runs.join_all().await;
}

async fn run(what: &str, mut wrong: Box<dyn Wrong>, log: &'static ErrorLog) {
    let secrets = |config: &mut SinksConfig, folder: &Path| wrong.configure(config, folder);
    let run = Run::of(&wrong.push_method(), RATE, ALL, PASSWORD, secrets).await;
    run.until_produced(WRONG).await;
    let sinks = run.bed.handle().sinks();
    let (sink, ledger) = (&sinks[0], sinks[0].ledger());
    assert_eq!((sink.state(), ledger.delivered(), ledger.rejected()), (SinkState::Down, 0, 0), "{what}: {sink}");
    let lines = log.with(wrong.port());
    assert_eq!(lines.len(), 1, "{what}: {lines:#?}");
    assert!(lines[0].contains(wrong.cure()) && lines[0].contains("waiting="), "{what}: {}", lines[0]);

    wrong.put_right().await;
    let ledger = run.settle().await;
    assert_eq!((ledger.delivered(), ledger.rejected(), ledger.dropped()), (ALL, 0, 0), "{what}: {ledger}");
    let numbers = wrong.numbers().await;
    let (mut seen, mut in_order) = (BTreeSet::new(), Vec::with_capacity(numbers.len()));
    in_order.extend(numbers.iter().copied().filter(|number| seen.insert(*number)));
    let misplaced = in_order.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert_eq!(in_order.len() as u64, ALL, "{what}: all have arrived");
    // What was refused last may be overtaken by what is tried next, in the moment in which the setting is put right.
    assert!(misplaced <= 1, "{what}: {misplaced} times out of order");
    println!("{what}: {} twice; {ledger}", numbers.len() - in_order.len());
}

/// Where the collector takes samples.
const PATH: &str = "/ingest";

/// nginx in front of a collector.
struct Web {
    nginx: Nginx,
    collector: Receiver,
    host: &'static str,
    cure: &'static str,
}

impl Web {
    async fn start(host: &'static str, options: NginxOptions, cure: &'static str) -> Option<Box<dyn Wrong>> {
        let collector = Receiver::start(|_| Answer::status(204)).await;
        let nginx = Nginx::start(collector.port(), options).await?;
        Some(Box::new(Self { nginx, collector, host, cure }))
    }
}

#[async_trait]
impl Wrong for Web {
    fn push_method(&self) -> String {
        format!("{{http: {{hostName: \"{}\", port: {}, requestPath: {PATH}}}}}", self.host, self.port())
    }

    fn configure(&self, config: &mut SinksConfig, _: &Path) {
        self.nginx.certificate().cert_file.clone_into(&mut config.tls.ca_file);
    }

    fn port(&self) -> u16 {
        self.nginx.port()
    }

    fn cure(&self) -> &'static str {
        self.cure
    }

    async fn put_right(&mut self) {
        let door = if self.host.starts_with("https") { NginxDoor::Tls } else { NginxDoor::Plain };
        self.nginx.set_up(NginxOptions { door, path: PATH }).await;
    }

    async fn numbers(&mut self) -> Vec<i64> {
        let received = self.collector.received();
        received.iter().flat_map(|request| request.text().lines().map(|line| value(line.as_bytes()))).collect()
    }
}

/// Redis with a user who may write to no key.
struct RedisRights(RedisServer);

impl RedisRights {
    async fn start() -> Option<Box<dyn Wrong>> {
        let options = RedisOptions { password: Some(PASSWORD), ..RedisOptions::default() };
        let server = RedisServer::start_with(options).await?;
        server.command(&["ACL", "SETUSER", RedisServer::USER, "resetkeys", "~elsewhere"]);
        Some(Box::new(Self(server)))
    }
}

#[async_trait]
impl Wrong for RedisRights {
    fn push_method(&self) -> String {
        format!("{{dbMethod: {{redis: {{redisClientConfig: {{addr: \"127.0.0.1:{}\", db: 0}}}}}}}}", self.port())
    }

    fn configure(&self, config: &mut SinksConfig, secrets: &Path) {
        (config.redis.sorted_set, config.redis.stream, config.redis.max_length) = (false, true, 0);
        secrets.clone_into(&mut config.redis.credentials);
    }

    fn port(&self) -> u16 {
        self.0.port()
    }

    fn cure(&self) -> &'static str {
        "ACL"
    }

    async fn put_right(&mut self) {
        self.0.command(&["ACL", "SETUSER", RedisServer::USER, "allkeys"]);
    }

    async fn numbers(&mut self) -> Vec<i64> {
        in_stream(&self.0)
    }
}

/// Where the samples go.
const STREAM: &str = "default/flood/stream";

fn in_stream(server: &RedisServer) -> Vec<i64> {
    let entries = server.command(&["XRANGE", STREAM, "-", "+"]).list();
    let number = |entry: Reply| value(entry.list().into_iter().nth(1).unwrap().texts()[1].as_bytes());
    entries.into_iter().map(number).collect()
}

/// Redis at an address where no plain server is, until one is started there.
struct RedisAddress {
    server: RedisServer,
    /// The rest of its cluster.
    _others: Vec<RedisServer>,
    cure: &'static str,
}

impl RedisAddress {
    async fn of_sentinel() -> Option<Box<dyn Wrong>> {
        let options = RedisOptions { role: RedisRole::Sentinel(1), ..RedisOptions::default() };
        let server = RedisServer::start_with(options).await?;
        Some(Box::new(Self { server, _others: Vec::new(), cure: "redis-sentinel://" }))
    }

    /// The node of two that does not own the slot of the stream.
    async fn of_node() -> Option<Box<dyn Wrong>> {
        const HALVES: [[&str; 2]; 2] = [["0", "8191"], ["8192", "16383"]];
        let mut nodes = Vec::new();
        for ([first, last], epoch) in HALVES.into_iter().zip(["1", "2"]) {
            let options = RedisOptions { role: RedisRole::Node, ..RedisOptions::default() };
            let node = RedisServer::start_with(options).await?;
            node.command(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", epoch]);
            nodes.push(node);
        }
        let (port, bus) = (nodes[0].port().to_string(), nodes[0].bus_port().to_string());
        nodes[1].command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        let is_whole = |node: &RedisServer| node.command(&["CLUSTER", "INFO"]).text().contains("cluster_state:ok");
        // Nobody says so but who is asked.
        while !nodes.iter().all(is_whole) {
            sleep(Duration::from_millis(50)).await;
        }
        let slot: u16 = nodes[0].command(&["CLUSTER", "KEYSLOT", STREAM]).text().parse().unwrap();
        let server = nodes.remove(if slot < 8192 { 1 } else { 0 });
        Some(Box::new(Self { server, _others: nodes, cure: "redis-cluster://" }))
    }
}

#[async_trait]
impl Wrong for RedisAddress {
    fn push_method(&self) -> String {
        format!("{{dbMethod: {{redis: {{redisClientConfig: {{addr: \"127.0.0.1:{}\", db: 0}}}}}}}}", self.port())
    }

    fn configure(&self, config: &mut SinksConfig, _: &Path) {
        (config.redis.sorted_set, config.redis.stream, config.redis.max_length) = (false, true, 0);
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    fn cure(&self) -> &'static str {
        self.cure
    }

    async fn put_right(&mut self) {
        self.server.become_role(RedisRole::Alone).await;
    }

    async fn numbers(&mut self) -> Vec<i64> {
        in_stream(&self.server)
    }
}

/// Mosquitto with a rule that the messages break.
struct MqttRules {
    broker: Mosquitto,
    subscriber: Subscriber,
    /// In front of the broker, and closed until the subscriber is back.
    gate: Proxy,
    cure: &'static str,
}

impl MqttRules {
    async fn start(options: MosquittoOptions, cure: &'static str) -> Option<Box<dyn Wrong>> {
        let broker = Mosquitto::start_with(options).await?;
        let (subscriber, gate) = (broker.subscribe(0).await, Proxy::start(broker.port()).await.unwrap());
        Some(Box::new(Self { broker, subscriber, gate, cure }))
    }
}

#[async_trait]
impl Wrong for MqttRules {
    fn push_method(&self) -> String {
        format!("{{mqtt: {{address: \"mqtt://127.0.0.1:{}\", topic: flood, qos: 1}}}}", self.port())
    }

    fn configure(&self, config: &mut SinksConfig, _: &Path) {
        config.mqtt.version = MqttVersion::V5;
    }

    fn port(&self) -> u16 {
        self.gate.port()
    }

    fn cure(&self) -> &'static str {
        self.cure
    }

    async fn put_right(&mut self) {
        self.gate.set_open(false);
        self.broker.set_up(MosquittoOptions::default()).await;
        self.subscriber.reconnect().await;
        self.gate.set_open(true);
    }

    async fn numbers(&mut self) -> Vec<i64> {
        let messages = self.subscriber.wait_for(ALL as usize, |_| true).await;
        messages.iter().map(|message| value(&message.payload)).collect()
    }
}

/// The value in a payload.
fn value(payload: &[u8]) -> i64 {
    let document: serde_json::Value = serde_json::from_slice(payload).unwrap();
    document["value"].as_i64().unwrap()
}

/// The lines of the log at ERROR, of all mappers in this process.
struct ErrorLog(Mutex<Vec<String>>);

static LOG: ErrorLog = ErrorLog(Mutex::new(Vec::new()));

impl ErrorLog {
    fn start() -> &'static Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        STARTED.get_or_init(|| {
            let subscriber = tracing_subscriber::fmt().with_max_level(Level::ERROR).with_ansi(false);
            let subscriber = subscriber.with_writer(|| &LOG).finish();
            tracing::subscriber::set_global_default(subscriber).expect("nobody else sets one in this binary");
        });
        &LOG
    }

    /// The lines on whoever sends to this port.
    fn with(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        self.lines().iter().filter(|line| line.contains(&port)).cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &ErrorLog {
    /// A subscriber writes a whole line at once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines().push(String::from_utf8_lossy(bytes).trim_end().to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
