//! Which hosts sinks connect to, and which of them get credentials. A manifest names the host of a target, and whoever may write manifests
//! need not be whoever owns the passwords. So credentials go only where the operator has said so in the config:
//!
//! | the target's host | is connected to | and gets |
//! | --- | --- | --- |
//! | fits an entry of `sinks.targets` with `credentials` | yes | what lies in that folder |
//! | fits another entry, or `sinks.<kind>.allowed` | yes | the credentials of the kind |
//! | is this machine, and `allowed` is empty | yes | the credentials of the kind |
//! | is any other, and `allowed` is not empty | no: the device's state says so | |
//! | is any other, and an entry of `sinks.targets` is there for the kind | yes | no credentials: they are for the hosts that are named |
//! | is any other | where the kind has no credentials | else its records wait, until a host is named |
//!
//! And no credential goes to another machine without TLS, unless `plaintext` says that it may.

mod means;

use crate::{
    config::{SinkTargetConfig, SinksConfig, TlsConfig},
    credentials::{self, CredentialSources},
    model::{Credentials, HostPattern},
    tls::TlsSection,
};

use super::{Endpoint, RouteError, SinkError};

/// What the config says of hosts.
#[derive(Debug)]
pub(crate) struct Access {
    /// `sinks.targets`
    entries: Vec<Entry>,
    /// Of the built-in kinds.
    kinds: Vec<KindRules>,
    /// `sinks.tls`
    tls: TlsSection,
    /// `sinks.proxy`
    #[cfg(feature = "_http")]
    proxy: Option<super::web::ProxySettings>,
}

#[derive(Debug)]
struct Entry {
    hosts: HostPattern,
    config: SinkTargetConfig,
    tls: Option<TlsSection>,
}

#[derive(Debug)]
struct KindRules {
    kind: &'static str,
    /// Whether there are hosts that may not be connected to.
    is_restricted: bool,
    allowed: Vec<HostPattern>,
    plaintext: bool,
}

impl Access {
    /// What a config says. A pattern that is none, which a checked config does not have, fits no host.
    pub(crate) fn new(config: &SinksConfig) -> Self {
        let entry = |(index, config): (usize, &SinkTargetConfig)| {
            let name = format!("sinks.targets[{index}].tls");
            let tls = (config.tls != TlsConfig::default()).then(|| TlsSection::new(name, &config.tls));
            Some(Entry { hosts: HostPattern::parse(&config.host).ok()?, config: config.clone(), tls })
        };
        let rules = config.access_by_kind().map(|it| KindRules {
            kind: it.kind,
            is_restricted: !it.allowed.is_empty(),
            allowed: it.allowed.iter().filter_map(|text| HostPattern::parse(text).ok()).collect(),
            plaintext: it.plaintext,
        });
        Self {
            entries: config.targets.iter().enumerate().filter_map(entry).collect(),
            kinds: rules.into(),
            tls: TlsSection::new("sinks.tls", &config.tls),
            #[cfg(feature = "_http")]
            proxy: super::web::ProxySettings::of(config),
        }
    }

    /// Whether a manifest may point there.
    ///
    /// # Errors
    ///
    /// It may not. The error names the field, the host and the key.
    pub(crate) fn admit(&self, kind: &str, endpoint: &Endpoint) -> Result<(), RouteError> {
        let is_free = self.rules(kind).is_none_or(|rules| !rules.is_restricted);
        if is_free || self.is_named(kind, endpoint) {
            return Ok(());
        }
        let host = endpoint.host();
        Err(RouteError::new(
            endpoint.field(),
            format_args!("points to {endpoint}, which is not among the hosts in sinks.{kind}.allowed"),
        )
        .with_cure(format_args!("add {host:?} to sinks.{kind}.allowed, or name another host")))
    }

    /// Of the endpoints of one target, which all get the same, the one that may least be connected to and given credentials.
    pub(super) fn strictest(&self, kind: &str, endpoints: impl Iterator<Item = Endpoint>) -> Option<Endpoint> {
        endpoints.min_by_key(|endpoint| {
            let is_safe = endpoint.is_encrypted() || endpoint.is_local() || self.allows_plaintext(kind, endpoint);
            (self.admit(kind, endpoint).is_ok(), self.is_named(kind, endpoint) || endpoint.is_local(), is_safe)
        })
    }

    /// Whether the endpoints of one target, which all get the same credentials, belong to one entry of `sinks.targets`, or to none.
    pub(super) fn is_one_entry(&self, kind: &str, endpoints: impl Iterator<Item = Endpoint>) -> bool {
        let mut entries = endpoints.map(|endpoint| self.entry(kind, &endpoint).map(std::ptr::from_ref));
        let first = entries.next();
        entries.all(|entry| Some(entry) == first)
    }

    /// The credentials for connections to an endpoint. A kind that names none is trusted with its own.
    ///
    /// # Errors
    ///
    /// They cannot be read, or nothing says that they may be sent there. The error names the key that would.
    pub(super) fn credentials(
        &self,
        kind: &str,
        endpoint: Option<&Endpoint>,
        sources: &CredentialSources,
    ) -> Result<Credentials, SinkError> {
        let Some(endpoint) = endpoint else { return sources.read(kind).map_err(SinkError::misconfigured) };
        self.admit(kind, endpoint).map_err(SinkError::misconfigured)?;
        let own_folder = self.entry(kind, endpoint).map(|entry| &entry.config.credentials);
        let credentials = match own_folder.filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => credentials::in_folder(folder).map_err(SinkError::misconfigured)?,
            None => sources.read(kind).map_err(SinkError::misconfigured)?,
        };
        if !credentials.has_secret() {
            return Ok(credentials);
        }
        let is_named = self.is_named(kind, endpoint) || endpoint.is_local();
        if !is_named && self.entries.iter().any(|entry| entry.is_of(kind)) {
            return Ok(Credentials::none());
        }
        let is_safe = endpoint.is_encrypted() || endpoint.is_local() || self.allows_plaintext(kind, endpoint);
        match self.cures(kind, endpoint, is_named, is_safe) {
            cures if cures.is_empty() => Ok(credentials),
            cures => Err(SinkError::misconfigured(format_args!(
                "the credentials of {kind} are held back from {endpoint}: {}",
                cures.join("; and ")
            ))),
        }
    }

    /// What keeps credentials from being sent, each with its cure.
    fn cures(&self, kind: &str, endpoint: &Endpoint, is_named: bool, is_safe: bool) -> Vec<String> {
        let host = endpoint.host();
        let (allowed, plaintext) = match self.rules(kind) {
            Some(_) => {
                (format!("add {host:?} to sinks.{kind}.allowed or to sinks.targets"), format!("sinks.{kind}.plaintext"))
            }
            None => (format!("add {host:?} to sinks.targets"), "plaintext of its entry in sinks.targets".to_owned()),
        };
        let mut cures = Vec::new();
        if !is_named {
            cures.push(format!("the config does not name this host: {allowed}"));
        }
        if !is_safe {
            cures.push(format!("without TLS anybody on the way can read them: use TLS, or set {plaintext} to true"));
        }
        cures
    }

    /// Whether the config names a host, by whichever key.
    fn is_named(&self, kind: &str, endpoint: &Endpoint) -> bool {
        let fits = |hosts: &HostPattern| hosts.fits(endpoint.host(), endpoint.port());
        self.entry(kind, endpoint).is_some() || self.rules(kind).is_some_and(|rules| rules.allowed.iter().any(fits))
    }

    fn allows_plaintext(&self, kind: &str, endpoint: &Endpoint) -> bool {
        self.rules(kind).is_some_and(|rules| rules.plaintext)
            || self.entry(kind, endpoint).is_some_and(|entry| entry.config.plaintext)
    }

    /// The most specific entry for an endpoint.
    fn entry(&self, kind: &str, endpoint: &Endpoint) -> Option<&Entry> {
        let entries = self.entries.iter().filter(|entry| entry.is_of(kind));
        let fitting = entries.filter(|entry| entry.hosts.fits(endpoint.host(), endpoint.port()));
        fitting.max_by_key(|entry| (entry.hosts.rank(), !entry.config.kind.is_empty()))
    }

    fn rules(&self, kind: &str) -> Option<&KindRules> {
        self.kinds.iter().find(|rules| rules.kind == kind)
    }
}

impl Entry {
    fn is_of(&self, kind: &str) -> bool {
        self.config.kind.is_empty() || self.config.kind == kind
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Credentials by the environment.
    fn sources() -> CredentialSources {
        let environment = [("REDIS_PASSWORD", "of redis"), ("KAFKA_PASSWORD", "of kafka")];
        CredentialSources::new(environment.map(|(name, value)| (name.into(), value.into())), [])
    }

    fn access(change: impl FnOnce(&mut SinksConfig)) -> Access {
        let mut config = SinksConfig::default();
        change(&mut config);
        Access::new(&config)
    }

    fn entry(host: &str) -> SinkTargetConfig {
        SinkTargetConfig { host: host.to_owned(), ..SinkTargetConfig::default() }
    }

    fn plain(host: &str) -> Endpoint {
        Endpoint::new(host, 6379).named_by("pushMethod.redis")
    }

    fn secured(host: &str) -> Endpoint {
        plain(host).with_tls(true)
    }

    fn sent(access: &Access, kind: &str, endpoint: &Endpoint) -> Result<Option<String>, String> {
        let credentials = access.credentials(kind, Some(endpoint), &sources()).map_err(|error| {
            assert!(error.is_misconfigured(), "the records wait for the operator: {error}");
            error.to_string()
        })?;
        Ok(credentials.password().or(credentials.token()).map(|secret| secret.expose().to_owned()))
    }

    #[test]
    fn this_machine_gets_credentials_without_any_key() {
        let access = access(|_| {});
        for host in ["127.0.0.1", "localhost", "::1"] {
            assert_eq!(sent(&access, "redis", &plain(host)), Ok(Some("of redis".into())), "{host}");
        }
    }

    #[test]
    fn a_host_that_nobody_has_named_gets_nothing_and_its_records_wait_for_the_key() {
        let access = access(|_| {});
        let error = sent(&access, "redis", &secured("db.example")).unwrap_err();
        assert!(error.contains("\"db.example\" to sinks.redis.allowed or to sinks.targets"), "{error}");
        assert!(!error.contains("TLS"), "{error}");
        assert_eq!(sent(&access, "mysql", &plain("db.example")), Ok(None), "this kind has no credentials");
    }

    #[test]
    fn a_host_that_is_allowed_gets_the_credentials_of_its_kind_and_others_are_not_connected_to() {
        let access = access(|config| config.redis.allowed = vec!["*.plant.example".into()]);
        assert_eq!(sent(&access, "redis", &secured("db.plant.example")), Ok(Some("of redis".into())));
        let refused = access.admit("redis", &secured("evil.example")).unwrap_err();
        assert_eq!(refused.field, "pushMethod.redis");
        let said = refused.to_string();
        assert!(said.contains("evil.example:6379") && said.contains("sinks.redis.allowed"), "{said}");
        assert!(sent(&access, "redis", &secured("evil.example")).is_err(), "what waits of an earlier run");
        assert!(access.admit("redis", &plain("127.0.0.1")).is_err(), "this machine has services of its own");
        assert_eq!(access.admit("http", &plain("evil.example")), Ok(()), "another kind");
    }

    #[test]
    fn of_several_hosts_the_one_that_nobody_has_named_counts() {
        let access = access(|config| config.redis.allowed = vec!["db.example".into()]);
        let all = [secured("db.example"), secured("evil.example"), secured("127.0.0.1")];
        assert_eq!(access.strictest("redis", all.into_iter()), Some(secured("evil.example")));
    }

    #[test]
    fn without_tls_credentials_are_held_back_unless_a_key_says_otherwise() {
        let named = |plaintext| {
            access(move |config| {
                config.redis.allowed = vec!["db.example".into()];
                config.redis.plaintext = plaintext;
            })
        };
        let error = sent(&named(false), "redis", &plain("db.example")).unwrap_err();
        assert!(error.contains("use TLS, or set sinks.redis.plaintext to true"), "{error}");
        assert!(!error.contains("does not name"), "{error}");
        assert_eq!(sent(&named(true), "redis", &plain("db.example")), Ok(Some("of redis".into())));
        let of_entry =
            access(|config| config.targets = vec![SinkTargetConfig { plaintext: true, ..entry("db.example") }]);
        assert_eq!(sent(&of_entry, "redis", &plain("db.example")), Ok(Some("of redis".into())));
        assert_eq!(sent(&named(false), "mysql", &plain("db.example")), Ok(None), "nothing is there to be read");
    }

    #[test]
    fn both_cures_are_said_at_once() {
        let error = sent(&access(|_| {}), "redis", &plain("db.example")).unwrap_err();
        assert!(error.contains("sinks.redis.allowed") && error.contains("sinks.redis.plaintext"), "{error}");
    }

    #[test]
    fn each_target_has_its_own_credentials_and_the_most_specific_entry_counts() {
        let folders = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = folders.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("password"), name).unwrap();
            folder
        };
        let with = |host: &str, kind: &str, folder: &Path| SinkTargetConfig {
            kind: kind.to_owned(),
            credentials: folder.to_owned(),
            ..entry(host)
        };
        let access = access(|config| {
            config.targets = vec![
                with("*.example", "", &folder("domain")),
                with("db.example", "", &folder("host")),
                with("db.example", "redis", &folder("kind")),
                with("db.example:7000", "", &folder("port")),
            ];
        });
        for (kind, host, port, expected) in [
            ("redis", "db.example", 6379, "kind"),
            ("mqtt", "db.example", 6379, "host"),
            ("redis", "db.example", 7000, "port"),
            ("redis", "other.example", 6379, "domain"),
        ] {
            let endpoint = Endpoint::new(host, port).with_tls(true);
            assert_eq!(sent(&access, kind, &endpoint), Ok(Some(expected.into())), "{kind} {host}:{port}");
        }
        assert_eq!(sent(&access, "redis", &secured("elsewhere")), Ok(None), "they belong to the hosts that are named");
    }

    #[test]
    fn an_empty_folder_of_a_target_does_not_fall_back_to_the_credentials_of_the_kind() {
        let folder = tempfile::tempdir().unwrap();
        let own = SinkTargetConfig { credentials: folder.path().to_owned(), ..entry("db.example") };
        let access = access(|config| config.targets = vec![own]);
        assert_eq!(sent(&access, "redis", &secured("db.example")), Ok(None));
    }

    #[test]
    fn a_pattern_that_is_none_allows_nothing() {
        let access = access(|config| config.redis.allowed = vec!["http://db.example".into()]);
        assert!(access.admit("redis", &secured("db.example")).is_err());
    }

    #[test]
    fn a_kind_of_ones_own_is_bound_to_hosts_as_far_as_it_names_them() {
        let access = access(|_| {});
        let credentials = access.credentials("kafka", None, &sources()).unwrap();
        assert!(credentials.has_secret(), "it names no endpoint");
        let error = sent(&access, "kafka", &plain("broker.example")).unwrap_err();
        assert!(error.contains("to sinks.targets") && !error.contains("sinks.kafka"), "{error}");
    }

    #[test]
    fn certificates_of_a_target_take_the_place_of_those_for_all() {
        let own = TlsConfig { ca_file: "/own.pem".into(), ..TlsConfig::default() };
        let access = access(|config| {
            config.tls.ca_file = "/all.pem".into();
            config.targets = vec![SinkTargetConfig { tls: own, ..entry("db.example") }, entry("other.example")];
        });
        let of = |host| access.tls("redis", &secured(host));
        assert_eq!(
            (of("db.example").name(), of("db.example").files().ca_file.to_str()),
            ("sinks.targets[0].tls", Some("/own.pem"))
        );
        assert_eq!(
            (of("other.example").name(), of("other.example").files().ca_file.to_str()),
            ("sinks.tls", Some("/all.pem"))
        );
        assert!(access.own_tls("redis", &secured("other.example")).is_none());
    }
}
