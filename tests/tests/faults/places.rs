//! The targets of the fault runs, each a real server and a way to see which numbers have arrived there.

use std::{collections::BTreeSet, path::Path};

use async_trait::async_trait;
use integration_tests::{
    Proxy,
    servers::{
        MariaDbServer, Mosquitto, MosquittoOptions, RedisOptions, RedisServer, Reply, Subscriber, TdengineDouble,
    },
};
use mapper_framework::config::SinksConfig;

/// A server, and what has arrived there.
#[async_trait]
pub(crate) trait Place: Send {
    /// What a manifest says to send a property there through this port, in YAML.
    fn push_method(&self, port: u16) -> String;

    /// The server's port.
    fn port(&self) -> u16;

    /// Sets what the mapper needs for it; `secrets` is a folder of credentials.
    fn configure(&self, config: &mut SinksConfig, secrets: &Path);

    /// All numbers that have arrived, those that arrived twice twice, once there are as many different ones as this.
    async fn numbers(&mut self, at_least: usize) -> Vec<i64>;

    /// Ends the server by SIGKILL.
    async fn kill(&mut self);

    /// Starts it again, with what it had.
    async fn restart(&mut self);

    /// Has it accept connections and answer nothing.
    async fn freeze(&mut self);

    /// Has it go on.
    async fn thaw(&mut self);
}

/// The user of the servers, and the password that they want, where they want one.
pub(crate) const USER: &str = "mapper";
pub(crate) const PASSWORD: &str = "hunter2";

/// How many numbers arrived twice, after all of `0..total` have arrived at least once.
pub(crate) async fn duplicates(place: &mut dyn Place, total: usize) -> usize {
    let numbers = place.numbers(total).await;
    let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
    let expected: BTreeSet<i64> = (0..total as i64).collect();
    let missing: Vec<_> = expected.difference(&distinct).take(10).collect();
    let strange: Vec<_> = distinct.difference(&expected).take(10).collect();
    let (gone, all) = (expected.difference(&distinct).count(), distinct.len());
    assert!(missing.is_empty() && strange.is_empty(), "{gone} missing: {missing:?}; of {all}, never sent: {strange:?}");
    numbers.len() - distinct.len()
}

/// Redis, whose stream keeps what arrives twice.
pub(crate) struct Redis {
    server: RedisServer,
    has_password: bool,
}

impl Redis {
    pub(crate) async fn start(has_password: bool) -> Option<Self> {
        let password = has_password.then_some(PASSWORD);
        let options = RedisOptions { password, ..RedisOptions::default() };
        Some(Self { server: RedisServer::start_with(options).await?, has_password })
    }
}

#[async_trait]
impl Place for Redis {
    fn push_method(&self, port: u16) -> String {
        format!("{{dbMethod: {{redis: {{redisClientConfig: {{addr: \"127.0.0.1:{port}\", db: 0}}}}}}}}")
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    fn configure(&self, config: &mut SinksConfig, secrets: &Path) {
        config.redis.stream = true;
        config.redis.max_length = 0;
        if self.has_password {
            secrets.clone_into(&mut config.redis.credentials);
        }
    }

    async fn numbers(&mut self, _: usize) -> Vec<i64> {
        let entries = self.server.command(&["XRANGE", "default/flood/stream", "-", "+"]).list();
        let number = |entry: Reply| value(entry.list().into_iter().nth(1).unwrap().texts()[1].as_bytes());
        entries.into_iter().map(number).collect()
    }

    async fn kill(&mut self) {
        self.server.kill().await;
    }

    async fn restart(&mut self) {
        self.server.restart().await;
    }

    async fn freeze(&mut self) {
        self.server.freeze().await;
    }

    async fn thaw(&mut self) {
        self.server.thaw().await;
    }
}

/// Mosquitto, and a subscriber that is there before the mapper is: a broker forwards a message with QoS 0 before it acknowledges it.
pub(crate) struct Mqtt {
    broker: Mosquitto,
    subscriber: Subscriber,
    /// In front of the broker, and closed until the subscriber is back.
    gate: Proxy,
    has_password: bool,
}

impl Mqtt {
    pub(crate) async fn start(has_password: bool) -> Option<Self> {
        let options = MosquittoOptions { password: has_password, ..MosquittoOptions::default() };
        let broker = Mosquitto::start_with(options).await?;
        let (subscriber, gate) = (broker.subscribe(0).await, Proxy::start(broker.port()).await.unwrap());
        Some(Self { broker, subscriber, gate, has_password })
    }
}

#[async_trait]
impl Place for Mqtt {
    fn push_method(&self, port: u16) -> String {
        format!("{{mqtt: {{address: \"mqtt://127.0.0.1:{port}\", topic: flood, qos: 1}}}}")
    }

    fn port(&self) -> u16 {
        self.gate.port()
    }

    fn configure(&self, config: &mut SinksConfig, secrets: &Path) {
        if self.has_password {
            secrets.clone_into(&mut config.mqtt.credentials);
        }
    }

    async fn numbers(&mut self, at_least: usize) -> Vec<i64> {
        let mut wanted = at_least;
        loop {
            let messages = self.subscriber.wait_for(wanted, |_| true).await;
            let numbers: Vec<_> = messages.iter().map(|message| value(&message.payload)).collect();
            if numbers.iter().collect::<BTreeSet<_>>().len() >= at_least {
                return numbers;
            }
            wanted = numbers.len() + 1;
        }
    }

    async fn kill(&mut self) {
        self.gate.set_open(false);
        self.broker.kill().await;
    }

    async fn restart(&mut self) {
        self.broker.restart().await;
        self.subscriber.reconnect().await;
        self.gate.set_open(true);
    }

    async fn freeze(&mut self) {
        self.broker.freeze().await;
    }

    async fn thaw(&mut self) {
        self.broker.thaw().await;
    }
}

/// The value in a payload.
fn value(payload: &[u8]) -> i64 {
    let document: serde_json::Value = serde_json::from_slice(payload).unwrap();
    document["value"].as_i64().unwrap()
}

/// MariaDB, where what comes twice is one row. It always wants a password.
pub(crate) struct Mysql(MariaDbServer);

impl Mysql {
    pub(crate) async fn start(_: bool) -> Option<Self> {
        Some(Self(MariaDbServer::start().await?))
    }
}

#[async_trait]
impl Place for Mysql {
    fn push_method(&self, port: u16) -> String {
        format!(
            "{{dbMethod: {{mysql: {{mysqlClientConfig: {{addr: \"127.0.0.1:{port}\", database: {}, userName: {USER}}}}}}}}}",
            MariaDbServer::DATABASE
        )
    }

    fn port(&self) -> u16 {
        self.0.port()
    }

    fn configure(&self, config: &mut SinksConfig, secrets: &Path) {
        secrets.clone_into(&mut config.mysql.credentials);
    }

    async fn numbers(&mut self, _: usize) -> Vec<i64> {
        let rows = self.0.sql("SELECT value_int FROM plant.device_data").await;
        rows.iter().map(|row| row[0].parse().unwrap()).collect()
    }

    async fn kill(&mut self) {
        self.0.kill().await;
    }

    async fn restart(&mut self) {
        self.0.restart().await;
    }

    async fn freeze(&mut self) {
        self.0.freeze().await;
    }

    async fn thaw(&mut self) {
        self.0.thaw().await;
    }
}

/// The double of TDengine, where what comes twice is one row. It always wants a password.
pub(crate) struct Tdengine(TdengineDouble);

impl Tdengine {
    pub(crate) async fn start(_: bool) -> Option<Self> {
        let double = TdengineDouble::start();
        double.set_password(PASSWORD);
        Some(Self(double))
    }
}

#[async_trait]
impl Place for Tdengine {
    fn push_method(&self, port: u16) -> String {
        format!("{{dbMethod: {{TDEngine: {{TDEngineClientConfig: {{addr: \"127.0.0.1:{port}\", dbName: plant}}}}}}}}")
    }

    fn port(&self) -> u16 {
        self.0.port()
    }

    fn configure(&self, config: &mut SinksConfig, secrets: &Path) {
        // The user is TDengine's own.
        std::fs::remove_file(secrets.join("username")).unwrap();
        secrets.clone_into(&mut config.tdengine.credentials);
    }

    async fn numbers(&mut self, _: usize) -> Vec<i64> {
        let rows = self.0.rows("plant", "default", "flood", "number");
        rows.iter().map(|row| row.value.parse().unwrap()).collect()
    }

    async fn kill(&mut self) {
        self.0.kill().await;
    }

    async fn restart(&mut self) {
        self.0.restart().await;
    }

    async fn freeze(&mut self) {
        self.0.set_hanging(true);
    }

    async fn thaw(&mut self) {
        self.0.set_hanging(false);
    }
}
