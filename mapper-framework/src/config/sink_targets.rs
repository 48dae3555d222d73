//! What an operator says of single hosts that sinks connect to, and of all hosts of a kind of sink.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{SinksConfig, TlsConfig};
use crate::model::HostPattern;

/// The kind under which an entry of `sinks.targets` is one for media servers, to which streams are published. It has no section of its own.
pub(crate) const RTSP_KIND: &str = "rtsp";

/// An entry of `sinks.targets`: what holds for the connections to some hosts. Of several entries that fit, the most specific one counts: a
/// host before a domain, a port before none, a kind before none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SinkTargetConfig {
    /// Which hosts: `db.example`, `db.example:6379`, `[fd00::1]`, `*.plant.example` for all below a domain, or `*`.
    pub host: String,
    /// Of which kind of sink, such as `redis`, or `rtsp` for the media servers that streams are published to. Empty, as by default, of each
    /// kind.
    pub kind: String,
    /// A folder with the files `username`, `password` and `token`, as a mounted Secret is: of these, and of nothing else. Empty, as by
    /// default, the credentials of the kind are sent.
    pub credentials: PathBuf,
    /// Certificates, in the place of `sinks.tls`. For mysql, where no address says so, they turn TLS on.
    pub tls: TlsConfig,
    /// Whether credentials may be sent there without TLS. Not by default.
    pub plaintext: bool,
}

/// What the section of a built-in kind says of the hosts that its targets are at.
pub(crate) struct KindAccess<'a> {
    pub(crate) kind: &'static str,
    pub(crate) credentials: &'a PathBuf,
    pub(crate) allowed: &'a [String],
    pub(crate) plaintext: bool,
}

impl SinksConfig {
    /// What each built-in kind's section says of hosts and credentials.
    pub(crate) fn access_by_kind(&self) -> [KindAccess<'_>; 7] {
        macro_rules! of {
            ($($kind:ident),*) => {
                [$(KindAccess {
                    kind: stringify!($kind),
                    credentials: &self.$kind.credentials,
                    allowed: &self.$kind.allowed,
                    plaintext: self.$kind.plaintext,
                }),*]
            };
        }
        of!(http, influxdb2, mqtt, mysql, otel, redis, tdengine)
    }

    /// The folders of credentials by the name of the sink, where one is set.
    pub(crate) fn credential_folders(&self) -> impl Iterator<Item = (String, PathBuf)> {
        self.access_by_kind().into_iter().map(|it| (it.kind.to_owned(), it.credentials.clone()))
    }
}

/// What is wrong with one of the patterns of a list.
pub(super) fn wrong_pattern(patterns: &[String]) -> Option<String> {
    patterns.iter().find_map(|text| {
        let error = HostPattern::parse(text).err()?;
        Some(format!("{:?} {error}", without_credential(text)))
    })
}

/// What is wrong with one of the entries; `kinds` are the known kinds of sink.
pub(super) fn wrong_target(entries: &[SinkTargetConfig], kinds: &[String]) -> Option<String> {
    let wrong = |(index, entry): (usize, &SinkTargetConfig)| {
        let same = |other: &&SinkTargetConfig| (&other.host, &other.kind) == (&entry.host, &entry.kind);
        let (cert, key) = (&entry.tls.cert_file, &entry.tls.key_file);
        let reason = if let Err(error) = HostPattern::parse(&entry.host) {
            format!("host {error}")
        } else if !entry.kind.is_empty() && !kinds.contains(&entry.kind) {
            format!("kind {:?} is no kind of sink: use one of {}, or leave it out", entry.kind, kinds.join(", "))
        } else if entries[..index].iter().any(|other| same(&other)) {
            format!("is another one for {:?}: write them as one", entry.host)
        } else if cert.as_os_str().is_empty() != key.as_os_str().is_empty() {
            "tls has only one of cert_file and key_file: set both or none".to_owned()
        } else {
            return None;
        };
        Some(format!("entry {}: {reason}", index + 1))
    };
    entries.iter().enumerate().find_map(wrong)
}

/// A mistyped pattern may be a URL with a password in it.
fn without_credential(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}
