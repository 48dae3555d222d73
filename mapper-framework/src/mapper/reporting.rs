//! By which way reports go: by calls, over the event bus, or by both in turn.

use std::{future::Future, pin::Pin, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    credentials::CredentialSources,
    dmi::client::EdgeClient,
    model::IllegalValues,
    telemetry::Telemetry,
    twin::{Outbox, Pacer, Receipts, Way, reporter::Reporter, way},
};

/// What reports are made with.
pub(super) struct Reporting {
    pub(super) outbox: Arc<Outbox>,
    pub(super) pacer: Arc<Pacer>,
    pub(super) telemetry: Telemetry,
    /// The registered connection.
    pub(super) edge: watch::Receiver<Option<EdgeClient>>,
    /// What becomes of texts that edgecore would drop, unless a property says otherwise.
    pub(super) illegal: IllegalValues,
}

/// The work of all reporters, until they are to drain and nothing is left.
type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Reporting {
    /// The reporters of a config, and the way that reports go.
    #[cfg(feature = "eventbus")]
    pub(super) fn by(
        self,
        config: &Config,
        credentials: CredentialSources,
        drain: CancellationToken,
    ) -> (watch::Receiver<Way>, Work) {
        use crate::{config::ReportVia, eventbus::BusSettings, twin::bus_reporter::BusReporter};

        let node = &config.sinks.mqtt.node_name;
        let config = &config.report;
        let bus = &config.eventbus;
        if bus.address.is_empty() {
            return self.by_calls(way::only(Way::Dmi), Arc::default(), drain);
        }
        let begins = if config.via == ReportVia::Eventbus { Way::Bus } else { Way::Dmi };
        let (sender, way) = watch::channel(begins);
        let receipts = Arc::<Receipts>::default();
        let (outbox, telemetry) = (Arc::clone(&self.outbox), self.telemetry.clone());
        let settings = BusSettings::new(bus.clone(), credentials, node);
        let pace = (config.via, bus.twins_per_second);
        let bus = BusReporter::new(settings, pace, outbox, telemetry, Arc::clone(&receipts), sender, self.illegal);
        let over_bus = bus.run(drain.clone());
        if config.via == ReportVia::Eventbus {
            return (way, Box::pin(over_bus));
        }
        let (way, by_calls) = self.by_calls(way, receipts, drain);
        let both = async {
            tokio::join!(by_calls, over_bus);
        };
        (way, Box::pin(both))
    }

    #[cfg(not(feature = "eventbus"))]
    pub(super) fn by(self, _: &Config, _: CredentialSources, drain: CancellationToken) -> (watch::Receiver<Way>, Work) {
        self.by_calls(way::only(Way::Dmi), Arc::default(), drain)
    }

    fn by_calls(
        self,
        way: watch::Receiver<Way>,
        receipts: Arc<Receipts>,
        drain: CancellationToken,
    ) -> (watch::Receiver<Way>, Work) {
        let Self { outbox, pacer, telemetry, edge, illegal } = self;
        let reporter = Reporter::new(outbox, pacer, telemetry, edge, way.clone(), receipts, illegal);
        (way, Box::pin(reporter.run(drain)))
    }
}
