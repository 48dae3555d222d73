//! Where a manifest's `addr` leads: to one server, by Sentinels to the master of the moment, or into a cluster.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    model::{Address, RedisPush},
    sink::RouteError,
};

pub(super) const ADDR: &str = "pushMethod.dbMethod.redis.redisClientConfig.addr";
const DB: &str = "pushMethod.dbMethod.redis.redisClientConfig.db";

const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What a connection depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum RedisTarget {
    Server(Server),
    Sentinel(Watched),
    Cluster(Cluster),
}

/// One server and database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) db: u32,
    pub(super) tls: bool,
}

/// The master that these Sentinels watch under this name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Watched {
    pub(super) sentinels: Vec<Node>,
    pub(super) master: String,
    pub(super) db: u32,
    /// Of the Sentinels, and of the servers.
    pub(super) tls: bool,
}

/// Some nodes of a cluster, which know the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) tls: bool,
}

/// Where somebody listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

impl RedisTarget {
    /// Reads what a manifest says.
    pub(super) fn of(push: &RedisPush) -> Result<Self, RouteError> {
        let db = u32::try_from(push.db)
            .map_err(|_| RouteError::new(DB, format_args!("{} is no database", push.db)).with_cure("use 0 or more"))?;
        let scheme = push.addr.trim().split_once("://");
        let scheme = scheme.map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        match scheme.as_ref().map(|(scheme, rest)| (scheme.as_str(), *rest)) {
            Some(("redis-sentinel", rest)) => watched(rest, db, false),
            Some(("rediss-sentinel", rest)) => watched(rest, db, true),
            Some(("redis-cluster", rest)) => cluster(rest, db, false),
            Some(("rediss-cluster", rest)) => cluster(rest, db, true),
            _ => server(&push.addr, db),
        }
    }

    /// All that the manifest names.
    pub(super) fn nodes(&self) -> Vec<Node> {
        match self {
            Self::Server(server) => vec![server.node()],
            Self::Sentinel(watched) => watched.sentinels.clone(),
            Self::Cluster(cluster) => cluster.nodes.clone(),
        }
    }

    pub(super) fn tls(&self) -> bool {
        match self {
            Self::Server(Server { tls, .. })
            | Self::Sentinel(Watched { tls, .. })
            | Self::Cluster(Cluster { tls, .. }) => *tls,
        }
    }
}

impl Server {
    pub(super) fn node(&self) -> Node {
        Node { host: self.host.clone(), port: self.port }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn server(addr: &str, db: u32) -> Result<RedisTarget, RouteError> {
    let address = Address::parse(addr).and_then(Address::checked).map_err(|error| RouteError::of(ADDR, error))?;
    let tls = match address.scheme.as_deref() {
        None | Some("redis") => false,
        Some("rediss") => true,
        Some(_) => {
            let known = "redis, redis-sentinel or redis-cluster, or rediss, rediss-sentinel or rediss-cluster (TLS)";
            return Err(RouteError::of(ADDR, address.unknown_scheme(known)));
        }
    };
    if !matches!(address.path.as_str(), "" | "/") {
        let path = &address.path;
        return Err(RouteError::new(ADDR, format_args!("{path:?} follows the port"))
            .with_cure("write the number of the database in db"));
    }
    let port = address.port.unwrap_or(SERVER_PORT);
    Ok(RedisTarget::Server(Server { host: address.host, port, db, tls }))
}

fn watched(rest: &str, db: u32, tls: bool) -> Result<RedisTarget, RouteError> {
    let (hosts, master) = rest.split_once('/').unwrap_or((rest, ""));
    let sentinels = nodes(hosts, SENTINEL_PORT)?;
    if master.is_empty() || master.contains(['/', '?', '#', '@', ' ']) {
        return Err(RouteError::new(ADDR, format_args!("{master:?} is no name of a master")).with_cure(
            "write redis-sentinel://host:port,host:port/name, with the name that `sentinel monitor` gives it",
        ));
    }
    Ok(RedisTarget::Sentinel(Watched { sentinels, master: master.to_owned(), db, tls }))
}

fn cluster(rest: &str, db: u32, tls: bool) -> Result<RedisTarget, RouteError> {
    if db != 0 {
        return Err(RouteError::new(DB, format_args!("a cluster has no database {db}")).with_cure("use 0"));
    }
    let hosts = rest.strip_suffix('/').unwrap_or(rest);
    Ok(RedisTarget::Cluster(Cluster { nodes: nodes(hosts, SERVER_PORT)?, tls }))
}

/// What commas separate. Their order says nothing, so that it makes no other target.
fn nodes(hosts: &str, default_port: u16) -> Result<Vec<Node>, RouteError> {
    let node = |text: &str| {
        let address = Address::parse(text).and_then(Address::checked).map_err(|error| RouteError::of(ADDR, error))?;
        if address.scheme.is_some() || !address.path.is_empty() {
            return Err(
                RouteError::new(ADDR, format_args!("{text:?} is no node")).with_cure("write host:port,host:port")
            );
        }
        Ok(Node { host: address.host, port: address.port.unwrap_or(default_port) })
    };
    let mut nodes = hosts.split(',').map(node).collect::<Result<Vec<_>, _>>()?;
    nodes.sort();
    nodes.dedup();
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(addr: &str, db: i32) -> Result<RedisTarget, RouteError> {
        RedisTarget::of(&RedisPush { addr: addr.to_owned(), db, ..RedisPush::default() })
    }

    fn node(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    #[test]
    fn an_address_with_and_without_a_scheme_leads_to_the_same_target() {
        let plain = RedisTarget::Server(Server { host: "r".into(), port: 6379, db: 2, tls: false });
        for addr in ["r", "r:6379", "redis://r", "redis://r:6379/"] {
            assert_eq!(of(addr, 2).unwrap(), plain, "{addr}");
        }
        assert!(of("rediss://r", 0).unwrap().tls());
    }

    #[test]
    fn a_server_is_the_target_that_older_versions_have_spooled_for() {
        let settings = serde_json::to_string(&of("rediss://r", 2).unwrap()).unwrap();
        assert_eq!(settings, r#"{"host":"r","port":6379,"db":2,"tls":true}"#);
    }

    #[test]
    fn sentinels_and_nodes_are_a_list_whose_order_does_not_matter() {
        let sentinels = vec![node("a", 26379), node("b", 5000)];
        let watched = Watched { sentinels, master: "plant".into(), db: 3, tls: false };
        for addr in ["redis-sentinel://a,b:5000/plant", "redis-sentinel://b:5000,a:26379,a/plant"] {
            assert_eq!(of(addr, 3).unwrap(), RedisTarget::Sentinel(watched.clone()), "{addr}");
        }
        let nodes = vec![node("::1", 7000), node("a", 6379)];
        let cluster = RedisTarget::Cluster(Cluster { nodes, tls: true });
        assert_eq!(of("rediss-cluster://a,[::1]:7000/", 0).unwrap(), cluster);
    }

    #[test]
    fn each_kind_of_target_is_read_back_from_the_spool() {
        for addr in ["r", "redis-sentinel://a,b/plant", "redis-cluster://a,b"] {
            let target = of(addr, 0).unwrap();
            let settings = serde_json::to_string(&target).unwrap();
            assert_eq!(serde_json::from_str::<RedisTarget>(&settings).unwrap(), target, "{addr}");
        }
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused_with_its_field() {
        for (addr, db, field, cure) in [
            ("", 0, ADDR, "host:port"),
            ("http://r", 0, ADDR, "redis-sentinel"),
            ("redis://r/3", 0, ADDR, "in db"),
            ("r", -1, DB, "0 or more"),
            ("redis-sentinel://a:1,b:2", 0, ADDR, "host:port/name"),
            ("redis-sentinel://a,/plant", 0, ADDR, "host:port"),
            ("redis-sentinel://me:hunter2@a/plant", 0, ADDR, "mounted Secret"),
            ("redis-cluster://a,redis://b", 0, ADDR, "host:port,host:port"),
            ("redis-cluster://a", 1, DB, "use 0"),
        ] {
            let error = of(addr, db).unwrap_err();
            assert_eq!(error.field, field, "{addr} {db}");
            assert!(error.to_string().contains(cure), "{addr} {db}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
