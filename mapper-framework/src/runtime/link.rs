//! The link to edgecore: connects, registers, and starts over when the connection ends, for as long as it takes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    dmi::client::{EdgeClient, EdgeError, MapperInfo},
    telemetry::{
        Occurrence, Telemetry,
        edge::{EdgeConnectionLost, EdgeUnreachable, Registered, RegistrationRefused},
        reports::ReportLimited,
    },
    twin::Pacer,
};

use super::Handle;

/// The pauses between two attempts to reach edgecore. The longest is short: to ask a socket on the same node costs nothing, and
/// devices that come back within two seconds are hardly missed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The pauses after a registration that edgecore has refused. A call each second would use up what all mappers of the node share.
const REFUSED_PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// After which time edgecore is asked once more when it no longer names a device: much longer than it takes to read its database.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(30);

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
                    let occurrence = Occurrence::first_if(away.attempts() == 0);
                    self.telemetry.emit(EdgeUnreachable { socket: &self.socket, error: &reason, occurrence });
                    away.next()
                }
                Err(error) => {
                    let occurrence = Occurrence::first_if(refused.attempts() == 0);
                    self.telemetry.emit(RegistrationRefused { error: &error, occurrence });
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
        let is_open = self.register(&client, true).await?;
        self.lend(client, is_open).await;
        Ok(())
    }

    /// Lends a connection to the reporter until it ends.
    async fn lend(&self, client: EdgeClient, is_open: bool) {
        self.edge.send_replace(Some(client.clone()));
        tokio::select! {
            () = client.ended() => {}
            () = self.find_out(&client, is_open) => client.ended().await,
        }
        self.edge.send_replace(None);
        self.telemetry.emit(EdgeConnectionLost {});
    }

    /// Registers again for as long as it is open which devices edgecore no longer has.
    async fn find_out(&self, client: &EdgeClient, mut is_open: bool) {
        let mut refused = Backoff::new(ASKED_AGAIN_AFTER, ASKED_AGAIN_AFTER * 10);
        let mut pause = ASKED_AGAIN_AFTER;
        while is_open {
            sleep(pause).await;
            match self.register(client, false).await {
                Ok(still_open) => {
                    is_open = still_open;
                    refused.reset();
                    pause = ASKED_AGAIN_AFTER;
                }
                Err(EdgeError::Gone(_)) => return,
                Err(error) => {
                    let occurrence = Occurrence::first_if(refused.attempts() == 0);
                    self.telemetry.emit(RegistrationRefused { error: &error, occurrence });
                    pause = refused.next().max(ASKED_AGAIN_AFTER);
                }
            }
        }
    }

    /// Registers. Returns whether another registration is needed to know which devices are gone.
    async fn register(&self, client: &EdgeClient, is_first: bool) -> Result<bool, EdgeError> {
        let mut client = client.clone();
        let registration = loop {
            self.pacer.ready().await;
            self.pacer.spend();
            match client.register(&self.mapper).await {
                Err(EdgeError::TooManyRequests) => {
                    self.pacer.refused();
                    self.telemetry.emit(ReportLimited {});
                }
                other => break other?,
            }
        };
        self.pacer.accepted();
        let (devices, models) = (registration.devices.len(), registration.models.len());
        self.telemetry.emit(Registered { protocol: &self.mapper.protocol, devices, models });
        Ok(self.devices.reconcile(registration, is_first).await)
    }
}
