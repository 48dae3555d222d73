//! What makes a config unusable.

use std::{io, path::PathBuf};

use super::{
    Origin,
    validate::{MAX_SOCKET_PATH, SLOWEST_RATE, SMALLEST_AUDIT, SMALLEST_MEMORY, SMALLEST_SPOOL},
};

/// Why a config cannot be used. Trying again does not help: the config must change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The config file does not exist or cannot be read.
    #[error("cannot read the config file {}: {reason}", path.display())]
    #[non_exhaustive]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },

    /// The config file is not YAML.
    #[error("{name}:{line}:{column}: this is not valid YAML: {message}")]
    #[non_exhaustive]
    Syntax {
        /// The file's name.
        name: String,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What the parser says.
        message: String,
    },

    /// A value has the wrong type.
    #[error("{origin}: {}{message}", quoted(key))]
    #[non_exhaustive]
    WrongType {
        /// The key, such as `common.http_port`. Empty for the file as a whole.
        key: String,
        /// Where the value comes from.
        origin: Origin,
        /// What was found and what was expected.
        message: String,
    },

    /// A value has the right type and cannot work all the same.
    #[error("{origin}: `{key}` {problem}")]
    #[non_exhaustive]
    Invalid {
        /// The key, such as `report.burst`.
        key: String,
        /// Where the value comes from.
        origin: Origin,
        /// What is wrong with it.
        problem: InvalidValue,
    },

    /// A key has got another name, and the old one is no longer taken.
    #[error("{origin}: `{key}` is called `{new}` since {since}: write {instead}")]
    #[non_exhaustive]
    Renamed {
        /// The key's old name.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The key's new name.
        new: &'static str,
        /// The version of the framework that brought the new name.
        since: &'static str,
        /// What to write in its place: the key, or its variable.
        instead: String,
    },

    /// A flag names a key that does not exist.
    #[error("{origin}: there is no key `{key}`{}", suggestion(nearest.as_deref()))]
    #[non_exhaustive]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The known key that is most like it, if one is.
        nearest: Option<String>,
    },

    /// The defaults that the mapper's author set cannot be used.
    #[error("the mapper's own defaults cannot be used: {message}")]
    #[non_exhaustive]
    Defaults {
        /// What is wrong with them.
        message: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ": see --help".to_owned(), |nearest| format!("; did you mean `{nearest}`?"))
}

fn quoted(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("`{key}`: ") }
}

/// What is wrong with a value of the right type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// Nobody said which protocol the mapper serves.
    #[error(
        "is empty; set it to the `spec.protocol.protocolName` of the devices: in the config file, by the environment \
         variable MAPPER_COMMON__PROTOCOL, by the flag --protocol, or in the mapper's code"
    )]
    EmptyProtocol,
    /// The path does not fit into a unix socket's address.
    #[error("is {length} bytes long, but the path of a unix socket holds at most {MAX_SOCKET_PATH}: {path}")]
    #[non_exhaustive]
    SocketPathTooLong {
        /// The path.
        path: String,
        /// Its length in bytes.
        length: usize,
    },
    /// edgecore dials the path and has a working directory of its own.
    #[error("must be an absolute path, since edgecore dials it from its own working directory; found {path}")]
    #[non_exhaustive]
    SocketPathNotAbsolute {
        /// The path.
        path: String,
    },
    /// The number or duration must be above zero.
    #[error("must be above zero, found {found}")]
    #[non_exhaustive]
    NotPositive {
        /// The value.
        found: String,
    },
    /// The duration must be whole days, at least three of them, or zero.
    #[error("must be whole days, at least 3d, or 0s; found {found}")]
    #[non_exhaustive]
    NotDays {
        /// The value.
        found: String,
    },
    /// The duration must be shorter than `sinks.write_timeout`.
    #[error("must be shorter than sinks.write_timeout, which is {call}, found {found}")]
    #[non_exhaustive]
    LongerThanACall {
        /// The value.
        found: String,
        /// That of `sinks.write_timeout`.
        call: String,
    },
    /// The number must be zero or above.
    #[error("must be zero or above, found {found}")]
    #[non_exhaustive]
    Negative {
        /// The value.
        found: String,
    },
    /// The rate is so low that next to nothing would ever be reported.
    #[error("must be at least {SLOWEST_RATE}, which is one call in 100 s; found {found}")]
    #[non_exhaustive]
    TooSlow {
        /// The value.
        found: String,
    },
    /// The spool could hold next to nothing.
    #[error("must be at least {SMALLEST_SPOOL} bytes; found {found}")]
    #[non_exhaustive]
    SpoolTooSmall {
        /// The value.
        found: String,
    },
    /// The sinks could hold next to nothing in memory.
    #[error("must be at least {SMALLEST_MEMORY} bytes; found {found}")]
    #[non_exhaustive]
    MemoryTooSmall {
        /// The value.
        found: String,
    },
    /// A file of the audit could not hold its longest line.
    #[error("must be at least {SMALLEST_AUDIT} bytes; found {found}")]
    #[non_exhaustive]
    AuditTooSmall {
        /// The value.
        found: String,
    },
    /// The text is no IP address.
    #[error(
        "is no IP address to listen on: write 127.0.0.1 for this machine alone, or 0.0.0.0 for all addresses; found {found:?}"
    )]
    #[non_exhaustive]
    NoIpAddress {
        /// The text.
        found: String,
    },
    /// GETs that write would be open to everybody.
    #[error(
        "would have a GET write to devices, and nobody is known who may: set http.token to a file with a token, or          http.tls.client_ca_file, or leave it off and write by PUT /api/v2"
    )]
    Unguarded,
    /// A certificate without a key, or the other way round.
    #[error("and http.tls.key_file belong together: set both or none")]
    HalfACertificate,
    /// Clients show certificates only where the server has one.
    #[error(
        "needs http.tls.cert_file and http.tls.key_file as well: clients show a certificate only to a server that speaks TLS"
    )]
    NoCertificate,
    /// The mapper cannot speak TLS.
    #[error(
        "asks for TLS, and this mapper is built without it: enable the feature \"http-tls\" of mapper-framework in the mapper's Cargo.toml"
    )]
    NoTls,
    /// The text is not the address of a proxy.
    #[error("{reason}")]
    #[non_exhaustive]
    NoProxy {
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A list of hosts, or of what holds for hosts, has an entry that cannot be used.
    #[error("cannot be used: {reason}")]
    #[non_exhaustive]
    NoHosts {
        /// Which entry, and what is wrong with it.
        reason: String,
    },
    /// The text is not the address of an MQTT broker.
    #[error("{reason}")]
    #[non_exhaustive]
    NoBroker {
        /// What is wrong with it, and the cure.
        reason: String,
    },
    /// The text is no topic that can be published to.
    #[error("{found:?} is no topic that can be published to: name one of at most 65535 bytes, without + and #")]
    #[non_exhaustive]
    NoTopic {
        /// The text.
        found: String,
    },
    /// The mapper cannot speak to the event bus.
    #[error(
        "asks for the event bus, and this mapper is built without it: enable the feature \"eventbus\" of mapper-framework in the mapper's \
        Cargo.toml, or set report.via to dmi"
    )]
    NoEventbus,
    /// The environment variable's value is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
}
