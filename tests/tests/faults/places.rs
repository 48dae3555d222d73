//! The targets of the fault runs, each a real server and a way to see which numbers have arrived there.

use std::{collections::BTreeSet, path::Path};

use integration_tests::servers::{RedisOptions, RedisServer};
use mapper_framework::{config::SinksConfig, sink::async_trait};

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

/// The password that the servers want, where they want one.
pub(crate) const PASSWORD: &str = "correct-horse";

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
    pub(crate) async fn start(password: Option<&'static str>) -> Option<Self> {
        let options = RedisOptions { password, ..RedisOptions::default() };
        Some(Self { server: RedisServer::start_with(options).await?, has_password: password.is_some() })
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
        let number = |entry: integration_tests::servers::Reply| {
            let fields = entry.list().into_iter().nth(1).unwrap().texts();
            let payload: serde_json::Value = serde_json::from_str(&fields[1]).unwrap();
            payload["value"].as_i64().unwrap()
        };
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
