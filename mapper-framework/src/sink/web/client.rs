//! The client of all sinks that speak HTTP: who is trusted, and by which way it goes.

use std::{path::PathBuf, time::Duration};

use reqwest::{Client, NoProxy, Proxy, redirect::Policy};

use crate::{config::SinksConfig, credentials, model::Secret, tls::TlsSection};

use super::super::SinkError;

/// What is not asked of a proxy: this machine.
const DIRECT: &str = "localhost,127.0.0.0/8,::1";

/// `sinks.proxy`, and where its credentials are.
#[derive(Debug)]
pub(in crate::sink) struct ProxySettings {
    url: String,
    credentials: PathBuf,
}

impl ProxySettings {
    /// Those of a config; `None` if it names no proxy.
    pub(in crate::sink) fn of(config: &SinksConfig) -> Option<Self> {
        let (url, credentials) = (config.proxy.clone(), config.proxy_credentials.clone());
        (!url.is_empty()).then_some(Self { url, credentials })
    }

    /// The proxy, with its credentials as they are now.
    fn read(&self) -> Result<Proxy, SinkError> {
        let proxy = Proxy::all(&self.url).map_err(|error| {
            SinkError::misconfigured(format_args!("sinks.proxy cannot be used: {}", error.without_url()))
        })?;
        let proxy = proxy.no_proxy(NoProxy::from_string(DIRECT));
        if self.credentials.as_os_str().is_empty() {
            return Ok(proxy);
        }
        let credentials = credentials::in_folder(&self.credentials)?;
        let password = credentials.password().map_or("", Secret::expose);
        Ok(credentials.username().map_or(proxy.clone(), |username| proxy.basic_auth(username, password)))
    }
}

/// A client that keeps its connections. It has no deadline of its own: the framework's holds. What the environment says of proxies has no
/// effect: the sinks' data and tokens go where the config says.
///
/// # Errors
///
/// A file of the TLS config or of the proxy's credentials cannot be used.
pub(in crate::sink) fn client(tls: &TlsSection, proxy: Option<&ProxySettings>) -> Result<Client, SinkError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls.client_config().map_err(SinkError::misconfigured)?)
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("mapper-framework/", env!("CARGO_PKG_VERSION")))
        .no_proxy();
    let client = match proxy {
        Some(proxy) => client.proxy(proxy.read()?),
        None => client,
    };
    Ok(client.build()?)
}
