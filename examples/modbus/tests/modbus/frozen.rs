//! A server that is stopped in the middle of its work, or takes its time, beside another one.

use mapper_framework::{
    Handle,
    local_edge::LocalEdge,
    model::DeviceId,
    watch::{Filter, Kind, What},
};
use serde_json::{Value as Json, json};

use crate::{
    Outcome,
    mapper::{is, run_with_handle},
    register,
    server::Server,
    tls::Secured,
};

/// The way to a server without TLS.
fn plain(server: &Server) -> Json {
    json!({"host": "127.0.0.1", "port": server.port})
}

/// A unit of the server at the end of this way.
fn device(name: &str, unit: u8, timeout: u32, mut way: Json, cycle: u32) -> String {
    (way["unitId"], way["timeout"]) = (unit.into(), timeout.into());
    register::device(name, 0, cycle, &way)
}

/// Waits until a device has been read so often from now on.
async fn is_read(handle: &Handle, device: &DeviceId, times: usize) -> Outcome {
    let mut watch = handle.watch(Filter::all().kinds([Kind::Sample])).await.ok_or("the mapper runs")?;
    let mut reads = 0;
    while reads < times {
        if let What::Sample(sample) = watch.next().await.ok_or("the mapper runs")?.what() {
            reads += usize::from(sample.device == *device);
        }
    }
    Ok(())
}

/// That a server which is frozen takes its own devices away and no others, and gives them back by itself.
async fn freezes(edge: &LocalEdge, handle: &Handle, server: &Server) -> Outcome {
    let [frozen, other] = ["frozen", "other"].map(|name| DeviceId::new("default", name));
    is(edge, &frozen, "online").await;
    is(edge, &other, "online").await;
    server.freeze().await;
    is(edge, &frozen, "offline").await;
    let snapshot = handle.device(&frozen).await.ok_or("the device is there")?;
    let reason = snapshot.reason.unwrap_or_default();
    assert!(reason.contains("no answer within 1000 ms") || reason.contains("no connection to 127.0.0.1:"), "{reason}");
    is_read(handle, &other, 5).await?;
    assert_eq!(edge.state(&frozen).as_deref(), Some("offline"));
    let stats = handle.device_stats(&other).ok_or("the device is there")?;
    assert_eq!((stats.sessions().opened(), stats.sessions().lost(), stats.reads().failed()), (1, 0, 0));
    server.thaw().await;
    is(edge, &frozen, "online").await;
    is_read(handle, &frozen, 2).await
}

#[tokio::test]
async fn a_frozen_server_holds_up_its_own_devices_only_and_they_are_back_when_it_is() -> Outcome {
    let (Some(server), Some(other)) = (Server::start(0).await?, Server::start(0).await?) else { return Ok(()) };
    let devices =
        [device("frozen", 1, 1000, plain(&server), 1000), device("other", 1, 10_000, plain(&other), 1000)].concat();
    run_with_handle(&[register::MODEL, &devices].concat(), async |edge, handle| freezes(edge, handle, &server).await)
        .await
}

#[tokio::test]
async fn a_frozen_server_behind_tls_holds_up_its_own_devices_only_and_they_are_back_when_it_is() -> Outcome {
    let (Some(secured), Some(other)) = (Secured::start().await?, Secured::start().await?) else { return Ok(()) };
    let devices =
        [device("frozen", 1, 1000, secured.keys(), 1000), device("other", 1, 10_000, other.keys(), 1000)].concat();
    run_with_handle(&[register::MODEL, &devices].concat(), async |edge, handle| {
        freezes(edge, handle, &secured.server).await
    })
    .await
}

#[tokio::test]
async fn a_slow_server_is_read_as_fast_as_it_answers_and_holds_up_nobody_else() -> Outcome {
    const ANSWERS: usize = 5;
    let (Some(server), Some(secured)) = (Server::start(0).await?, Secured::start().await?) else { return Ok(()) };
    let Some(other) = Server::start(0).await? else { return Ok(()) };
    let ways = [("slow", 19, plain(&server)), ("slow-tls", 19, secured.keys()), ("other", 1, plain(&other))];
    // Shorter than the slow ones take, so that there is always one of them that is waited for.
    let devices = ways.map(|(name, unit, way)| device(name, unit, 10_000, way, 50)).concat();
    run_with_handle(&[register::MODEL, &devices].concat(), async |edge, handle| {
        let ids = ["slow", "slow-tls", "other"].map(|name| DeviceId::new("default", name));
        for device in &ids {
            is(edge, device, "online").await;
        }
        let mut watch = handle.watch(Filter::all().kinds([Kind::Sample])).await.ok_or("the mapper runs")?;
        // Of each slow one its values, and those of the other one between its first and its latest.
        let mut counts = [(0, 0); 2];
        while counts.iter().any(|(own, _)| *own <= ANSWERS) {
            let event = watch.next().await.ok_or("the mapper runs")?;
            let What::Sample(sample) = event.what() else { continue };
            for ((own, others), slow) in counts.iter_mut().zip(&ids) {
                let is_watched = (1..=ANSWERS).contains(own);
                *own += usize::from(sample.device == *slow);
                *others += usize::from(is_watched && sample.device == ids[2]);
            }
        }
        // Who waited for the slow ones would have one value for each of theirs.
        assert!(counts.iter().all(|(_, others)| *others > 2 * ANSWERS), "{counts:?}");
        for device in &ids {
            let stats = handle.device_stats(device).ok_or("the device is there")?;
            assert_eq!((stats.sessions().opened(), stats.sessions().lost(), stats.reads().failed()), (1, 0, 0));
        }
        Ok(())
    })
    .await
}
