//! The mapper between an edgecore and servers.

use std::fs;

use mapper_framework::{
    model::DeviceId,
    testing::{DEADLINE, TestBed},
    watch::{Filter, Kind, What},
};
use opcua::{OpcUa, Settings};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{Outcome, server::Server};

const MODEL: &str = include_str!("../../devices/model.yaml");
const INSTANCE: &str = include_str!("../../devices/instance.yaml");

#[tokio::test]
async fn a_server_that_is_killed_is_found_again_and_delivers_and_has_what_it_should_have() -> Outcome {
    let Some(server) = Server::start(&[]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "")).await;
    bed.holds("temperature", "58.5").await;
    bed.holds("setpoint", "55").await;
    bed.holds("pump", "true").await;
    bed.is("online").await;
    server.probe().await?.obey("set Boiler.Temperature 61.25").await?;
    bed.holds("temperature", "61.25").await;
    let mut server = server;
    server.kill().await;
    bed.is("offline").await;
    bed.reason("no connection to opc.tcp://127.0.0.1:").await;
    let mut server = server.restart(&[]).await?;
    bed.is("online").await;
    // The new server has forgotten all, and gets its wishes anew.
    bed.holds("temperature", "58.5").await;
    server.probe().await?.obey("set Boiler.Temperature 62.5").await?;
    bed.holds("temperature", "62.5").await;
    bed.holds("setpoint", "55").await;
    server.says("monitors 4").await;
    bed.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_although_all_is_subscribed() -> Outcome {
    let Some(server) = Server::start(&[]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "timeout: 2000")).await;
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    server.freeze().await;
    bed.is("offline").await;
    bed.reason("does not answer within 2s").await;
    server.thaw().await;
    bed.is("online").await;
    server.probe().await?.obey("set Boiler.Temperature 61.25").await?;
    bed.holds("temperature", "61.25").await;
    bed.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_password_that_is_put_right_is_in_force_without_a_restart() -> Outcome {
    let Some(server) = Server::start(&["--user", "mapper=hunter2"]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "")).await;
    bed.reason("takes no Anonymous with None/None, but UserName: correct the device's credentials").await;
    bed.login("mapper", "hunter3");
    bed.apply(&boiler(&server, "credentials: boiler")).await;
    let reason = bed.reason("it refuses the login of \"mapper\": correct the files `username` and `password`").await;
    assert!(!reason.contains("hunter"), "{reason}");
    bed.login("mapper", "hunter2");
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    bed.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named_with_those_that_are() -> Outcome {
    let Some(mut server) = Server::start(&[]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "securityPolicy: Basic256Sha256")).await;
    bed.reason("no endpoint with Basic256Sha256/SignAndEncrypt, but None/None: correct securityPolicy").await;
    bed.apply(&boiler(&server, "securityMode: Sign")).await;
    bed.reason("securityMode Sign needs a securityPolicy").await;
    bed.apply(&boiler(&server, "subscribe: false")).await;
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    assert!(server.lines("monitors").await?.is_empty());
    bed.stop().await;
    Ok(())
}

/// A mapper and an edgecore, and the folders that the mapper has.
struct Bed {
    bed: TestBed,
    folder: TempDir,
}

impl Bed {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (pki, credentials) = (folder.path().join("pki"), folder.path().join("credentials"));
        let driver = OpcUa::new(Settings { pki, ..Settings::default() });
        let builder = TestBed::builder(driver, "opcua").config(move |config| config.driver.credentials = credentials);
        Self { bed: builder.start().await, folder }
    }

    /// Puts a login into the folder of credentials, in the place of an earlier one.
    fn login(&self, username: &str, password: &str) {
        let folder = self.folder.path().join("credentials/boiler");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("username"), username).unwrap();
        fs::write(folder.join("password"), password).unwrap();
    }

    async fn apply(&self, manifests: &str) {
        self.bed.edge().apply(manifests).await.unwrap();
    }

    /// Waits until a twin has a value.
    async fn holds(&self, property: &str, value: &str) {
        let fits = |edge: &mapper_framework::local_edge::EdgeState| {
            edge.twin(&id(), property).is_some_and(|twin| twin.value() == value)
        };
        self.bed.until(&format!("{property} = {value}"), fits).await;
    }

    /// Waits until the device is in a state.
    async fn is(&self, state: &str) {
        self.bed.until(state, |edge| edge.state(&id()) == Some(state)).await;
    }

    /// Waits until the device's state has a reason with this in it, and returns the whole reason.
    async fn reason(&self, part: &str) -> String {
        let mut watch = self.bed.handle().watch(Filter::all().kinds([Kind::State]).device(id())).await.unwrap();
        let snapshot = watch.snapshot();
        let known = snapshot.devices().iter().find(|(it, _)| *it == id()).and_then(|(_, it)| it.reason.clone());
        let mut seen = vec![known.unwrap_or_default()];
        let wait = async {
            while !seen.last().unwrap().contains(part) {
                if let What::State { reason: Some(reason), .. } = watch.next().await.unwrap().what() {
                    seen.push(reason.to_string());
                }
            }
        };
        let came = timeout(DEADLINE, wait).await.is_ok();
        assert!(came, "{part:?} has not come, but {seen:?}");
        seen.pop().unwrap()
    }

    async fn stop(self) {
        self.bed.stop().await.unwrap();
    }
}

fn id() -> DeviceId {
    DeviceId::new("default", "boiler-1")
}

/// The manifests of the example with the server's address, in more of a hurry, and with another line in `configData`.
fn boiler(server: &Server, line: &str) -> String {
    // More than any pause of a busy machine.
    let line = if line.starts_with("timeout") { line.to_owned() } else { format!("timeout: 10000\n      {line}") };
    let url = "url: opc.tcp://127.0.0.1:4840\n";
    let instance = INSTANCE
        .replace(url, &format!("url: {}\n      {line}\n", server.url()))
        .replace("Cycle: 5000", "Cycle: 200")
        .replace("Cycle: 10000", "Cycle: 500");
    format!("{MODEL}\n---\n{instance}")
}
