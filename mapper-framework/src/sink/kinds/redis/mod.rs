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
//! The address is `host:port` or `redis://host:port`; `rediss://host:port` uses TLS with the certificates of `sinks.tls`. One
//! connection carries everything in pipelines, so `poolsize` and `minIdleConns` of the manifest are not looked at. The nodes of a
//! cluster are not distinguished: everything waits, and the log names the cure.
//!
//! Keys of the config: `sinks.redis.credentials` (`username` of an ACL user, `password`), `sorted_set`, `stream`, `last_value`,
//! `max_length`, `ttl`.

mod batch;
mod connection;
mod failure;
mod history;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    config::RedisSinkConfig,
    model::{Address, Device, DeviceId, Property, PushMethod, RedisPush},
};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError, SinkKind, Target,
};
use batch::Batch;
use connection::RedisClient;

const KIND: &str = "redis";
const DEFAULT_PORT: u16 = 6379;
const ADDR: &str = "pushMethod.dbMethod.redis.redisClientConfig.addr";
const DB: &str = "pushMethod.dbMethod.redis.redisClientConfig.db";

/// The kind of sink.
pub(super) struct Redis {
    config: RedisSinkConfig,
    access: Arc<Access>,
}

/// What a connection depends on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RedisTarget {
    host: String,
    port: u16,
    db: u32,
    tls: bool,
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
        Ok(Route::to(Target::new(KIND, &settings(push)?)))
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
        Some(endpoint(&target.settings().ok()?))
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<RedisSink, SinkError> {
        let settings = target.settings()?;
        let tls = self.access.tls_of(KIND, Some(&endpoint(&settings)));
        let connection = RedisClient::open(&settings, tls, credentials).await?;
        Ok(RedisSink { config: self.config.clone(), connection })
    }
}

fn endpoint(settings: &RedisTarget) -> Endpoint {
    Endpoint::new(&settings.host, settings.port).with_tls(settings.tls).named_by(ADDR)
}

/// A connection to one server and database.
pub(super) struct RedisSink {
    config: RedisSinkConfig,
    connection: RedisClient,
}

impl Sink for RedisSink {
    async fn write(&mut self, records: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let batch = Batch::new(&self.config, records);
        let answers = self.connection.pipeline(batch.pipeline()).await?;
        batch.outcomes(&answers)
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

fn settings(push: &RedisPush) -> Result<RedisTarget, RouteError> {
    let address = Address::parse(&push.addr).map_err(|error| RouteError::of(ADDR, error))?;
    let tls = match address.scheme.as_deref() {
        None | Some("redis") => false,
        Some("rediss") => true,
        Some(_) => return Err(RouteError::of(ADDR, address.unknown_scheme("redis or rediss (TLS)"))),
    };
    if !matches!(address.path.as_str(), "" | "/") {
        let path = &address.path;
        return Err(RouteError::new(ADDR, format_args!("{path:?} follows the port"))
            .with_cure("write the number of the database in db"));
    }
    let db = u32::try_from(push.db)
        .map_err(|_| RouteError::new(DB, format_args!("{} is no database", push.db)).with_cure("use 0 or more"))?;
    Ok(RedisTarget { host: address.host, port: address.port.unwrap_or(DEFAULT_PORT), db, tls })
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
    fn an_address_with_and_without_a_scheme_leads_to_the_same_target() {
        let plain = RedisTarget { host: "r".into(), port: 6379, db: 2, tls: false };
        for addr in ["r", "r:6379", "redis://r", "redis://r:6379/"] {
            assert_eq!(settings(&push(addr, 2)).unwrap(), plain, "{addr}");
        }
        assert!(settings(&push("rediss://r", 0)).unwrap().tls);
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused_with_its_field() {
        for (addr, db, field) in [("", 0, ADDR), ("http://r", 0, ADDR), ("redis://r/3", 0, ADDR), ("r", -1, DB)] {
            assert_eq!(settings(&push(addr, db)).unwrap_err().field, field, "{addr} {db}");
        }
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
