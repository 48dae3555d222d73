//! Starts and stops.

use std::time::Duration;

use mapper_framework::{local_edge::EdgeEvent, testing::TestBed};
use tokio::runtime::Handle;

use crate::{
    meter::{Meter, PROTOCOL, device, gauges, id, model, property},
    patience::{tasks_are_back_to, with_endless_grace, within_deadline},
};

#[tokio::test]
async fn a_stop_in_the_middle_of_a_hung_read_closes_every_session_in_time() {
    let meter = Meter::new();
    let bed = TestBed::builder(meter.clone(), PROTOCOL).config(with_endless_grace).start().await;
    let hung = model("m", &["abyss, type: INT"]) + &device("hung", "m", &[property("abyss", 10, "abyss")]);
    bed.edge().apply(&(gauges(["d".to_owned()], 10) + &hung)).await.unwrap();
    bed.until("the good device reports", |edge| edge.twin(&id("d"), "count").is_some()).await;
    meter.until(|uses| uses.hangs == 1).await;
    let (ended, edge) = within_deadline("the end", bed.stop_mapper()).await;
    ended.unwrap();
    assert_eq!(meter.uses().closes, 2);
    for name in ["d", "hung"] {
        assert_eq!(edge.state(&id(name)).as_deref(), Some("offline"), "{name}");
    }
}

#[tokio::test]
async fn the_offline_state_comes_after_the_last_values() {
    let bed = TestBed::start(Meter::new(), PROTOCOL).await;
    bed.edge().apply(&gauges(["d".to_owned()], 5)).await.unwrap();
    bed.until("it reports", |edge| edge.twin(&id("d"), "count").is_some_and(|twin| twin.times_stored() > 3)).await;
    let mut events = bed.edge().events();
    let (ended, edge) = bed.stop_mapper().await;
    ended.unwrap();
    drop(edge);
    let mut last = None;
    while let Some(event) = events.next().await {
        if matches!(event, EdgeEvent::TwinStored { .. } | EdgeEvent::StateStored { .. }) {
            last = Some(event);
        }
    }
    assert!(matches!(last, Some(EdgeEvent::StateStored { ref state, .. }) if state == "offline"), "{last:?}");
}

#[tokio::test]
async fn every_device_is_told_offline_even_when_there_is_no_time_for_all_last_values() {
    // There is time for 15 calls, and 20 wait.
    let bed = TestBed::builder(Meter::new(), PROTOCOL)
        .config(|config| {
            (config.report.burst, config.report.calls_per_second) = (1, 10.0);
            config.shutdown.grace = Duration::from_secs(2);
        })
        .start()
        .await;
    let names: Vec<_> = (0..10).map(|n| format!("d{n}")).collect();
    bed.edge().apply(&gauges(names.clone(), 10)).await.unwrap();
    bed.until("all report", |edge| names.iter().all(|name| edge.twin(&id(name), "count").is_some())).await;
    let (ended, edge) = bed.stop_mapper().await;
    ended.unwrap();
    for name in names {
        assert_eq!(edge.state(&id(&name)).as_deref(), Some("offline"), "{name}");
    }
}

#[tokio::test]
async fn a_mapper_without_edgecore_stops_at_once() {
    let bed = TestBed::builder(Meter::new(), PROTOCOL).config(with_endless_grace).late_edge().start().await;
    within_deadline("the end", bed.stop()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_a_mapper_that_is_dropped() {
    let before = Handle::current().metrics().num_alive_tasks();
    for stops in [true, false, true, false] {
        let bed = TestBed::start(Meter::new(), PROTOCOL).await;
        bed.edge().apply(&gauges(["d".to_owned()], 10)).await.unwrap();
        bed.until("it reports", |edge| edge.twin(&id("d"), "count").is_some()).await;
        let folder = bed.folder().to_owned();
        if stops {
            bed.stop().await.unwrap();
        } else {
            drop(bed);
        }
        tasks_are_back_to(before).await;
        assert!(!folder.exists());
    }
}

#[tokio::test]
async fn the_memory_of_writes_and_the_audit_lie_where_the_config_says_and_are_free_for_the_next_mapper() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, audit) = (folder.path().join("spool"), folder.path().join("log/audit.log"));
    for _ in 0..2 {
        let bed = TestBed::builder(Meter::new(), PROTOCOL).config(|config| {
            config.spool.dir.clone_from(&spool);
            config.writes.audit.path.clone_from(&audit);
        });
        let bed = bed.start().await;
        assert!(spool.join("writes.memory").is_file() && audit.is_file());
        let stats = bed.handle().stats();
        assert_eq!((stats.memory().failed(), stats.memory().damaged(), stats.audit().failed()), (0, 0, 0));
        bed.stop().await.unwrap();
    }
}
