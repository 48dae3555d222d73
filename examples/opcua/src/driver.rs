//! What the framework calls to connect.

use std::{path::PathBuf, time::Duration};

use mapper_framework::{Device, Discovery, Driver, DriverError, Session as _, model::Credentials};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    about::About,
    config::Config,
    discover::{self, Args, discover},
    endpoint,
    link::{Link, client_config},
    login::Login,
    pki::Store,
    session::Server,
};

/// How many times [`Config::timeout`] passes at most until a session is there: for the list of endpoints, the session, and what the server says of itself.
const ANSWERS_TO_CONNECT: u32 = 3;

/// `driver.settings` of the config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The folder of certificates. It is only used, and made, for devices with a `securityPolicy`.
    pub pki: PathBuf,
    /// Whether the certificate of a server that was never seen before is trusted from then on. By default it is not: somebody has to move it from
    /// the folder `rejected` to `trusted`.
    pub trust_new: bool,
    /// Whether devices may have the policies `Basic128Rsa15` and `Basic256`, which OPC UA has withdrawn with 1.04. By default they may not.
    pub deprecated_policies: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { pki: PathBuf::from("/var/lib/kubeedge/opcua/spool/pki"), trust_new: false, deprecated_policies: false }
    }
}

/// Serves every device that is an OPC UA server.
#[derive(Debug)]
pub struct OpcUa {
    store: Store,
    deprecated_policies: bool,
}

impl OpcUa {
    /// A driver with these settings. Nothing is read or made yet.
    pub fn new(settings: Settings) -> Self {
        let store = Store::new(settings.pki, settings.trust_new);
        Self { store, deprecated_policies: settings.deprecated_policies }
    }
}

impl Driver for OpcUa {
    type Config = Config;
    type Session = Server;

    const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = discover::ARGS;

    async fn connect(&self, device: &Device, config: Config) -> Result<Server, DriverError> {
        self.open(&device.id().to_string(), device.credentials(), config).await
    }

    fn longest_wait(config: &Config) -> Option<Duration> {
        Some(config.timeout * ANSWERS_TO_CONNECT)
    }

    /// Browses one server.
    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        let args: Args = discovery.args()?;
        let config: Config = serde_json::from_value(Json::Object(args.search_keys())).map_err(DriverError::refused)?;
        let mut server = self.open("discover", discovery.credentials(), config).await?;
        let found = discover(&mut server, &args, discovery).await;
        server.close().await;
        found
    }
}

impl OpcUa {
    async fn open(&self, device: &str, credentials: &Credentials, config: Config) -> Result<Server, DriverError> {
        let security = config.security().map_err(DriverError::refused)?;
        if security.policy.is_deprecated() && !self.deprecated_policies {
            return Err(DriverError::refused(format_args!(
                "securityPolicy {}: OPC UA has withdrawn it since it is broken: set one that the server has beside it, such as Basic256Sha256, or \
                 driver.settings.deprecated_policies in the mapper's config if it has none",
                security.policy
            )));
        }
        let login = Login::of(credentials)?;
        let within = config.timeout;
        let client = client_config(within);
        let endpoint = endpoint::find(&client, &config.url, security, &login, within).await?;
        let certificates = self.store.open(security, &config.url, &endpoint).await?;
        let link = Link::open(&client, endpoint, &login, certificates, within).await?;
        let about = About::ask(link.session(), device, &config).await?;
        Ok(Server::new(link, about, device, config))
    }
}
