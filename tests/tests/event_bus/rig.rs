//! A mapper of counters that reports by the event bus, and what is known of it.

use std::{fs, path::PathBuf};

use integration_tests::servers::{EventBus, EventBusOptions, Mosquitto, MosquittoOptions, Seen};
use mapper_framework::{
    config::{Config, ReportStrategy, ReportVia},
    local_edge::{EdgeState, StoredTwin},
    model::DeviceId,
    testing::TestBed,
};
use tempfile::TempDir;

use crate::{
    counters::{self, Counters},
    log::Log,
};

/// The namespace of the devices that the responder knows.
pub(crate) const NAMESPACE: &str = "default";

/// A running mapper. A value is reported once, when it has changed: one that is lost is not made good by the next.
pub(crate) struct Rig {
    pub(crate) bed: TestBed,
    pub(crate) counters: Counters,
    pub(crate) log: Log,
    _secrets: TempDir,
}

impl Rig {
    /// Starts a mapper with so many devices, `d0`, `d1` and so on.
    pub(crate) async fn start(broker: &Mosquitto, via: ReportVia, devices: usize) -> Self {
        Self::start_with(broker, via, devices, Mosquitto::PASSWORD, |_| {}).await
    }

    pub(crate) async fn start_with(
        broker: &Mosquitto,
        via: ReportVia,
        devices: usize,
        password: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let (log, counters) = (Log::start(), Counters::default());
        let secrets = tempfile::tempdir().unwrap();
        fs::write(secrets.path().join("username"), Mosquitto::USER).unwrap();
        fs::write(secrets.path().join("password"), password).unwrap();
        let bed = TestBed::builder(counters.clone(), counters::PROTOCOL).config(|config| {
            config.report.strategy = ReportStrategy::OnChange;
            config.report.via = via;
            config.report.eventbus.address = format!("mqtt://127.0.0.1:{}", broker.port());
            if broker.login().is_some() {
                config.report.eventbus.credentials = PathBuf::from(secrets.path());
            }
            change(config);
        });
        let bed = bed.start().await;
        let manifests = counters::manifests(NAMESPACE, &counters::names(devices), devices / 2);
        bed.edge().apply(&manifests).await.unwrap();
        Self { bed, counters, log, _secrets: secrets }
    }

    /// How many of the values that the devices hold are not those that the responder has stored.
    pub(crate) fn missing(&self, seen: &Seen) -> usize {
        self.without(|device, property, value| seen.value(device, property) == Some(value))
    }

    /// The same of what the edge has stored that is reported to over DMI.
    pub(crate) fn missing_over_dmi(&self, edge: &EdgeState) -> usize {
        self.without(|device, property, value| over_dmi(edge, device, property) == Some(value))
    }

    /// How many have arrived on neither way.
    pub(crate) fn missing_on_both(&self, seen: &Seen, edge: &EdgeState) -> usize {
        self.without(|device, property, value| {
            seen.value(device, property) == Some(value) || over_dmi(edge, device, property) == Some(value)
        })
    }

    fn without(&self, is_stored: impl Fn(&str, &str, &str) -> bool) -> usize {
        let values = self.counters.values();
        values.iter().filter(|(device, property, value)| !is_stored(device, property, value)).count()
    }

    /// Stops the mapper, which has to be alive and well.
    pub(crate) async fn stop(self) {
        assert_eq!(self.bed.handle().stats().framework().task_deaths(), 0);
        self.bed.stop().await.unwrap();
    }
}

fn over_dmi<'a>(edge: &'a EdgeState, device: &str, property: &str) -> Option<&'a str> {
    let (namespace, name) = device.split_once('/')?;
    edge.twin(&DeviceId::new(namespace, name), property).map(StoredTwin::value)
}

/// A broker that lets everybody in, and a responder that knows the devices of [`NAMESPACE`]; none if one of them is left out.
pub(crate) async fn node() -> Option<(Mosquitto, EventBus)> {
    node_with(MosquittoOptions::default(), EventBusOptions::default()).await
}

pub(crate) async fn node_with(broker: MosquittoOptions, bus: EventBusOptions) -> Option<(Mosquitto, EventBus)> {
    let broker = Mosquitto::start_with(broker).await?;
    let bus = EventBus::start(&broker, &EventBusOptions { devices: vec![format!("{NAMESPACE}/*")], ..bus }).await?;
    Some((broker, bus))
}
