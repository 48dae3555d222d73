//! The master of the moment, which Sentinels know.

use redis::{
    ConnectionAddr, ErrorKind, RedisError, RedisResult,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::time::timeout;

use super::{
    super::super::SinkError,
    address::{Node, Server, Watched},
    connection::{CONNECT_TIMEOUT, Way},
    failure::{at, sink_error},
    library,
};

/// Asks all Sentinels for the master, and sees to it that it takes itself for one.
pub(super) async fn master(watched: &Watched, way: &Way<'_>) -> Result<Server, SinkError> {
    let place = format!("redis by the Sentinels at {}", listed(&watched.sentinels));
    ask(watched, way).await.map_err(|error| at(&place, &error))
}

async fn ask(watched: &Watched, way: &Way<'_>) -> Result<Server, SinkError> {
    let mut client = client(watched, way)?;
    let found = timeout(CONNECT_TIMEOUT, client.async_get_client()).await;
    let found = found.map_err(|_| SinkError::disconnected(format_args!("no answer within {CONNECT_TIMEOUT:?}")))?;
    let found = found.map_err(|error| failure(&error, &watched.master))?;
    match found.get_connection_info().addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Ok(Server { host: host.clone(), port: *port, db: watched.db, tls: watched.tls })
        }
        other => Err(SinkError::disconnected(format_args!("they name {other}, which is no address"))),
    }
}

fn client(watched: &Watched, way: &Way<'_>) -> Result<SentinelClient, SinkError> {
    let certificates = if watched.tls { Some(library::certificates(way.tls)?) } else { None };
    let build = || -> RedisResult<SentinelClient> {
        let sentinels = watched.sentinels.iter().map(|node| library::address(node, watched.tls));
        let mut builder = SentinelClientBuilder::new(sentinels, &watched.master, SentinelServerType::Master)?;
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_tls_mode(redis::TlsMode::Secure)
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
        if let Some(username) = way.credentials.username() {
            builder = builder.set_client_to_redis_username(username);
            if way.config.sentinel_login {
                builder = builder.set_client_to_sentinel_username(username);
            }
        }
        if let Some(password) = way.credentials.password() {
            builder = builder.set_client_to_redis_password(password.expose());
            if way.config.sentinel_login {
                builder = builder.set_client_to_sentinel_password(password.expose());
            }
        }
        builder.build()
    };
    build().map_err(|error| sink_error(&error))
}

fn failure(error: &RedisError, master: &str) -> SinkError {
    match error.kind() {
        ErrorKind::InvalidClientConfig => {
            SinkError::misconfigured("what answers is a server and no Sentinel: write redis://host:port in addr")
        }
        ErrorKind::MasterNameNotFoundBySentinel => SinkError::disconnected(format_args!(
            "they know no master {master:?} that is up: wait for the failover, or put the name in addr right"
        )),
        _ if error.code() == Some("NOAUTH") => SinkError::misconfigured(
            "NOAUTH: a Sentinel or the master wants a password: give one in sinks.redis.credentials, and set \
             sinks.redis.sentinel_login if it is the Sentinel that wants it",
        ),
        _ => sink_error(error),
    }
}

fn listed(nodes: &[Node]) -> String {
    nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(",")
}
