//! What a sink has to do: the two traits, and what a record's write comes to.

use std::future::Future;

use crate::model::{Device, Property};

use super::{Credentials, Endpoint, Point, Query, Record, Route, RouteError, SinkError, Target};

/// A kind of sink: says which samples go to it, and opens connections to where they go.
///
/// One value of it serves the whole mapper: [`MapperBuilder::sink`](crate::MapperBuilder::sink) registers it. The built-in kinds
/// are registered already; a kind of the same name takes a built-in one's place.
///
/// # Contract
///
/// [`routes`](Self::routes) is a pure function of what it is given. Two routes with an equal [`Target`] share one connection, and
/// two with different ones never do, so the target holds all that a connection depends on, except credentials.
///
/// # Lifecycle
///
/// `routes` is called for each property when its device arrives or changes. The framework opens a sink when a target is first
/// asked for, and opens it again after each loss, with growing pauses, for as long as it takes. No order of calls is promised
/// between different targets: they run side by side.
///
/// # Errors
///
/// What `routes` refuses becomes a part of the device's state, with the property's name; the property is read and reported all the
/// same. What [`open`](Self::open) refuses is tried again, whatever it is: a password may be put right.
///
/// # Example
///
/// A sink that appends lines to a file. `examples/custom-sink` is a whole mapper with it.
///
/// ```
/// use std::{path::PathBuf, time::Duration};
///
/// use mapper_framework::{
///     Device, Property,
///     sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target},
/// };
/// use tokio::{fs::File, io::AsyncWriteExt};
///
/// #[derive(Debug)]
/// struct Lines(PathBuf);
///
/// impl SinkKind for Lines {
///     type Sink = LineFile;
///
///     fn name(&self) -> &str {
///         "lines"
///     }
///
///     fn routes(&self, _: &Device, _: &Property) -> Result<Vec<Route>, RouteError> {
///         Ok(vec![Route::to(Target::new("lines", &self.0))])
///     }
///
///     async fn open(&self, target: &Target, _: &Credentials) -> Result<LineFile, SinkError> {
///         let path: PathBuf = target.settings()?;
///         let file = File::options().append(true).create(true).open(path).await?;
///         Ok(LineFile(file))
///     }
/// }
///
/// struct LineFile(File);
///
/// impl Sink for LineFile {
///     async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
///         let lines: String = batch.iter().map(|record| format!("{} {}\n", record.property(), record.value())).collect();
///         self.0.write_all(lines.as_bytes()).await?;
///         self.0.sync_data().await?;
///         Ok(Outcome::accepted(batch.len()))
///     }
/// }
/// ```
///
/// # Upgrading
///
/// New methods come with a default body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of sink",
    label = "`SinkKind` is not implemented for this",
    note = "implement `SinkKind` (which samples go where, and how to connect) and `Sink` (a connection)"
)]
pub trait SinkKind: Send + Sync + 'static {
    /// What [`open`](Self::open) returns.
    type Sink: Sink;

    /// The kind's name, such as `redis`: in logs, in the ledger, in the names of environment variables (`REDIS_PASSWORD`) and in
    /// [`Target::new`]. Letters, digits and dashes.
    fn name(&self) -> &str;

    /// Where the samples of a property go, as far as this kind is concerned. Empty when nothing of the kind is asked for.
    ///
    /// Called in the middle of the framework's work: it must not block.
    ///
    /// # Errors
    ///
    /// What the manifest asks for cannot be done. The message names the field and the cure.
    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError>;

    /// The keys of `visitors.configData` that [`routes`](Self::routes) reads, by default none. `check` warns of a key that neither the
    /// driver nor a kind of sink reads.
    fn visitor_keys(&self) -> &[&str] {
        &[]
    }

    /// Whether [`Sink::query`] gives the history of what was written, by default no. Only kinds that say yes are asked.
    fn keeps_history(&self) -> bool {
        false
    }

    /// Where a target of this kind is in the network, by default unknown. Return it if a manifest names the host: the credentials of the
    /// kind then go only to hosts that `sinks.targets` names, and to this machine, and to another machine only with TLS, unless an entry
    /// there says `plaintext: true`. An entry with `credentials` of its own is what [`open`](Self::open) gets. A kind that returns
    /// `None` gets its credentials for each of its targets, and has to see to it by itself that they go to nobody else.
    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        let _ = target;
        None
    }

    /// How many records a batch may have while more than `sinks.batch_records` wait, where large batches are much faster. By default
    /// no more than otherwise. A batch ends at 1 MiB in any case.
    fn bulk_records(&self) -> usize {
        0
    }

    /// Connects to a target of this kind. The future is dropped when it takes longer than `sinks.write_timeout`.
    ///
    /// For each of the user's name, the password and the token the first of these that is there counts:
    ///
    /// 1. the file `username`, `password` or `token` in the folder `sinks.<kind>.credentials`, which is how Kubernetes mounts a Secret;
    /// 2. the environment variable `<KIND>_USERNAME`, `<KIND>_PASSWORD` or `<KIND>_TOKEN`, such as `REDIS_PASSWORD`;
    /// 3. with `sinks.go_credentials`, the environment variable `USERNAME`, `PASSWORD` or `TOKEN`, as the Go framework has it; the first
    ///    two only where the kind has neither a user name nor a password of its own, since the two belong together.
    ///
    /// Of a kind that names the [`endpoint`](Self::endpoint) of its targets, they are held back from hosts that the config does not name.
    ///
    /// Files are read again while the mapper runs: a changed one is in force within seconds, on a new connection.
    ///
    /// # Errors
    ///
    /// The target cannot be reached or refuses the credentials. It is tried again, with growing pauses.
    fn open(
        &self,
        target: &Target,
        credentials: &Credentials,
    ) -> impl Future<Output = Result<Self::Sink, SinkError>> + Send;
}

/// A connection to one target.
///
/// # Contract
///
/// - [`write`](Self::write) makes records durable at the target, or says of which it could not. `Accepted` is a promise: the
///   framework forgets the record.
/// - Delivery is *at least once*. After an error, and after a crash, the same records come again, so a write should be harmless
///   when repeated where the target allows it.
/// - The records of one property come in the order in which they were read. A sink that asks to retry a record while it accepts a
///   later one of the same property gives that order up.
///
/// # Lifecycle
///
/// One task owns a sink and makes one call at a time. After [`SinkError::disconnected`], a panic or a missed deadline the sink is
/// dropped and another one is opened. A failure that leaves the connection usable ([`SinkError::failed`]) keeps it.
/// [`close`](Self::close) is called when the mapper stops, when nothing is sent to the target any more, and when the credentials
/// have changed.
///
/// # Cancellation
///
/// Each call has the deadline `sinks.write_timeout`, at which its future is dropped, and the sink with it.
///
/// # Errors
///
/// [`SinkError`] says what follows: retry, reconnect, or find out who is at fault. A failed batch is tried again as a whole. A batch
/// that is refused ([`SinkError::refused`], [`SinkError::rejected`]) is split in halves until the record that is refused stands
/// alone; so a sink that writes a batch in one transaction need not find the poison itself.
///
/// Three can be at fault, and the sink says which: the *record* is rejected and counted, and costs nobody else; the *target* makes
/// all wait until somebody puts it right; the *moment* passes. Where an answer does not tell record and target apart, the sink says
/// `refused`, and the framework finds out by what else is taken. In doubt nothing is lost.
///
/// # Upgrading
///
/// New methods come with a default body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sink",
    label = "`Sink` is not implemented for this",
    note = "implement `Sink::write`"
)]
pub trait Sink: Send + 'static {
    /// Writes records, at least one, in their order. The outcomes stand in the same order, one for each record; a missing one counts
    /// as [`Outcome::Retry`].
    ///
    /// # Errors
    ///
    /// The batch as a whole has failed: as the [`SinkError`] says, it comes again or is split.
    fn write(&mut self, batch: &[Record]) -> impl Future<Output = Result<Vec<Outcome>, SinkError>> + Send;

    /// Whether the target could be written to right now. Asked for while there is nothing to write: after opening, and now and then.
    /// By default nobody knows, and the target is taken for connected once it has accepted a record.
    ///
    /// # Errors
    ///
    /// It could not; or this cannot be asked for ([`SinkError::unsupported`]), which changes nothing.
    fn health(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Err(SinkError::unsupported("this sink can only be written to")) }
    }

    /// The history of a device, by default none. Called on a connection of its own, opened for the purpose.
    ///
    /// Points come oldest first, the newest `limit` of those in the range.
    ///
    /// # Errors
    ///
    /// The target cannot be read, or keeps no history.
    fn query(&mut self, query: &Query) -> impl Future<Output = Result<Vec<Point>, SinkError>> + Send {
        let kind = query.target().kind();
        let error = SinkError::unsupported(format_args!(
            "the sink {kind} keeps no history that can be asked for: redis, tdengine, mysql and influxdb2 do"
        ));
        async { Err(error) }
    }

    /// Closes the connection, by default by dropping it.
    fn close(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        async { drop(self) }
    }
}

/// What the write of one record comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is durable at the target.
    Accepted,
    /// It is wrong in itself, for this reason, whatever the target is like. It is counted, logged, and not tried again, so that it
    /// does not block the others.
    Rejected(String),
    /// The target refuses it, for this reason, which may lie in the record or in the target's settings. It is
    /// [`Rejected`](Self::Rejected) once others before and after it have been accepted, and waits where all are refused.
    Refused(String),
    /// Not now, for this reason. It comes again, before all later records.
    Retry(String),
}

impl Outcome {
    /// The outcomes of a batch of which all were accepted.
    pub fn accepted(records: usize) -> Vec<Self> {
        vec![Self::Accepted; records]
    }

    /// A record that the target will never take.
    pub fn rejected(reason: impl std::fmt::Display) -> Self {
        Self::Rejected(reason.to_string())
    }

    /// A record that the target refuses, for whatever reason.
    pub fn refused(reason: impl std::fmt::Display) -> Self {
        Self::Refused(reason.to_string())
    }

    /// A record that the target may take later.
    pub fn retry(reason: impl std::fmt::Display) -> Self {
        Self::Retry(reason.to_string())
    }
}
