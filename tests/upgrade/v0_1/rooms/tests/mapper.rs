//! The mapper against an edgecore in this process.

use std::time::{Duration, SystemTime};

use frozen_mapper::{csv::Csv, driver::Rooms};
use mapper_framework::{
    DeviceSnapshot, DeviceState, Handle, OperationError, Value,
    model::{DeviceId, ModelId},
    sink::{HistoryError, HistoryRequest, SinkState},
    stats::Stats,
    testing::TestBed,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn hall() -> DeviceId {
    DeviceId::new("default", "hall")
}

async fn bed(folder: &std::path::Path) -> Result<TestBed, Box<dyn std::error::Error>> {
    let bed = TestBed::builder(Rooms, "room")
        .edge(|edge| edge.without_limiter())
        .config(|config| config.sinks.batch_linger = Duration::from_millis(10))
        .environment("CSV_PASSWORD", "right")
        .sink(Csv)
        .start()
        .await;
    let manifests = include_str!("../devices/room.yaml");
    bed.edge().apply(&manifests.replace("FOLDER", folder.to_str().ok_or("a path in UTF-8")?)).await?;
    Ok(bed)
}

async fn holds(bed: &TestBed, property: &str, value: &str) {
    bed.until(&format!("{property} is {value}"), |edge| {
        edge.twin(&hall(), property).is_some_and(|twin| twin.value() == value)
    })
    .await;
}

#[tokio::test]
async fn twins_follow_the_device_and_the_device_follows_what_is_desired() -> Outcome {
    let folder = tempfile::tempdir()?;
    let bed = bed(folder.path()).await?;
    holds(&bed, "setpoint", "21").await;
    holds(&bed, "door", "true").await;
    bed.edge().set_desired(&hall(), "setpoint", "25").await?;
    holds(&bed, "setpoint", "25").await;
    bed.until("the device is online", |edge| edge.state(&hall()) == Some("online")).await;
    assert!(bed.edge().twin(&hall(), "setpoint").is_some_and(|twin| twin.observed_desired() == "25"));
    assert!(bed.edge().mappers().iter().all(|mapper| mapper.protocol() == "room" && mapper.name() == "room-mapper"));
    bed.edge().delete_device(&hall()).await?;
    bed.edge().delete_model(&ModelId::new("default", "room")).await?;
    let (ended, edge) = bed.stop_mapper().await;
    ended?;
    assert_eq!(edge.crashed(), None);
    Ok(())
}

#[tokio::test]
async fn the_handle_asks_and_orders() -> Outcome {
    let folder = tempfile::tempdir()?;
    let bed = bed(folder.path()).await?;
    holds(&bed, "setpoint", "21").await;
    let handle: Handle = bed.handle();
    assert_eq!(handle.devices().await, [hall()]);
    handle.write(&hall(), "setpoint", "22").await?;
    assert_eq!(handle.call(&hall(), "heat", &[("setpoint", "23")]).await?, [Value::Double(23.0)]);
    holds(&bed, "setpoint", "23").await;
    let DeviceSnapshot { device, state, samples, .. } = handle.device(&hall()).await.ok_or("the device is there")?;
    assert_eq!((state, device.is_some()), (DeviceState::Online, true));
    assert!(samples.iter().any(|sample| sample.property.name() == "setpoint" && sample.timestamp < SystemTime::now()));
    let error = handle.write(&hall(), "setpoint", "50").await.expect_err("it is too hot");
    assert!(matches!(error, OperationError::Invalid { .. }) && !error.is_retryable(), "{error}");
    let error = handle.write(&hall(), "roof", "1").await.expect_err("there is none");
    assert!(matches!(error, OperationError::NotFound(_)), "{error}");
    bed.stop().await?;
    assert_eq!(handle.devices().await, []);
    Ok(())
}

#[tokio::test]
async fn samples_arrive_in_the_sink_and_its_history_can_be_asked_for() -> Outcome {
    let folder = tempfile::tempdir()?;
    let bed = bed(folder.path()).await?;
    bed.until_sinks("three rows are written", |sinks| sinks.iter().any(|sink| sink.ledger().delivered() >= 3)).await;
    let handle = bed.handle();
    let request = HistoryRequest::of(hall()).property("temperature").kind("csv").limit(3);
    let points = handle.history(request.to(SystemTime::now())).await?;
    assert_eq!(points.len(), 3);
    assert!(points.iter().all(|point| point.property == "temperature" && point.timestamp_ms > 0));
    let nobody = handle.history(HistoryRequest::of(DeviceId::new("default", "nobody"))).await;
    assert!(matches!(nobody, Err(HistoryError::NotFound(_))), "{nobody:?}");
    let statuses = handle.sinks();
    let [status] = &statuses[..] else { panic!("there is one sink: {statuses:?}") };
    assert_eq!((status.target().kind(), status.state(), status.spooled_records()), ("csv", SinkState::Up, 0));
    let ledger = status.ledger();
    assert_eq!((ledger.rejected(), ledger.dropped(), ledger.repeated()), (0, 0, 0));
    assert!(ledger.adds_up() && ledger.produced() == ledger.delivered() + ledger.in_flight(), "{ledger:?}");
    bed.stop().await?;
    Ok(())
}

/// The names of all counters: whoever watches one, finds it in every later version.
#[tokio::test]
async fn the_counters_have_their_names() -> Outcome {
    let folder = tempfile::tempdir()?;
    let bed = bed(folder.path()).await?;
    // The answer to a report is counted before the next one is made.
    bed.until("two reports are stored", |edge| {
        edge.twin(&hall(), "setpoint").is_some_and(|twin| twin.value() == "21" && twin.times_stored() > 1)
    })
    .await;
    let stats: Stats = bed.handle().stats();
    assert!(stats.reads().samples() > 0 && stats.writes().succeeded() > 0, "{stats}");
    assert_eq!((stats.sessions().opened(), stats.edge().registrations()), (1, 1), "{stats}");
    assert!(stats.reports().accepted() > 0 && stats.reports().twins_reported() > 0, "{stats}");
    let (sessions, reads, writes) = (stats.sessions(), stats.reads(), stats.writes());
    let (edge, reports, sinks, spool) = (stats.edge(), stats.reports(), stats.sinks(), stats.spool());
    let (_, _, _) = (reads.ticks_skipped(), edge.unreachable(), edge.budget_exceeded());
    let nothing = [
        [stats.devices().problems(), stats.devices().doubts(), stats.framework().task_deaths(), reads.failed()],
        [sessions.connects_failed(), sessions.lost(), sessions.renewed(), sessions.deadlines_missed()],
        [sessions.driver_panics(), sessions.driver_blocks(), writes.failed(), writes.desired_refused()],
        [edge.registrations_refused(), edge.connections_lost(), reports.limited(), reports.refused()],
        [reports.twins_held_back(), reports.devices_unreported(), sinks.attempts_failed(), 0],
        [sinks.records_rejected(), sinks.records_dropped(), sinks.cut_off(), spool.records_recovered()],
        [spool.segments_damaged(), spool.failed(), 0, 0],
    ];
    assert_eq!(nothing, [[0; 4]; 7], "{stats}");
    assert!(bed.handle().device_stats(&hall()).is_some_and(|hall| hall.reads().samples() > 0));
    bed.stop().await?;
    Ok(())
}
