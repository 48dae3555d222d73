//! The kind `redis`: `pushMethod.dbMethod.redis`.
//!
//! What is written, by one pipeline for each batch:
//!
//! | form | command | on by default |
//! | --- | --- | --- |
//! | sorted set, as the Go framework's readers expect it | `ZADD <device> <timestamp in ms> <document of the Go framework>` | yes |
//! | stream | `XADD <namespace>/<device>/stream MAXLEN ~ <max_length> * payload <document>` | no |
//! | last value | `HSET <namespace>/<device>/last <property> <document>` | no |
//!
//! The document is the one that `crate::sink` describes, the Go framework's is
//! `{"DeviceName":…,"PropertyName":…,"Namespace":…,"Value":…,"Type":…,"TimeStamp":…}`.
//!
//! - The sorted set bears the bare name of the device, whatever its namespace, since this is where readers look for it. Two devices
//!   of one name in two namespaces share a set. Nothing is lost by that: their members differ in `Namespace`, by which the history
//!   is filtered.
//! - The members of a sorted set are distinct. The document holds the timestamp, so equal values at different times stay, and a
//!   record that is delivered again adds nothing. A stream gets such a record twice.
//! - A last value is not overwritten by an older one. A script on the server compares the two (`EVAL`).
//! - `max_length` keeps the newest members of a sorted set, exactly. A stream is cut where it costs the server nothing, so that it
//!   may be longer by about a hundred entries.
//! - The history is read from the sorted set.
//!
//! The address is `host:port` or `redis://host:port`; `redis-sentinel://host:port,host:port/name` asks Sentinels for the master of
//! that name at each connection, and `redis-cluster://host:port,host:port` finds the nodes of a cluster. With `rediss` in the place of
//! `redis` each of them uses TLS with the certificates of `sinks.tls`. One connection, in a cluster one for each node, carries everything
//! in pipelines, so `poolsize` and `minIdleConns` of the manifest are not looked at. Each command has one key, so that in a cluster no two
//! keys have to share a slot.
//!
//! A record is accepted when the master has answered, and with `wait_replicas` when so many replicas have confirmed it (`WAIT`).
//!
//! Keys of the config: `sinks.redis.credentials` (`username` of an ACL user, `password`), `sorted_set`, `stream`, `last_value`,
//! `max_length`, `ttl`, `wait_replicas`, `wait_timeout`, `sentinel_login`.

mod address;
mod batch;
mod cluster;
mod connection;
mod failure;
mod history;
mod library;
mod link;
mod sentinel;

use std::sync::Arc;

use crate::{
    config::RedisSinkConfig,
    model::{Device, DeviceId, Property, PushMethod, RedisPush},
};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError, SinkKind, Target,
};
use address::{ADDR, Node, RedisTarget};
use batch::Batch;
use connection::Way;
use link::Link;

const KIND: &str = "redis";
/// The kind of sink.
pub(super) struct Redis {
    config: RedisSinkConfig,
    access: Arc<Access>,
}

impl Redis {
    pub(super) fn new(config: &RedisSinkConfig, access: &Arc<Access>) -> Self {
        Self { config: config.clone(), access: Arc::clone(access) }
    }

    fn route(&self, push: &RedisPush) -> Result<Route, RouteError> {
        let RedisSinkConfig { sorted_set, stream, last_value, .. } = self.config;
        if !(sorted_set || stream || last_value) {
            return Err(RouteError::new("sinks.redis", "nothing would be written")
                .with_cure("set sorted_set, stream or last_value to true"));
        }
        Ok(Route::to(Target::new(KIND, &RedisTarget::of(push)?)))
    }

    /// The one of several hosts that may least be given credentials: they all get the same.
    fn strictest(&self, target: &RedisTarget) -> Option<Endpoint> {
        self.access.strictest(KIND, endpoints(target))
    }
}

impl SinkKind for Redis {
    type Sink = RedisSink;

    fn name(&self) -> &str {
        KIND
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Redis(push) => Some(push),
            _ => None,
        });
        pushes.map(|push| self.route(push)).collect()
    }

    fn keeps_history(&self) -> bool {
        true
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        self.strictest(&target.settings().ok()?)
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<RedisSink, SinkError> {
        let settings = target.settings()?;
        if !self.access.is_one_entry(KIND, endpoints(&settings)) {
            return Err(SinkError::misconfigured(format_args!(
                "the hosts in {ADDR} belong to different entries of sinks.targets, and a connection has one password: name \
                 them in one entry"
            )));
        }
        let tls = self.access.tls_of(KIND, self.strictest(&settings).as_ref());
        let way = Way { config: &self.config, tls, credentials };
        let connection = Link::open(&settings, &way).await?;
        Ok(RedisSink { config: self.config.clone(), connection })
    }
}

/// Where the nodes of a target are.
fn endpoints(target: &RedisTarget) -> impl Iterator<Item = Endpoint> {
    let endpoint = |node: &Node| {
        let endpoint = Endpoint::new(&node.host, node.port).with_tls(target.tls()).named_by(ADDR);
        if matches!(target, RedisTarget::Server(_)) { endpoint } else { endpoint.leading_on() }
    };
    target.nodes().iter().map(endpoint).collect::<Vec<_>>().into_iter()
}

/// A connection to where the data is.
pub(super) struct RedisSink {
    config: RedisSinkConfig,
    connection: Link,
}

impl Sink for RedisSink {
    async fn write(&mut self, records: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let batch = Batch::new(&self.config, records);
        let replicas = (self.config.wait_replicas, self.config.wait_timeout);
        batch.outcomes(self.connection.write(&batch, replicas).await?)
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        self.connection.call(&redis::cmd("PING")).await
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        if !self.config.sorted_set {
            return Err(SinkError::unsupported(
                "the history is read from the sorted set of a device: set sinks.redis.sorted_set to true",
            ));
        }
        history::read(&mut self.connection, query).await
    }
}

/// The key of a device's sorted set: the bare name, as the Go framework has it.
fn sorted_set_key(device: &DeviceId) -> &str {
    device.name()
}

#[cfg(test)]
mod tests {
    use crate::{config::SinksConfig, model::DataType};

    use super::*;

    fn push(addr: &str, db: i32) -> RedisPush {
        RedisPush { addr: addr.to_owned(), db, ..RedisPush::default() }
    }

    #[test]
    fn a_config_that_writes_nothing_is_refused_where_redis_is_asked_for() {
        let config = RedisSinkConfig { sorted_set: false, ..RedisSinkConfig::default() };
        let kind = Redis::new(&config, &Arc::new(Access::new(&SinksConfig::default())));
        let device = Device::builder("boiler").build();
        let plain = Property::builder("p", DataType::Int);
        assert_eq!(kind.routes(&device, &plain.clone().build()), Ok(vec![]));
        let asks = plain.push_methods(vec![PushMethod::Redis(push("r", 0))]).build();
        let error = kind.routes(&device, &asks).unwrap_err().to_string();
        assert!(error.starts_with("sinks.redis: ") && error.contains("sorted_set"), "{error}");
    }
}
