//! One connection and its session, and what the server's errors mean.

use std::{collections::BTreeSet, time::Duration};

use mysql_async::{
    ClientIdentity, Conn, Error, OptsBuilder, ServerError, SslOpts, TxOpts, Value, prelude::Queryable as _,
};
use rustls::crypto::ring;
use tokio::time::timeout;

use crate::tls::TlsSection;

use super::{
    super::super::{Credentials, SinkError},
    MysqlTarget,
    layout::{Layout, Row, Tables, cut, quoted},
};

/// How long it may take to connect, with TLS and the choice of the database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many prepared statements are kept, about ten for each table.
const STATEMENTS: usize = 256;

/// What a statement takes beside its rows, more than enough.
const STATEMENT_BYTES: usize = 64 << 10;

/// Times are UTC. What does not fit is refused and not cut. A row that somebody has locked is waited for by less than a call's
/// deadline, so that the server's answer says why.
const SESSION: &str = "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', innodb_lock_wait_timeout = 5";

/// Unknown database.
const NO_SUCH_DATABASE: u16 = 1049;

/// The table does not exist.
const NO_SUCH_TABLE: u16 = 1146;

/// A connection with its database chosen.
pub(super) struct MysqlClient {
    pub(super) client: Conn,
    /// How many bytes the rows of a statement may have, as far as the server is concerned.
    room: usize,
}

impl MysqlClient {
    /// Connects, sets up the session, and makes the database if there is none.
    pub(super) async fn open(
        settings: &MysqlTarget,
        tls: Option<&TlsSection>,
        credentials: &Credentials,
    ) -> Result<Self, SinkError> {
        let options = options(settings, tls, credentials)?;
        let opening = async {
            let mut client = Conn::new(options).await.map_err(sink_error)?;
            use_database(&mut client, &settings.database).await?;
            let max_packet: Option<usize> =
                client.query_first("SELECT @@max_allowed_packet").await.map_err(sink_error)?;
            let room = max_packet.unwrap_or_default().saturating_sub(STATEMENT_BYTES);
            Ok(Self { client, room })
        };
        let late = |_| SinkError::disconnected(format_args!("no connection within {CONNECT_TIMEOUT:?}"));
        let opened = timeout(CONNECT_TIMEOUT, opening).await.map_err(late).flatten();
        let section = tls.map_or("sinks.tls", TlsSection::name);
        opened.map_err(|error| error.of_tls(section).at(format_args!("mysql at {}:{}", settings.host, settings.port)))
    }

    /// Why the server would not take a row; none if it would. It would close the connection over it.
    pub(super) fn refuses(&self, row: &Row) -> Option<String> {
        let (bytes, room) = (row.bytes, self.room);
        (bytes > room).then(|| {
            format!("it takes {bytes} bytes, and the server's max_allowed_packet leaves room for {room}: raise that")
        })
    }

    /// Inserts all rows or none.
    pub(super) async fn insert(&mut self, layout: &dyn Layout, tables: Tables) -> mysql_async::Result<()> {
        let room = self.room;
        let statements = tables.into_iter().flat_map(|(table, rows)| statements(layout, &table, rows, room));
        let mut statements: Vec<_> = statements.collect();
        // A single statement is a transaction by itself.
        if statements.len() == 1 {
            let (statement, values) = statements.swap_remove(0);
            return self.client.exec_drop(statement, values).await;
        }
        let mut transaction = self.client.start_transaction(TxOpts::default()).await?;
        for (statement, values) in statements {
            match transaction.exec_drop(statement, values).await {
                Ok(()) => {}
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    // Left to the next call, the locks would be held until then.
                    transaction.rollback().await?;
                    return Err(error);
                }
            }
        }
        transaction.commit().await
    }

    /// Makes the tables that are missing.
    pub(super) async fn create(&mut self, layout: &dyn Layout, tables: BTreeSet<String>) -> Result<(), SinkError> {
        for table in tables {
            self.client.query_drop(layout.create(&table)).await.map_err(sink_error)?;
        }
        Ok(())
    }

    /// Says goodbye. That the server may not hear it does no harm.
    pub(super) async fn close(self) {
        drop(self.client.disconnect().await);
    }
}

/// The statements that insert rows, each with its values.
fn statements(layout: &dyn Layout, table: &str, rows: Vec<Row>, room: usize) -> Vec<(String, Vec<Value>)> {
    let sizes: Vec<_> = cut(&rows, room).map(<[Row]>::len).collect();
    let mut rows = rows.into_iter();
    let statement = |size| {
        let values = rows.by_ref().take(size).flat_map(|row| row.values).collect();
        (layout.insert(table, size), values)
    };
    sizes.into_iter().map(statement).collect()
}

fn options(
    settings: &MysqlTarget,
    tls: Option<&TlsSection>,
    credentials: &Credentials,
) -> Result<OptsBuilder, SinkError> {
    let user = Some(settings.user.as_str()).filter(|user| !user.is_empty()).or(credentials.username());
    let user = user.ok_or_else(|| {
        SinkError::misconfigured(
            "no user for mysql: set userName in the manifest, or give a username by sinks.mysql.credentials or \
             MYSQL_USERNAME",
        )
    })?;
    let tls = tls.map(ssl_options).transpose()?;
    Ok(OptsBuilder::default()
        .ip_or_hostname(&settings.host)
        .tcp_port(settings.port)
        .user(Some(user))
        .pass(credentials.password().map(crate::model::Secret::expose))
        .ssl_opts(tls)
        // Else a server on the same machine would be spoken to by its unix socket, without TLS.
        .prefer_socket(false)
        .stmt_cache_size(STATEMENTS)
        .init(vec![SESSION]))
}

fn ssl_options(section: &TlsSection) -> Result<SslOpts, SinkError> {
    let config = section.files();
    // The client library takes files only; this says which of them is wrong, and by which key it was named.
    section.client_config().map_err(SinkError::misconfigured)?;
    // It takes the provider of the process, and would panic if there were none. Whoever has set another keeps it.
    drop(ring::default_provider().install_default());
    let mut options = SslOpts::default();
    if !config.ca_file.as_os_str().is_empty() {
        options = options.with_root_certs(vec![config.ca_file.clone().into()]);
    }
    if !config.cert_file.as_os_str().is_empty() {
        let identity = ClientIdentity::new(config.cert_file.clone().into(), config.key_file.clone().into());
        options = options.with_client_identity(Some(identity));
    }
    Ok(options)
}

/// Chooses the database, and makes it if there is none. Not by `IF NOT EXISTS`, for which a user needs the right to make it even if
/// it is there.
async fn use_database(client: &mut Conn, database: &str) -> Result<(), SinkError> {
    let quoted = quoted(database);
    let choose = format!("USE {quoted}");
    match client.query_drop(&choose).await {
        Err(Error::Server(error)) if error.code == NO_SUCH_DATABASE => {}
        chosen => return chosen.map_err(sink_error),
    }
    client.query_drop(format!("CREATE DATABASE {quoted} CHARACTER SET utf8mb4")).await.map_err(|error| {
        let error = sink_error(error);
        SinkError::misconfigured(format_args!("there is no database {database}, and it cannot be made: {error}"))
    })?;
    client.query_drop(choose).await.map_err(sink_error)
}

/// Whether a statement has failed for want of a table.
pub(super) fn is_missing_table(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == NO_SUCH_TABLE)
}

/// What an error means for the batch.
pub(super) fn sink_error(error: Error) -> SinkError {
    let error = match error {
        Error::Server(error) => error,
        other => return other.into(),
    };
    let said = format!("{} (error {})", error.message, error.code);
    if is_about_data(&error) {
        SinkError::refused(said)
    } else if let Some(cure) = cure(&error) {
        SinkError::misconfigured(format_args!("{said}: {cure}"))
    } else if error.state.starts_with("08") {
        SinkError::disconnected(said)
    } else {
        SinkError::failed(said)
    }
}

/// Whether the same rows would fail again: data exceptions (class 22), constraints (23), and what MySQL reports with a state of
/// another class.
fn is_about_data(error: &ServerError) -> bool {
    const CODES: [u16; 9] = [1059, 1103, 1118, 1265, 1300, 1366, 1441, 3819, 4025];
    error.state.starts_with("22") || error.state.starts_with("23") || CODES.contains(&error.code)
}

/// What to do about what only an operator can put right. All else may pass.
fn cure(error: &ServerError) -> Option<&'static str> {
    Some(match error.code {
        1045 | 1698 => {
            "put right the user (userName in the manifest, or username) and the password in the folder \
             sinks.mysql.credentials or in MYSQL_PASSWORD"
        }
        1044 | 1142 | 1143 | 1227 | 1370 => "grant the user CREATE, INSERT, UPDATE and SELECT",
        1054 | 1136 => "the table is of another layout: name another one by sinks.mysql.table",
        1130 => "the server lets nobody in from this host: grant the user that",
        1251 | 2059 => {
            "the user's way of logging in is not known here: give it mysql_native_password or caching_sha2_password"
        }
        1290 | 1792 | 1836 => "give the address of the primary server",
        1820 | 1862 => "the user's password has expired: set another",
        3159 => "the server wants TLS: set sinks.mysql.tls to true",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(code: u16, state: &str) -> SinkError {
        sink_error(Error::Server(ServerError { code, state: state.to_owned(), message: "said".to_owned() }))
    }

    #[test]
    fn each_error_has_somebody_who_is_at_fault() {
        for (code, state) in [(1406, "22001"), (1264, "22003"), (1048, "23000"), (1366, "HY000"), (1441, "22008")] {
            assert!(server_error(code, state).is_refused(), "{code}");
        }
        for (code, state) in [(1045, "28000"), (1044, "42000"), (1290, "HY000"), (1054, "42S22"), (3159, "HY000")] {
            assert!(server_error(code, state).is_misconfigured(), "{code}");
        }
        for (code, state) in [(1205, "HY000"), (1213, "40001"), (1114, "HY000"), (1040, "08004"), (9999, "XX000")] {
            let error = server_error(code, state);
            assert!(error.is_retryable() && !error.is_refused() && !error.is_misconfigured(), "{error:?}");
        }
        assert!(server_error(1053, "08S01").is_disconnected());
    }

    #[test]
    fn a_refusal_comes_with_its_cure() {
        let error = server_error(1142, "42000").to_string();
        assert_eq!(error, "said (error 1142): grant the user CREATE, INSERT, UPDATE and SELECT");
    }

    #[test]
    fn without_a_user_it_is_said_where_to_name_one() {
        let mut settings = MysqlTarget { host: "m".into(), port: 3306, database: "plant".into(), user: String::new() };
        let error = options(&settings, None, &Credentials::none()).unwrap_err().to_string();
        assert!(error.contains("userName") && error.contains("MYSQL_USERNAME"), "{error}");
        let of_credentials = Credentials::none().with_username("mounted");
        let user = |settings: &MysqlTarget| {
            let opts = mysql_async::Opts::from(options(settings, None, &of_credentials).unwrap());
            opts.user().map(str::to_owned)
        };
        assert_eq!(user(&settings).as_deref(), Some("mounted"));
        settings.user = "manifest".to_owned();
        assert_eq!(user(&settings).as_deref(), Some("manifest"));
    }
}
