//! A session with the server that was recorded, and the mapper on the recording, without the server.
//!
//! `recorded/killed-and-restarted.tape` is made anew by `MODBUS_RECORD=1 cargo test -p modbus --test modbus recorded`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use mapper_framework::testing::TestBed;
use modbus::Modbus;

use crate::{
    Outcome,
    mapper::{boiler, boilers},
    server::Server,
};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/killed-and-restarted.tape")
}

/// Records a mapper while its server is killed and comes back.
async fn record(mut server: Server, path: &Path) -> Outcome {
    let bed = TestBed::builder(Modbus::default(), "modbus").record(path).start().await;
    bed.edge().apply(&boilers(&server)).await?;
    holds(&bed, "58.3").await;
    bed.until("its setpoint is written", |edge| {
        edge.twin(&boiler(2), "setpoint").is_some_and(|twin| twin.observed_desired() == "55")
    })
    .await;
    server.kill().await;
    is(&bed, "offline").await;
    let before = times_stored(&bed);
    let server = Server::start(server.port).await?.ok_or("Python was there a moment ago")?;
    is(&bed, "online").await;
    bed.until("it is read again for a while", |edge| {
        edge.twin(&boiler(1), "temperature").is_some_and(|twin| twin.times_stored() >= before + 8)
    })
    .await;
    bed.stop().await?;
    drop(server);
    Ok(())
}

/// Runs the mapper on a recording: it goes through the same states.
async fn replay(path: &Path) {
    let bed = TestBed::builder(Modbus::default(), "modbus").replay(path, 2.0).start().await;
    holds(&bed, "58.3").await;
    bed.until("its setpoint is written", |edge| {
        edge.twin(&boiler(2), "setpoint").is_some_and(|twin| twin.observed_desired() == "55")
    })
    .await;
    is(&bed, "offline").await;
    is(&bed, "online").await;
    bed.stop().await.expect("the mapper ends in good order");
}

fn times_stored(bed: &TestBed) -> u64 {
    bed.edge().twin(&boiler(1), "temperature").map_or(0, |twin| twin.times_stored())
}

async fn holds(bed: &TestBed, temperature: &str) {
    bed.until("the temperature is stored", |edge| {
        edge.twin(&boiler(1), "temperature").is_some_and(|twin| twin.value() == temperature)
    })
    .await;
}

async fn is(bed: &TestBed, state: &str) {
    bed.until(state, |edge| edge.state(&boiler(1)) == Some(state)).await;
}

#[tokio::test]
async fn the_kept_recording_is_replayed_without_a_server() {
    replay(&kept()).await;
}

#[tokio::test]
async fn a_session_with_the_server_is_recorded_and_replayed() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("session.tape");
    record(server, &path).await?;
    replay(&path).await;
    if env::var_os("MODBUS_RECORD").is_some() {
        fs::create_dir_all(kept().parent().ok_or("it lies in a folder")?)?;
        fs::copy(&path, kept())?;
    }
    Ok(())
}
