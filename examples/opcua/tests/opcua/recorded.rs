//! A session with node-opcua that was recorded, and the mapper on the recording, without the server.
//!
//! `recorded/killed-and-restarted.tape` is made anew by `OPCUA_RECORD=1 cargo xtask test -- -p opcua --test opcua recorded`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use mapper_framework::testing::TestBed;
use opcua::{OpcUa, Settings};

use crate::{
    Outcome,
    bed::{boiler, id},
    server::{Make, Server},
};

/// The longest pause between two attempts to connect in a replay; five times as much while it is recorded.
const PAUSE: Duration = Duration::from_millis(200);

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/killed-and-restarted.tape")
}

fn driver() -> OpcUa {
    OpcUa::new(Settings::default())
}

/// Records a mapper while its server delivers a change, is killed and comes back.
async fn record(server: Server, path: &Path) -> Outcome {
    let bed = TestBed::builder(driver(), "opcua").config(|config| config.driver.backoff_max = 5 * PAUSE);
    let bed = bed.record(path).start().await;
    bed.edge().apply(&boiler(&server, "")).await?;
    holds(&bed, "temperature", "58.5").await;
    holds(&bed, "setpoint", "55").await;
    server.probe().await?.obey("set Boiler.Temperature 61.25").await?;
    holds(&bed, "temperature", "61.25").await;
    let mut server = server;
    server.kill().await;
    is(&bed, "offline").await;
    let server = server.restart(&[]).await?;
    is(&bed, "online").await;
    holds(&bed, "temperature", "58.5").await;
    server.probe().await?.obey("set Boiler.Temperature 62.5").await?;
    holds(&bed, "temperature", "62.5").await;
    bed.stop().await?;
    Ok(())
}

/// Runs the mapper on a recording: it goes through the same values and states.
async fn replay(path: &Path) {
    // The pauses between attempts to connect are the mapper's, and not faster than it.
    let bed = TestBed::builder(driver(), "opcua").config(|config| config.driver.backoff_max = PAUSE);
    let bed = bed.replay(path, 4.0).start().await;
    holds(&bed, "setpoint", "55").await;
    holds(&bed, "temperature", "61.25").await;
    is(&bed, "offline").await;
    is(&bed, "online").await;
    holds(&bed, "temperature", "62.5").await;
    bed.stop().await.expect("the mapper ends in good order");
}

async fn holds(bed: &TestBed, property: &str, value: &str) {
    let what = format!("{property} = {value}");
    bed.until(&what, |edge| edge.twin(&id(), property).is_some_and(|twin| twin.value() == value)).await;
}

async fn is(bed: &TestBed, state: &str) {
    bed.until(state, |edge| edge.state(&id()) == Some(state)).await;
}

#[tokio::test]
async fn the_kept_recording_is_replayed_without_a_server() {
    replay(&kept()).await;
}

#[tokio::test]
async fn a_session_with_the_server_is_recorded_and_replayed() -> Outcome {
    let Some(server) = Server::start(Make::NodeOpcua, &[]).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("session.tape");
    record(server, &path).await?;
    replay(&path).await;
    if env::var_os("OPCUA_RECORD").is_some() {
        fs::create_dir_all(kept().parent().ok_or("it lies in a folder")?)?;
        fs::copy(&path, kept())?;
    }
    Ok(())
}
