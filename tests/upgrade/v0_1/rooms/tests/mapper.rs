//! The mapper against an edgecore in this process.

use std::time::{Duration, SystemTime};

use frozen_mapper::{csv::Csv, driver::Rooms};
use mapper_framework::{
    DeviceSnapshot, DeviceState, Handle, OperationError, Stats,
    model::{DeviceId, ModelId},
    sink::{HistoryError, HistoryRequest, Ledger, SinkState, SinkStatus},
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
    handle.call(&hall(), "heat", "setpoint", "23").await?;
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
    bed.until_sinks("three rows are written", |sinks| sinks.iter().any(|sink| sink.ledger.delivered >= 3)).await;
    let handle = bed.handle();
    let request = HistoryRequest::of(hall()).property("temperature").kind("csv").limit(3);
    let points = handle.history(request.to(SystemTime::now())).await?;
    assert_eq!(points.len(), 3);
    assert!(points.iter().all(|point| point.property == "temperature" && point.timestamp_ms > 0));
    let nobody = handle.history(HistoryRequest::of(DeviceId::new("default", "nobody"))).await;
    assert!(matches!(nobody, Err(HistoryError::NotFound(_))), "{nobody:?}");
    let statuses = handle.sinks();
    let [SinkStatus { target, state, ledger, spooled_records: 0, .. }] = &statuses[..] else {
        panic!("there is one sink: {statuses:?}")
    };
    let Ledger { produced, delivered, rejected, dropped, in_flight, repeated, .. } = *ledger;
    assert_eq!((target.kind(), *state, rejected, dropped, repeated), ("csv", SinkState::Up, 0, 0, 0));
    assert!(ledger.adds_up() && produced == delivered + in_flight, "{ledger:?}");
    bed.stop().await?;
    Ok(())
}

/// The names of all counters: whoever watches one, finds it in every later version.
#[tokio::test]
async fn the_counters_have_their_names() -> Outcome {
    let folder = tempfile::tempdir()?;
    let bed = bed(folder.path()).await?;
    holds(&bed, "setpoint", "21").await;
    let stats = bed.handle().stats();
    let Stats {
        samples,
        ticks_skipped: _,
        read_failures,
        write_failures,
        writes,
        connects,
        connect_failures,
        sessions_lost,
        deadlines_missed,
        driver_panics,
        desired_refused,
        problems,
        registrations,
        registrations_refused,
        edge_unreachable: _,
        budget_exceeded: _,
        edge_connections_lost,
        reports_accepted,
        reports_limited,
        reports_refused,
        reports_lost,
        twins_reported,
        devices_unreported,
        twins_illegal,
        sink_failures,
        records_rejected,
        records_dropped,
        records_recovered,
        spool_segments_damaged,
        spool_failures,
        sinks_cut_off,
        task_deaths,
        ..
    } = stats;
    assert!(samples > 0 && writes > 0 && connects == 1 && registrations == 1, "{stats}");
    assert!(reports_accepted > 0 && twins_reported > 0, "{stats}");
    let nothing = [
        [read_failures, write_failures, connect_failures, sessions_lost, deadlines_missed, driver_panics],
        [desired_refused, problems, registrations_refused, edge_connections_lost, reports_limited, reports_refused],
        [reports_lost, devices_unreported, twins_illegal, sink_failures, records_rejected, records_dropped],
        [records_recovered, spool_segments_damaged, spool_failures, sinks_cut_off, task_deaths, 0],
    ];
    assert_eq!(nothing, [[0; 6]; 4], "{stats}");
    bed.stop().await?;
    Ok(())
}
