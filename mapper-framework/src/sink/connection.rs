//! A connection to a target: opened, checked and written to, each within its deadline.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use crate::credentials::CredentialSources;

use super::{
    Access, Credentials, ErasedKind, Outcome, Point, Query, Record, SinkError, Target, erased::ErasedSink,
    frames::PushedFrame,
};

/// How often changed credentials are looked for.
const CREDENTIALS_CYCLE: Duration = Duration::from_secs(5);

/// How long a connection may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// What it takes to reach a target. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) kind: Arc<dyn ErasedKind>,
    pub(super) target: Target,
    pub(super) credentials: Arc<CredentialSources>,
    /// Whether they may be sent to the target.
    pub(super) access: Arc<Access>,
    /// The deadline of each call of the sink's.
    pub(super) deadline: Duration,
}

/// An open sink, and the credentials that it was opened with.
pub(super) struct Connection {
    sink: Box<dyn ErasedSink>,
    credentials: Credentials,
    checked: Instant,
}

/// What one attempt came to.
pub(super) struct Attempt {
    /// The connection, unless it is lost.
    pub(super) connection: Option<Connection>,
    /// Whether there was one to begin with: without, nothing of the batch can have been written.
    pub(super) connected: bool,
    /// The outcomes of the batch.
    pub(super) outcome: Result<Vec<Outcome>, SinkError>,
}

impl Dialer {
    /// Writes a batch, on this connection or on a new one. Without a batch, asks whether it could be written.
    pub(super) async fn attempt(self, connection: Option<Connection>, batch: Arc<[Record]>) -> Attempt {
        let mut connection = match self.ready(connection).await {
            Ok(connection) => connection,
            Err(error) => return Attempt { connection: None, connected: false, outcome: Err(self.named(error)) },
        };
        let write = async {
            if batch.is_empty() {
                connection.sink.health().await.map(|()| Vec::new())
            } else {
                connection.sink.write(&batch).await
            }
        };
        // Nobody knows what is on the wire of a connection that missed its deadline.
        let outcome = timeout(self.deadline, write).await.unwrap_or_else(|_| Err(self.too_long("write")));
        let outcome = outcome.map_err(|error| self.named(error));
        let lost = outcome.as_ref().is_err_and(SinkError::is_disconnected);
        Attempt { connection: (!lost).then_some(connection), connected: true, outcome }
    }

    /// Pushes a frame, on this connection or on a new one, and gives back the connection, unless it is lost.
    pub(super) async fn push(
        &self,
        connection: Option<Connection>,
        frame: &PushedFrame,
    ) -> (Option<Connection>, Result<(), SinkError>) {
        let mut connection = match self.ready(connection).await {
            Ok(connection) => connection,
            Err(error) => return (None, Err(self.named(error))),
        };
        let pushed = timeout(self.deadline, connection.sink.write_frame(frame)).await;
        let pushed = pushed.unwrap_or_else(|_| Err(self.too_long("write"))).map_err(|error| self.named(error));
        let lost = pushed.as_ref().is_err_and(SinkError::is_disconnected);
        ((!lost).then_some(connection), pushed)
    }

    /// Asks for history, on a connection of its own.
    pub(super) async fn query(&self, query: Query) -> Result<Vec<Point>, SinkError> {
        let mut connection = self.open().await.map_err(|error| self.named(error))?;
        let answer = timeout(self.deadline, connection.sink.query(&query)).await;
        let answer = answer.unwrap_or_else(|_| Err(self.too_long("query")));
        connection.close().await;
        answer.map_err(|error| self.named(error))
    }

    /// The error with the key of the certificates that count for this target.
    fn named(&self, error: SinkError) -> SinkError {
        let endpoint = self.kind.endpoint(&self.target);
        let own = endpoint.and_then(|endpoint| self.access.own_tls(self.kind.name(), &endpoint));
        match own {
            Some(section) => error.naming_tls(section.name()),
            None => error,
        }
    }

    /// A connection that has the credentials which are in force.
    async fn ready(&self, connection: Option<Connection>) -> Result<Connection, SinkError> {
        let Some(mut connection) = connection else { return self.open().await };
        if connection.checked.elapsed() < CREDENTIALS_CYCLE {
            return Ok(connection);
        }
        connection.checked = Instant::now();
        // What cannot be read now may be about to be replaced: the connection is good until it is not.
        match self.credentials() {
            Ok(credentials) if credentials != connection.credentials => {
                connection.close().await;
                self.open().await
            }
            Ok(_) | Err(_) => Ok(connection),
        }
    }

    /// Opens another connection.
    async fn open(&self) -> Result<Connection, SinkError> {
        let credentials = self.credentials()?;
        let open = self.kind.open(&self.target, &credentials);
        let sink = timeout(self.deadline, open).await.map_err(|_| self.too_long("open"))??;
        Ok(Connection { sink, credentials, checked: Instant::now() })
    }

    /// The credentials that may be sent to the target.
    fn credentials(&self) -> Result<Credentials, SinkError> {
        let endpoint = self.kind.endpoint(&self.target);
        self.access.credentials(self.kind.name(), endpoint.as_ref(), &self.credentials)
    }

    fn too_long(&self, what: &str) -> SinkError {
        SinkError::disconnected(format_args!("{what} took longer than {:?} (sinks.write_timeout)", self.deadline))
    }
}

impl Connection {
    /// Closes the connection, if that does not take too long.
    pub(super) async fn close(self) {
        // Too slow or not, the connection is gone.
        drop(timeout(CLOSING, self.sink.close()).await);
    }
}
