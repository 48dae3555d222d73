//! What a mapper is made of before it runs: a driver, a config, sinks.

use std::{ffi::OsString, fmt, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    config::{Config, OwnSection, Package, section_of_sink},
    credentials::CredentialSources,
    driver::{Driver, ErasedDriver, erase},
    hook::{AnomalyDetection, Hooks, SampleHook},
    model::AnomalyRules,
    recording::Recordings,
    runtime::{CredentialsFolder, Dispatch, Settings, manager::Manager},
    sink::{self, ErasedKind, SinkKind, Sinks},
    telemetry::Telemetry,
    twin::{Outbox, Pacer},
    writes::Writes,
};

use super::{
    Mapper,
    configured::{MakeDriver, OwnKind},
};

/// How many findings of the anomaly detection wait to be posted.
const FINDINGS: usize = 256;

/// Builds a [`Mapper`].
#[must_use]
pub struct MapperBuilder {
    pub(crate) driver: Arc<dyn ErasedDriver>,
    pub(crate) package: Package,
    pub(crate) config: Config,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// What is reported before the mapper is built, too.
    pub(crate) telemetry: Telemetry,
    /// What `sample` prints.
    pub(crate) sample: Option<String>,
    /// Where the HTTP server listens, if that is decided.
    #[cfg(feature = "http")]
    pub(crate) http: Option<crate::http::Bound>,
    pub(super) make_driver: Option<MakeDriver>,
    pub(super) kinds: Vec<OwnKind>,
    hooks: Vec<Arc<dyn SampleHook>>,
    anomaly_rules: Option<AnomalyRules>,
}

impl MapperBuilder {
    pub(super) fn new(driver: impl Driver) -> Self {
        let package = Package::new("mapper", env!("CARGO_PKG_VERSION"), "");
        let config = Config::from_package(&package);
        Self {
            driver: erase(driver),
            package,
            config,
            environment: Vec::new(),
            telemetry: Telemetry::default(),
            sample: None,
            #[cfg(feature = "http")]
            http: None,
            make_driver: None,
            kinds: Vec::new(),
            hooks: Vec::new(),
            anomaly_rules: None,
        }
    }

    /// Says what the mapper is, for `--version`, `--help` and the registration: `mapper_framework::package!()`.
    pub fn package(mut self, package: Package) -> Self {
        self.config.common.name = package.name().to_owned();
        self.config.common.version = package.version().to_owned();
        self.package = package;
        self
    }

    /// Sets the protocol whose devices the mapper serves, unless its config file names another.
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.config.common.protocol = protocol.to_owned();
        self
    }

    /// Brings a DeviceModel and a Device that fit the driver, as YAML of any number of documents. `my-mapper sample` prints them, so
    /// that a mapper's image holds what its users start from. The template takes its own manifests by `include_str!`.
    pub fn sample(mut self, manifests: impl Into<String>) -> Self {
        self.sample = Some(manifests.into());
        self
    }

    /// Sets the whole config. [`main`](Self::main) reads the file, the environment and the flags over it. It is checked when the
    /// mapper is run, as [`Config::load`] does.
    pub fn config(mut self, mut config: Config) -> Self {
        config.own.complete_by(&self.config.own);
        self.config = config;
        self
    }

    /// The config as it is now, in which [`Config::load`] knows the sections of the driver and of the sinks:
    /// `Config::load(Sources::new(builder.defaults()).file("config.yaml"))`. [`main`](Self::main) does the same.
    #[must_use]
    pub fn defaults(&self) -> Config {
        self.config.clone()
    }

    /// Registers a kind of sink. One of the same name, built in or not, is replaced. It has a section `sinks.<name>` in the config
    /// with the key `credentials`, a folder of files as a mounted Secret is; [`configured_sink`](Self::configured_sink) adds keys of
    /// its own.
    pub fn sink(self, kind: impl SinkKind) -> Self {
        self.erased_sink(sink::erase(kind))
    }

    /// Registers a hook, which sees each sample between the driver and its consumers, after the hooks that were registered before.
    pub fn hook(mut self, hook: impl SampleHook) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Detects anomalies of all properties by these rules, unless a property's manifest has rules of its own
    /// (`pushMethod.anomalyDetection`). Without them, only those properties are judged.
    pub fn anomaly_detection(mut self, rules: AnomalyRules) -> Self {
        self.anomaly_rules = Some(rules);
        self
    }

    pub(crate) fn erased_sink(mut self, kind: Arc<dyn ErasedKind>) -> Self {
        // One that takes a built-in one's place has that one's section.
        if self.config.sinks.credential_folders().all(|(built_in, _)| built_in != kind.name()) {
            let section = OwnSection::empty().with_credentials();
            self.config.own.insert(section_of_sink(kind.name()), section);
        }
        self.kinds.push(OwnKind::Made(kind));
        self
    }

    /// Gives environment variables to look for the [credentials](crate::sink::Credentials) of the sinks in; none by default.
    /// [`main`](Self::main) gives those of the process.
    pub fn environment<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.environment = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// All kinds of sink that the mapper has.
    pub(crate) fn sink_kinds(&self) -> Vec<Arc<dyn ErasedKind>> {
        sink::unique(sink::all_kinds(&self.config.sinks, &self.telemetry).into_iter().chain(self.own_kinds()))
    }

    /// Ends the building.
    #[must_use]
    pub fn build(mut self) -> Mapper {
        let (telemetry, outbox) = (self.telemetry.clone(), Arc::<Outbox>::default());
        self.config = self.config.completed();
        let problem = self.make_sinks().err();
        let kinds = sink::all_kinds(&self.config.sinks, &telemetry).into_iter().chain(self.own_kinds()).collect();
        let config = self.config;
        let proxies = proxies(&self.environment);
        let bus = ("eventbus".to_owned(), config.report.eventbus.credentials.clone());
        let folders = config.sinks.credential_folders().chain(config.own.credential_folders()).chain([bus]);
        let credentials = CredentialSources::new(self.environment, folders).with_go_names(config.sinks.go_credentials);
        let sinks =
            Sinks::new(kinds, config.sinks.clone(), config.spool.clone(), credentials.clone(), telemetry.clone());
        let settings = Settings {
            call_timeout: config.driver.call_timeout,
            backoff_max: config.driver.backoff_max,
            // The other half is for the reports.
            closing: config.shutdown.grace / 2,
            credentials: CredentialsFolder::new(&config.driver.credentials),
            // Until the mapper runs.
            writes: Writes::of(&config.writes),
            twins: config.report.rules(),
            max_frame_bytes: usize::try_from(config.driver.max_frame_bytes).unwrap_or(usize::MAX),
            recordings: Recordings::new(&config.streams.dir, cfg!(feature = "http") && config.http.enabled),
        };
        let (found, findings) = mpsc::channel(FINDINGS);
        let detection =
            AnomalyDetection { default_rules: self.anomaly_rules, findings: found, telemetry: telemetry.clone() };
        let mut hooks = Hooks::default();
        hooks.push(Arc::new(detection));
        self.hooks.into_iter().for_each(|hook| hooks.push(hook));
        let dispatch = Dispatch::new(Arc::clone(&outbox), sinks.clone()).with_hooks(hooks);
        let budget = config.report.budget();
        let (manager, handle) = Manager::new(self.driver, settings, budget, dispatch, telemetry.clone());
        Mapper {
            pacer: Arc::new(Pacer::new(config.report.calls_per_second, config.report.burst)),
            config,
            manager,
            handle,
            outbox,
            sinks,
            telemetry,
            credentials,
            proxies,
            make_driver: self.make_driver,
            package: self.package,
            #[cfg(feature = "http")]
            http: self.http,
            problem,
            findings,
        }
    }
}

/// The variables that name a proxy, for which libraries look by themselves, and which have no effect here.
fn proxies(environment: &[(OsString, OsString)]) -> Vec<String> {
    let names = environment.iter().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| name.to_str());
    let is_proxy =
        |name: &&str| ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].iter().any(|known| name.eq_ignore_ascii_case(known));
    names.filter(is_proxy).map(str::to_owned).collect()
}

/// Without the environment, which holds credentials.
impl fmt::Debug for MapperBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.sink_kinds().iter().map(|kind| kind.name().to_owned()).collect();
        let mut all = f.debug_struct("MapperBuilder");
        all.field("package", &self.package).field("config", &self.config).field("sinks", &kinds).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Device, DriverError, Property, Reading, Session};

    use super::*;

    struct Nothing;

    impl Driver for Nothing {
        type Config = ();
        type Session = Self;

        async fn connect(&self, _: &Device, (): ()) -> Result<Self, DriverError> {
            Ok(Self)
        }
    }

    impl Session for Nothing {
        type Visitor = ();

        async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
            Ok(0.into())
        }
    }

    #[test]
    fn a_proxy_in_the_environment_is_found_in_either_case() {
        let environment =
            [("https_proxy", "http://p"), ("HTTP_PROXY", "http://p"), ("NO_PROXY", "x"), ("ALL_PROXY", "")];
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(proxies(&environment), ["https_proxy", "HTTP_PROXY"]);
    }

    #[test]
    fn a_builder_shows_its_config_and_no_credential() {
        let builder = MapperBuilder::new(Nothing).protocol("modbus").environment([("REDIS_PASSWORD", "hunter2")]);
        let shown = format!("{builder:?}");
        let shown = format!("{shown} {:?}", builder.build());
        assert!(shown.contains("modbus") && !shown.contains("hunter2"), "{shown}");
    }
}
