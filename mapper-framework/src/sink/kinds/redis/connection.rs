//! One multiplexed connection, with deadlines of its own.

use std::{io, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo, RedisResult, aio::MultiplexedConnection,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::{config::RedisSinkConfig, tls::TlsSection};

use super::{
    super::super::{Credentials, SinkError},
    address::Server,
    failure::{self, at, sink_error},
};

/// How long it may take to connect, with TLS.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may take to answer a pipeline, besides what it waits for replicas.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What it takes to connect besides an address.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) config: &'a RedisSinkConfig,
    pub(super) tls: &'a TlsSection,
    pub(super) credentials: &'a Credentials,
}

/// A connection, and the task that moves its bytes.
pub(super) struct RedisClient {
    commands: MultiplexedConnection,
    /// Ends with the connection.
    _driver: AbortOnDropHandle<()>,
}

impl RedisClient {
    /// Connects, authenticates and selects the database.
    ///
    /// The client library would do all this by itself, but with the TLS provider that the process happens to have, without a
    /// deadline, and with the server's reason for a refusal thrown away.
    pub(super) async fn open(server: &Server, way: &Way<'_>) -> Result<Self, SinkError> {
        let place = format!("redis at {}", server.node());
        let late = |_| SinkError::disconnected(format_args!("no connection within {CONNECT_TIMEOUT:?}"));
        let opened = timeout(CONNECT_TIMEOUT, Self::connect(server, way)).await.map_err(late).flatten();
        let mut connection = opened.map_err(|error| at(&place, &error))?;
        connection.log_in(server, way.credentials).await.map_err(|error| at(&place, &error))?;
        Ok(connection)
    }

    async fn connect(server: &Server, way: &Way<'_>) -> Result<Self, SinkError> {
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
        stream.set_nodelay(true)?;
        if server.tls {
            Self::over(secured(stream, server, way.tls).await?, way.config).await
        } else {
            Self::over(stream, way.config).await
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        config: &RedisSinkConfig,
    ) -> Result<Self, SinkError> {
        let response_timeout = RESPONSE_TIMEOUT + config.wait_timeout;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(response_timeout));
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (commands, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
        Ok(Self { commands, _driver: AbortOnDropHandle::new(tokio::spawn(driver)) })
    }

    async fn log_in(&mut self, server: &Server, credentials: &Credentials) -> Result<(), SinkError> {
        if let Some(password) = credentials.password() {
            let mut auth = redis::cmd("AUTH");
            auth.arg(credentials.username()).arg(password.expose());
            self.call::<()>(&auth).await?;
        }
        if server.db > 0 {
            self.call::<()>(redis::cmd("SELECT").arg(server.db)).await?;
        }
        // Without a password only this shows whether one is needed.
        self.call::<()>(&redis::cmd("PING")).await?;
        match self.role().await.as_deref() {
            Some("sentinel") => Err(failure::is_sentinel()),
            _ => Ok(()),
        }
    }

    /// What the server says that it is: `master`, `slave` or `sentinel`. Not every user may ask for it.
    async fn role(&mut self) -> Option<String> {
        match self.call(&redis::cmd("ROLE")).await {
            Ok(redis::Value::Array(answer)) => answer.first().and_then(|role| redis::from_redis_value_ref(role).ok()),
            _ => None,
        }
    }

    /// Sends one command.
    pub(super) async fn call<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, SinkError> {
        command.query_async(&mut self.commands).await.map_err(|error| sink_error(&error))
    }

    /// Sends commands in one go, and gives the answer to each.
    ///
    /// # Errors
    ///
    /// The connection is lost; how many of the commands were carried out is not known.
    pub(super) async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Result<(), SinkError>>, SinkError> {
        let answers: Vec<RedisResult<redis::Value>> =
            pipeline.query_async(&mut self.commands).await.map_err(|error| sink_error(&error))?;
        Ok(answers.into_iter().map(|answer| answer.map(drop).map_err(|error| sink_error(&error))).collect())
    }
}

async fn secured(
    stream: TcpStream,
    server: &Server,
    tls: &TlsSection,
) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static, SinkError> {
    let name = ServerName::try_from(server.host.clone())?;
    let connector = TlsConnector::from(Arc::new(tls.client_config().map_err(SinkError::misconfigured)?));
    let untrusted = |error: io::Error| {
        SinkError::disconnected(format_args!("TLS: {error} ({}.ca_file names more authorities to trust)", tls.name()))
            .of_tls(tls.name())
    };
    connector.connect(name, stream).await.map_err(untrusted)
}
