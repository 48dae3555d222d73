//! What the audit promises, rule by rule.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::*;

/// A folder with an audit.
struct Place {
    folder: TempDir,
    telemetry: Telemetry,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), telemetry: Telemetry::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log/audit.log")
    }

    async fn open(&self, max_bytes: u64, files: u32) -> AuditFile {
        let config = AuditConfig { path: self.path(), max_bytes, files };
        AuditFile::open(&config, self.telemetry.clone()).await
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().with_file_name(name)).unwrap()
    }

    /// The new values in a file, line by line.
    fn values(&self, name: &str) -> Vec<String> {
        let lines = self.text(name);
        lines
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["new"].as_str().unwrap().to_owned())
            .collect()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "audit.log.lock").collect();
        names.sort();
        names
    }

    /// How many lines were lost, how often the file failed, and how many gaps there are.
    fn counts(&self) -> (u64, u64, u64) {
        let stats = self.telemetry.stats().audit();
        (stats.lines_lost(), stats.failed(), stats.gaps())
    }
}

fn line(new: &str) -> AuditLine {
    let device = DeviceId::new("plant", "boiler");
    let line = AuditLine::new(&device, "target", new.to_owned(), "desired", AuditResult::Written);
    AuditLine { time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_042), ..line }
}

async fn record(audit: &AuditFile, values: impl IntoIterator<Item = u32>) {
    for value in values {
        audit.record(&line(&value.to_string()));
        audit.close().await;
    }
}

#[tokio::test]
async fn a_write_is_one_line_of_json() {
    let place = Place::new();
    let audit = place.open(1 << 20, 5).await;
    audit.record(&line("21.5"));
    let all = AuditLine {
        method: Some("reset\n".to_owned()),
        old: Some("20".to_owned()),
        origin: "handle".to_owned(),
        result: AuditResult::DryRun,
        reason: Some("writes.dry_run".to_owned()),
        read_back: Some("ü".to_owned()),
        ..line("1")
    };
    audit.record(&all);
    audit.close().await;
    let text = place.text("audit.log");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        "{\"time\":\"2023-11-14T22:13:20.042Z\",\"device\":\"boiler\",\"namespace\":\"plant\",\"property\":\"target\",\
         \"old\":null,\"new\":\"21.5\",\"origin\":\"desired\",\"result\":\"written\",\"reason\":null,\"read_back\":null}"
    );
    let second: Json = serde_json::from_str(lines[1]).unwrap();
    let expected = json!({"time": "2023-11-14T22:13:20.042Z", "device": "boiler", "namespace": "plant", "property": "target",
        "method": "reset\n", "old": "20", "new": "1", "origin": "handle", "result": "dry run",
        "reason": "writes.dry_run", "read_back": "ü"});
    assert_eq!((lines.len(), second), (2, expected));
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[tokio::test]
async fn lines_are_added_to_those_of_an_earlier_run() {
    let place = Place::new();
    record(&place.open(1 << 20, 5).await, 0..2).await;
    record(&place.open(1 << 20, 5).await, 2..4).await;
    assert_eq!(place.values("audit.log"), ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn files_are_rotated_by_size_and_stay_within_their_budget() {
    let place = Place::new();
    let size = text(&line("10")).len() as u64;
    let audit = place.open(3 * size, 3).await;
    record(&audit, 10..13).await;
    assert_eq!(place.names(), ["audit.log"]);
    record(&audit, 13..23).await;
    assert_eq!(place.names(), ["audit.log", "audit.log.1", "audit.log.2"]);
    assert_eq!(place.values("audit.log"), ["22"]);
    assert_eq!(place.values("audit.log.1"), ["19", "20", "21"]);
    assert_eq!(place.values("audit.log.2"), ["16", "17", "18"]);
    drop(audit);
    record(&place.open(3 * size, 2).await, [23]).await;
    assert_eq!(place.names(), ["audit.log", "audit.log.1"], "what is too much for a smaller budget goes");
    record(&place.open(size, 1).await, 24..26).await;
    assert_eq!((place.names(), place.values("audit.log")), (vec!["audit.log".to_owned()], vec!["25".to_owned()]));
}

#[tokio::test]
async fn a_last_line_that_a_crash_has_torn_does_not_cost_the_next_one() {
    let place = Place::new();
    record(&place.open(1 << 20, 5).await, [1]).await;
    let torn = format!("{}{{\"time\":\"20", place.text("audit.log"));
    fs::write(place.path(), torn).unwrap();
    record(&place.open(1 << 20, 5).await, 2..4).await;
    let text = place.text("audit.log");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[1]), (4, "{\"time\":\"20"));
    assert!(lines[2].contains("\"new\":\"2\"") && lines[3].contains("\"new\":\"3\""));
}

#[tokio::test]
async fn a_folder_that_goes_costs_the_lines_until_it_is_back_and_both_are_reported_once() {
    let place = Place::new();
    let audit = place.open(1 << 20, 5).await;
    record(&audit, [1]).await;
    fs::remove_dir_all(place.path().parent().unwrap()).unwrap();
    record(&audit, 2..5).await;
    assert_eq!(place.counts(), (3, 3, 0));
    fs::create_dir(place.path().parent().unwrap()).unwrap();
    record(&audit, 5..7).await;
    assert_eq!(place.values("audit.log"), ["5", "6"]);
    assert_eq!(place.counts(), (3, 3, 1));
}

#[tokio::test]
async fn a_path_that_cannot_be_written_is_reported_at_the_start_and_tried_again() {
    let place = Place::new();
    fs::create_dir_all(place.path()).unwrap();
    let audit = place.open(1 << 20, 5).await;
    assert_eq!(place.counts(), (0, 1, 0));
    record(&audit, [1]).await;
    assert_eq!(place.counts(), (1, 2, 0));
    fs::remove_dir(place.path()).unwrap();
    record(&audit, [2]).await;
    assert_eq!((place.values("audit.log"), place.counts()), (vec!["2".to_owned()], (1, 2, 1)));
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_is_reported() {
    let telemetry = Telemetry::default();
    let config = AuditConfig { path: "/dev/full".into(), max_bytes: 1 << 20, files: 5 };
    let audit = AuditFile::open(&config, telemetry.clone()).await;
    record(&audit, 1..4).await;
    let stats = telemetry.stats().audit();
    assert_eq!((stats.lines_lost(), stats.failed()), (3, 3));
}

#[tokio::test]
async fn lines_that_the_queue_has_no_room_for_are_counted_and_nobody_waits() {
    let place = Place::new();
    let audit = place.open(1 << 30, 5).await;
    // The only thread of this test does not let the writer run before all are recorded.
    for value in 0..QUEUE + 10 {
        audit.record(&line(&value.to_string()));
    }
    assert_eq!(place.counts(), (10, 10, 0));
    audit.close().await;
    let expected: Vec<_> = (0..QUEUE).map(|value| value.to_string()).collect();
    assert_eq!(place.values("audit.log"), expected);
    assert_eq!(place.counts(), (10, 10, 1));
}

#[tokio::test]
async fn a_long_value_is_cut_and_its_size_stays_known() {
    let place = Place::new();
    let audit = place.open(1 << 20, 5).await;
    let long = "ü".repeat(MAX_VALUE);
    audit.record(&AuditLine {
        old: Some("\u{0}".repeat(1 << 20)),
        reason: Some(long.clone()),
        ..line(&format!("x{long}"))
    });
    audit.close().await;
    let value = &place.values("audit.log")[0];
    assert!(value.starts_with("xü") && value.ends_with("ü… (4097 bytes)") && value.len() < MAX_VALUE + 20, "{value}");
    assert!(place.text("audit.log").len() < 65_536);
}

#[tokio::test]
async fn an_audit_that_is_off_takes_lines_and_writes_none() {
    let off = AuditFile::off();
    off.record(&line("1"));
    off.close().await;
    let without_path = AuditFile::open(&AuditConfig::default(), Telemetry::default()).await;
    without_path.record(&line("1"));
    without_path.close().await;
    assert!(without_path.0.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_another_mapper_has_is_left_alone_until_that_has_gone() {
    let place = Place::new();
    let first = place.open(1 << 20, 5).await;
    record(&first, 0..1).await;
    let second = place.open(1 << 20, 5).await;
    record(&second, 1..3).await;
    assert_eq!((place.counts(), place.values("audit.log")), ((2, 3, 0), vec!["0".to_owned()]));
    drop(first);
    while place.counts().2 == 0 {
        record(&second, 3..4).await;
    }
    assert_eq!(place.values("audit.log"), ["0", "3"]);
}
