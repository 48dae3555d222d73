//! A connection to a broker, which sessions share.
//!
//! It never connects again: when it is lost, all who share it learn why, and open another one. That way nothing that the library still
//! holds can be sent late, and each session subscribes anew.

use std::{sync::Arc, time::Duration};

use mapper_framework::DriverError;
use rumqttc::{AsyncClient, ConnectReturnCode, ConnectionError, MqttOptions, NetworkOptions, StateError};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    brokers::Settings,
    login,
    traffic::{self, Shared},
};

/// The largest message that is taken, in bytes.
pub(crate) const LARGEST: usize = 16 * 1024 * 1024;

/// How many requests wait for the library: each is a subscription, the end of one, or a command.
pub(crate) const REQUESTS: usize = 10_000;

/// A connection to a broker.
pub(crate) struct Connection {
    /// Its address, for messages.
    pub(crate) broker: String,
    pub(crate) client: AsyncClient,
    pub(crate) shared: Arc<Shared>,
    /// Polls the library. It ends with the connection.
    _task: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The broker does not answer within this time, or does not let the mapper in.
    pub(crate) async fn open(settings: &Settings, within: Duration) -> Result<Self, DriverError> {
        let broker = settings.broker.to_string();
        let (client, mut events) = AsyncClient::new(options(settings)?, REQUESTS);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(within.as_secs() + 1);
        events.set_network_options(network);
        // The first poll connects.
        match timeout(within, events.poll()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let why = refusal(&error, settings);
                return Err(DriverError::disconnected(format_args!("{broker}: {why}")));
            }
            Err(_) => {
                return Err(DriverError::disconnected(format_args!("{broker}: no answer within {within:?}")));
            }
        }
        let shared = Arc::<Shared>::default();
        let task = AbortOnDropHandle::new(tokio::spawn(traffic::poll(events, Arc::clone(&shared))));
        Ok(Self { broker, client, shared, _task: task })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.lock().loss.is_none()
    }
}

fn options(settings: &Settings) -> Result<MqttOptions, DriverError> {
    let Settings { broker, credentials, client_id, keep_alive } = settings;
    // With one of its own each time, it ends no other connection.
    let id = client_id.clone().unwrap_or_else(|| format!("mqtt-mapper-{:08x}", fastrand::u32(..)));
    let mut options = MqttOptions::new(id, &broker.host, broker.port);
    options.set_keep_alive(*keep_alive).set_clean_session(true).set_max_packet_size(LARGEST, LARGEST);
    if let Some(username) = credentials.username() {
        options.set_credentials(username, credentials.password().map_or("", |password| password.expose()));
    }
    if broker.tls {
        options.set_transport(login::tls(credentials)?);
    }
    Ok(options)
}

/// Why the connection was not made.
fn refusal(error: &ConnectionError, settings: &Settings) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => login::cure(&settings.credentials),
        ConnectionError::ConnectionRefused(code) => format!("the broker refuses the connection: {code:?}"),
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "the connection was closed before the broker has answered: does it want TLS on this port (mqtts://)?"
                .to_owned()
        }
        ConnectionError::Tls(error) => format!(
            "{error}: does the port speak TLS, and is the authority of the broker's certificate in the file ca.crt of the device's credentials?"
        ),
        error => error.to_string(),
    }
}
