//! A mapper between an edgecore and a server.

use std::{fs, path::PathBuf};

use mapper_framework::{config::Config as MapperConfig, model::DeviceId, testing::TestBed};
use opcua::{OpcUa, Settings};
use tempfile::TempDir;

use crate::server::Server;

const MODEL: &str = include_str!("../../devices/model.yaml");
const INSTANCE: &str = include_str!("../../devices/instance.yaml");

/// A mapper and an edgecore, and the folders that the mapper has.
pub(crate) struct Bed {
    pub(crate) bed: TestBed,
    folder: TempDir,
}

impl Bed {
    /// Starts both. The mapper trusts each server.
    pub(crate) async fn start() -> Self {
        Self::configured(|_| {}).await
    }

    /// Starts both, with a change of the mapper's config.
    pub(crate) async fn configured(change: impl FnOnce(&mut MapperConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (pki, credentials) = (folder.path().join("pki"), folder.path().join("credentials"));
        let driver = OpcUa::new(Settings { pki, trust_new: true, ..Settings::default() });
        let builder = TestBed::builder(driver, "opcua").config(move |config| config.driver.credentials = credentials);
        let builder = builder.config(change);
        Self { bed: builder.start().await, folder }
    }

    /// The mapper's own certificate.
    pub(crate) fn own_certificate(&self) -> PathBuf {
        self.folder.path().join("pki/own/cert.der")
    }

    /// Puts a login into the folder of credentials, in the place of an earlier one.
    pub(crate) fn login(&self, username: &str, password: &str) {
        self.credentials(&[("username", username.as_bytes()), ("password", password.as_bytes())]);
    }

    /// Puts files into the folder of credentials `boiler`.
    pub(crate) fn credentials(&self, files: &[(&str, &[u8])]) {
        let folder = self.folder.path().join("credentials/boiler");
        fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    pub(crate) async fn apply(&self, manifests: &str) {
        self.bed.edge().apply(manifests).await.unwrap();
    }

    /// Waits until a twin has a value.
    pub(crate) async fn holds(&self, property: &str, value: &str) {
        let fits = |edge: &mapper_framework::local_edge::EdgeState| {
            edge.twin(&id(), property).is_some_and(|twin| twin.value() == value)
        };
        self.bed.until(&format!("{property} = {value}"), fits).await;
    }

    /// Waits until the device is in a state.
    pub(crate) async fn is(&self, state: &str) {
        self.bed.until(state, |edge| edge.state(&id()) == Some(state)).await;
    }

    /// Waits until the device's state has a reason with this in it, and returns the whole reason.
    pub(crate) async fn reason(&self, part: &str) -> String {
        self.bed.until_state(&id(), part, |_, reason| reason.contains(part)).await
    }

    pub(crate) async fn stop(self) {
        self.bed.stop().await.unwrap();
    }
}

pub(crate) fn id() -> DeviceId {
    DeviceId::new("default", "boiler-1")
}

/// The manifests of the example with the server's address, in more of a hurry, and with another line in `configData`.
pub(crate) fn boiler(server: &Server, line: &str) -> String {
    boiler_at(&server.url(), line)
}

/// The same with any address.
pub(crate) fn boiler_at(address: &str, line: &str) -> String {
    // More than any pause of a busy machine.
    let line = if line.starts_with("timeout") { line.to_owned() } else { format!("timeout: 10000\n      {line}") };
    let url = "url: opc.tcp://127.0.0.1:4840\n";
    let instance = INSTANCE
        .replace(url, &format!("url: {address}\n      {line}\n"))
        .replace("Cycle: 5000", "Cycle: 200")
        .replace("Cycle: 10000", "Cycle: 500");
    format!("{MODEL}\n---\n{instance}")
}
