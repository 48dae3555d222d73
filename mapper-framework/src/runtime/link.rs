//! The link to edgecore: connects, registers, and starts over when the connection ends, for as long as it takes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    dmi::client::{EdgeClient, EdgeError, MapperInfo},
    telemetry::Telemetry,
    twin::Pacer,
};

use super::Handle;

/// The pauses between two attempts to reach edgecore. The longest is short: to ask a socket on the same node costs nothing, and
/// devices that come back within two seconds are hardly missed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Keeps the mapper registered.
pub(crate) struct Link {
    pub(crate) socket: PathBuf,
    pub(crate) mapper: MapperInfo,
    pub(crate) pacer: Arc<Pacer>,
    pub(crate) telemetry: Telemetry,
    pub(crate) devices: Handle,
    /// Where the reporter finds the registered connection.
    pub(crate) edge: watch::Sender<Option<EdgeClient>>,
}

impl Link {
    /// Runs until `stop`. The connection stays with the reporter then, for its last reports.
    pub(crate) async fn run(self, stop: CancellationToken) {
        // Between two awaits the link holds nothing that would have to be put in order.
        stop.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&self) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        loop {
            match EdgeClient::connect(&self.socket).await {
                Ok(client) => {
                    self.pacer.reset();
                    self.serve(client, &mut backoff).await;
                }
                Err(error) => self.telemetry.edge_unreachable(&self.socket, &error, backoff.attempts() == 0),
            }
            sleep(backoff.next()).await;
        }
    }

    /// Registers on a connection, and lends it to the reporter until it ends.
    async fn serve(&self, client: EdgeClient, backoff: &mut Backoff) {
        tokio::select! {
            () = client.ended() => self.telemetry.edge_connection_lost(),
            registered = self.register(client.clone()) => match registered {
                Err(error) => self.telemetry.registration_failed(&error),
                Ok(()) => {
                    backoff.reset();
                    self.edge.send_replace(Some(client.clone()));
                    client.ended().await;
                    self.edge.send_replace(None);
                    self.telemetry.edge_connection_lost();
                }
            },
        }
    }

    async fn register(&self, mut client: EdgeClient) -> Result<(), EdgeError> {
        let registration = loop {
            self.pacer.ready().await;
            self.pacer.spend();
            match client.register(&self.mapper).await {
                Err(EdgeError::TooManyRequests) => {
                    self.pacer.refused();
                    self.telemetry.report_limited();
                }
                other => break other?,
            }
        };
        self.pacer.accepted();
        self.telemetry.registered(&self.mapper.protocol, registration.devices.len(), registration.models.len());
        self.devices.reconcile(registration).await;
        Ok(())
    }
}
