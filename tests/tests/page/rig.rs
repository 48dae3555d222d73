//! A mapper with its HTTP server, and a browser before it.

use std::fs;

use integration_tests::free_port;
use mapper_framework::{local_edge::LocalEdge, testing::TestBed};
use tempfile::TempDir;

use crate::{
    browser::Browser,
    plant::{self, MARKUP, PROTOCOL, Plant},
};

/// The token of those who may write.
pub(crate) const TOKEN: &str = "a-token-for-the-tests";

/// A running mapper, and the browser.
pub(crate) struct Rig {
    pub(crate) browser: Browser,
    pub(crate) plant: Plant,
    /// None while it is stopped.
    bed: Option<TestBed>,
    port: u16,
    token: TempDir,
}

impl Rig {
    /// Starts both, with the devices of these manifests; none if the browser is left out.
    pub(crate) async fn start(manifests: &str) -> Option<Self> {
        let browser = Browser::start().await?;
        let (plant, port, token) = (Plant::default(), free_port(), tempfile::tempdir().unwrap());
        fs::write(token.path().join("token"), TOKEN).unwrap();
        plant.set("Vorlauf", 61.5);
        plant.set("Sollwert", 20.0);
        plant.set("Druck", 1.5);
        plant.set("温度传感器", 7i64);
        plant.set("Lüftung größer", 3i64);
        plant.set(MARKUP, MARKUP);
        let bed = Some(start(&plant, port, &token, manifests).await);
        Some(Self { browser, plant, bed, port, token })
    }

    /// A mapper with so many devices of a heating.
    pub(crate) async fn with_heating(devices: usize) -> Option<Self> {
        Self::start(&plant::heating(devices)).await
    }

    /// Shows a view of the page, and waits until it is loaded.
    pub(crate) async fn show(&self, view: &str) {
        // The address without a fragment first: another fragment alone would load nothing.
        self.browser.open("about:blank").await;
        self.browser.open(&format!("http://127.0.0.1:{}/#/{view}", self.port)).await;
        self.live().await;
    }

    /// Waits until the page is connected, and shows what the mapper has.
    pub(crate) async fn live(&self) {
        self.browser
            .until("text('#link-word') === 'Live' && document.querySelector('main h1') && text('#mapper-foot')")
            .await;
    }

    /// The edge of the mapper, which runs.
    pub(crate) fn edge(&self) -> &LocalEdge {
        self.bed.as_ref().expect("it runs").edge()
    }

    /// Stops the mapper.
    pub(crate) async fn stop(&mut self) {
        self.bed.take().expect("it runs").stop().await.unwrap();
    }

    /// Starts another mapper on the same port, with the devices of these manifests.
    pub(crate) async fn start_again(&mut self, manifests: &str) {
        self.bed = Some(start(&self.plant, self.port, &self.token, manifests).await);
    }
}

async fn start(plant: &Plant, port: u16, token: &TempDir, manifests: &str) -> TestBed {
    let bed = TestBed::builder(plant.clone(), PROTOCOL).config(|config| {
        config.common.http_port = port;
        config.http.enabled = true;
        config.http.token = token.path().join("token");
    });
    let bed = bed.start().await;
    bed.edge().apply(manifests).await.unwrap();
    bed
}
