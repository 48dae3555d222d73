use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value as Json;
use tracing::Level;

use super::{
    edge::EdgeUnreachable,
    reads::ReadFailed,
    reports::{ReportAccepted, ReportLimited},
    sessions::{ConnectFailed, SessionLost},
    sinks::{RecordsDropped, SinkFailed},
    *,
};

fn device(name: &str) -> DeviceId {
    DeviceId::new("", name)
}

fn names(names: &[&'static str]) -> impl Iterator<Item = Arc<str>> {
    names.iter().map(|name| Arc::from(*name))
}

fn failed<'a>(device: &'a DeviceId, property: &'a str) -> ReadFailed<'a> {
    ReadFailed { device, property, error: &"no answer", occurrence: Occurrence::First }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged meanwhile, each line as an object.
fn logged(events: impl FnOnce(&Telemetry)) -> Vec<Json> {
    let buffer = Buffer::default();
    let lines = buffer.clone();
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::DEBUG);
    tracing::subscriber::with_default(
        log.with_writer(move || lines.clone()).finish(),
        || events(&Telemetry::default()),
    );
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_event_is_counted_where_it_is_logged() {
    let (telemetry, id) = (Telemetry::default(), device("a"));
    telemetry.emit(ReportAccepted { device: &id, twins: 10 });
    telemetry.clone().emit(ReportLimited {});
    let stats = telemetry.stats();
    let reports = stats.reports();
    assert_eq!((reports.accepted(), reports.twins_reported(), reports.limited()), (1, 10, 1));
    assert_eq!(stats.to_string(), "reports.accepted=1 reports.limited=1 reports.twins_reported=10");
}

#[test]
fn each_device_and_property_has_its_counters_and_the_whole_has_all() {
    let (telemetry, a, b) = (Telemetry::default(), device("a"), device("b"));
    telemetry.track_device(&a, names(&["x", "y"]));
    telemetry.track_device(&b, names(&["x"]));
    telemetry.emit(failed(&a, "x"));
    telemetry.emit(failed(&a, "y"));
    telemetry.emit(failed(&b, "x"));
    telemetry.count_samples(&a, ["x", "x", "y"].into_iter());
    let stats = telemetry.device_stats(&a).unwrap();
    assert_eq!((stats.reads().failed(), stats.reads().samples()), (2, 3));
    let x = stats.property("x").unwrap();
    assert_eq!((x.reads().failed(), x.reads().samples(), x.writes().failed()), (1, 2, 0));
    assert_eq!(stats.properties().map(|(name, _)| name).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(telemetry.stats().reads().failed(), 3);
}

#[test]
fn counters_go_with_the_device_and_with_the_property_and_nothing_untracked_is_kept() {
    let (telemetry, a, stranger) = (Telemetry::default(), device("a"), device("stranger"));
    telemetry.track_device(&a, names(&["x", "y"]));
    telemetry.emit(failed(&a, "x"));
    telemetry.emit(failed(&a, "y"));
    telemetry.emit(failed(&a, "no such"));
    telemetry.emit(failed(&stranger, "x"));
    assert_eq!(telemetry.device_stats(&stranger), None);
    telemetry.track_device(&a, names(&["x", "z"]));
    let stats = telemetry.device_stats(&a).unwrap();
    assert_eq!(stats.properties().map(|(name, _)| name).collect::<Vec<_>>(), ["x", "z"]);
    assert_eq!((stats.reads().failed(), stats.property("x").unwrap().reads().failed()), (3, 1));
    telemetry.forget_device(&a);
    telemetry.emit(failed(&a, "x"));
    assert_eq!(telemetry.device_stats(&a), None);
    assert_eq!(telemetry.stats().reads().failed(), 5, "nothing is missing in the whole");
}

#[test]
fn each_target_has_its_counters() {
    let telemetry = Telemetry::default();
    telemetry.track_target(&"redis:a");
    for target in ["redis:a", "redis:b"] {
        telemetry.emit(SinkFailed { target: &target, reason: "refused", is_new: false, occurrence: Occurrence::Again });
    }
    assert_eq!(telemetry.target_stats(&"redis:a").unwrap().sinks().attempts_failed(), 1);
    assert_eq!(telemetry.target_stats(&"redis:b"), None);
    assert_eq!(telemetry.stats().sinks().attempts_failed(), 2);
}

#[test]
fn numbers_are_numbers_in_json_and_a_path_is_quoted_once() {
    let lines = logged(|telemetry| {
        let socket = Path::new("/etc/kubeedge/dmi.sock");
        telemetry.emit(EdgeUnreachable { socket, error: &"no such file", occurrence: Occurrence::First });
        let pause = Duration::from_millis(1500);
        let id = device("a");
        telemetry.emit(ConnectFailed { device: &id, error: &"no", attempt: 1, pause, occurrence: Occurrence::First });
        telemetry.emit(RecordsDropped {
            target: &"t",
            records: 7,
            total: 7,
            reason: "no room",
            occurrence: Occurrence::First,
        });
        telemetry.log_stopped();
    });
    assert_eq!(lines[0]["socket"], "/etc/kubeedge/dmi.sock");
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!((&lines[1]["attempt"], &lines[1]["pause_ms"]), (&Json::from(1), &Json::from(1500)));
    assert_eq!(lines[1]["device"], "default/a");
    assert_eq!(lines[2]["records"], 7);
    assert_eq!((&lines[3]["message"], &lines[3]["sinks.records_dropped"]), (&"stopped".into(), &7.into()));
    assert_eq!(lines[3].get("sinks.cut_off"), None, "a counter that has not moved is left out");
}

#[test]
fn what_goes_on_is_counted_and_logged_when_it_begins() {
    let id = device("a");
    let lines = logged(|telemetry| {
        telemetry.emit(failed(&id, "x"));
        for _ in 0..3 {
            telemetry.emit(ReadFailed { occurrence: Occurrence::Again, ..failed(&id, "x") });
        }
        telemetry.emit(SessionLost { device: &id, reason: &"it hung up", occurrence: Occurrence::First });
        assert_eq!(telemetry.stats().reads().failed(), 4);
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["reads fail", "session lost, and will connect again"]);
}
