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

use crate::tls::TlsSection;

use super::{
    super::super::{Credentials, SinkError},
    RedisTarget, failure,
    failure::sink_error,
};

/// How long it may take to connect, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may take to answer a pipeline.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

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
    pub(super) async fn open(
        settings: &RedisTarget,
        tls: &TlsSection,
        credentials: &Credentials,
    ) -> Result<Self, SinkError> {
        let connecting = async {
            let stream = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
            stream.set_nodelay(true)?;
            if settings.tls {
                Self::over(secured(stream, settings, tls).await?).await
            } else {
                Self::over(stream).await
            }
        };
        let late = |_| SinkError::disconnected(format_args!("no connection within {CONNECT_TIMEOUT:?}"));
        let opened = timeout(CONNECT_TIMEOUT, connecting).await.map_err(late).flatten();
        let mut connection = opened.map_err(|error| at(settings, &error))?;
        connection.log_in(settings, credentials).await.map_err(|error| at(settings, &error))?;
        Ok(connection)
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, SinkError> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE_TIMEOUT));
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (commands, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
        Ok(Self { commands, _driver: AbortOnDropHandle::new(tokio::spawn(driver)) })
    }

    async fn log_in(&mut self, settings: &RedisTarget, credentials: &Credentials) -> Result<(), SinkError> {
        if let Some(password) = credentials.password() {
            let mut auth = redis::cmd("AUTH");
            auth.arg(credentials.username()).arg(password.expose());
            self.call::<()>(&auth).await?;
        }
        if settings.db > 0 {
            self.call::<()>(redis::cmd("SELECT").arg(settings.db)).await?;
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
    pub(super) async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<RedisResult<redis::Value>>, SinkError> {
        pipeline.query_async(&mut self.commands).await.map_err(|error| sink_error(&error))
    }
}

async fn secured(
    stream: TcpStream,
    settings: &RedisTarget,
    tls: &TlsSection,
) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static, SinkError> {
    let name = ServerName::try_from(settings.host.clone())?;
    let connector = TlsConnector::from(Arc::new(tls.client_config()?));
    let untrusted = |error: io::Error| {
        SinkError::disconnected(format_args!("TLS: {error} ({}.ca_file names more authorities to trust)", tls.name()))
    };
    connector.connect(name, stream).await.map_err(untrusted)
}

/// The error with the server's address, which belongs to whatever goes wrong before the first command.
fn at(settings: &RedisTarget, error: &SinkError) -> SinkError {
    let RedisTarget { host, port, .. } = settings;
    let make = if error.is_misconfigured() { SinkError::misconfigured } else { SinkError::disconnected };
    make(format!("redis at {host}:{port}: {error}"))
}
