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

/// The pauses after a registration that edgecore has refused. A call each second would use up what all mappers of the node share.
const REFUSED_PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

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
        let mut away = Backoff::new(PAUSES.0, PAUSES.1);
        let mut refused = Backoff::new(REFUSED_PAUSES.0, REFUSED_PAUSES.1);
        loop {
            let pause = match self.serve().await {
                Ok(()) => {
                    refused.reset();
                    away.reset();
                    away.next()
                }
                Err(EdgeError::Gone(reason)) => {
                    self.telemetry.edge_unreachable(&self.socket, &reason, away.attempts() == 0);
                    away.next()
                }
                Err(error) => {
                    self.telemetry.registration_refused(&error, refused.attempts() == 0);
                    refused.next()
                }
            };
            sleep(pause).await;
        }
    }

    /// Connects, registers, and lends the connection to the reporter until it ends.
    async fn serve(&self) -> Result<(), EdgeError> {
        let client = EdgeClient::connect(&self.socket).await?;
        self.pacer.reset();
        self.register(&client).await?;
        self.lend(client).await;
        Ok(())
    }

    /// Lends a connection to the reporter until it ends.
    async fn lend(&self, client: EdgeClient) {
        self.edge.send_replace(Some(client.clone()));
        client.ended().await;
        self.edge.send_replace(None);
        self.telemetry.edge_connection_lost();
    }

    async fn register(&self, client: &EdgeClient) -> Result<(), EdgeError> {
        let mut client = client.clone();
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
