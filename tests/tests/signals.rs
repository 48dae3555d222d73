//! What the process of a mapper does when a signal asks it to end.

use std::time::{Duration, Instant};

use integration_tests::{ChildGuard, free_port};
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any test: a mapper that waits for so long is seen as one that does not end.
const FOREVER: &str = "1h";

/// A stubborn mapper in the middle of a read that has as much time as it likes, with a device of this habit and so much grace, and the
/// folder it takes the device from.
async fn reading(habit: &str, grace: &str, flags: &[&str]) -> (ChildGuard, TempDir) {
    let devices = folder(habit, "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stubborn-mapper"));
    command.arg("--standalone").arg(devices.path()).args(flags);
    command.env("MAPPER_DRIVER__CALL_TIMEOUT", FOREVER).env("MAPPER_SHUTDOWN__GRACE", grace);
    let mut mapper = ChildGuard::spawn(&mut command);
    mapper.wait_for_line(|line| line == "reading").await;
    (mapper, devices)
}

/// A folder with a device of this habit, whose property has these fields as well.
fn folder(habit: &str, fields: &str) -> TempDir {
    let devices = tempfile::tempdir().expect("a folder");
    let manifests = format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: stubborn}}\n\
         spec: {{protocol: stubborn, properties: [{{name: value, type: INT, accessMode: ReadOnly}}]}}\n---\n\
         apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: d}}\n\
         spec:\n  deviceModelRef: {{name: stubborn}}\n  \
         protocol: {{protocolName: stubborn, configData: {{habit: {habit}}}}}\n  \
         stateReport: {{reportToCloud: true, reportCycle: 1000}}\n  \
         properties: [{{name: value, reportToCloud: true{fields}}}]\n"
    );
    std::fs::write(devices.path().join("device.yaml"), manifests).expect("the folder is ours");
    devices
}

#[tokio::test]
async fn sigterm_in_the_middle_of_a_read_closes_the_session_and_ends_with_success() {
    let (mut mapper, _devices) = reading("waits", FOREVER, &[]).await;
    mapper.terminate().await;
    mapper.wait_for_line(|line| line == "closing").await;
    assert_eq!(mapper.exit().await.code(), Some(0));
    assert!(mapper.lines().iter().any(|line| line.contains("offline")), "{:?}", mapper.lines());
}

#[tokio::test]
async fn a_blocked_thread_does_not_keep_the_process() {
    let (mut mapper, _devices) = reading("blocks", FOREVER, &[]).await;
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_session_that_does_not_close_costs_half_of_the_grace() {
    let (mut mapper, _devices) = reading("not-close", "10s", &[]).await;
    let began = Instant::now();
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    // There was time left for this.
    assert!(mapper.lines().iter().any(|line| line.contains("offline")), "{:?}", mapper.lines());
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let (mut mapper, _devices) = reading("not-close", FOREVER, &[]).await;
    mapper.terminate().await;
    mapper.wait_for_line(|line| line == "closing").await;
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(130));
}

#[tokio::test]
async fn a_mapper_that_runs_for_a_time_ends_with_success() {
    let (mut mapper, _devices) = reading("waits", FOREVER, &["--run-for", "2s"]).await;
    mapper.wait_for_line(|line| line == "closing").await;
    assert_eq!(mapper.exit().await.code(), Some(0));
}

#[tokio::test]
async fn sighup_and_sigquit_report_the_devices_and_leave_the_samples_in_a_closed_spool() {
    let fields = format!(
        ", collectCycle: 100, reportCycle: 100, \
         pushMethod: {{http: {{hostName: 127.0.0.1, port: {}, requestPath: /, timeout: 1000}}}}",
        free_port()
    );
    let (devices, spool) = (folder("answers", &fields), tempfile::tempdir().expect("a folder"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_stubborn-mapper"));
    command.arg("--standalone").arg(devices.path()).env("MAPPER_SPOOL__DIR", spool.path());
    for signal in ["HUP", "QUIT", "TERM"] {
        let mut mapper = ChildGuard::spawn(&mut command);
        if signal != "HUP" {
            mapper.wait_for_line(|line| line.contains("records of an earlier run wait in the spool")).await;
        }
        mapper.wait_for_line(|line| line.contains("connected device=default/d")).await;
        mapper.wait_for_line(|line| line.contains("cannot write to the sink")).await;
        mapper.signal(signal).await;
        mapper.wait_for_line(|line| line == "closing").await;
        assert_eq!(mapper.exit().await.code(), Some(0), "SIG{signal}");
        let lines = mapper.lines();
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        assert!(
            has("offline") && !has("the spool was not closed at the end of the last run"),
            "SIG{signal}: {lines:?}"
        );
    }
}

/// A search that has found a device, and does what `then` says.
fn searching(then: &str, flags: &[&str]) -> ChildGuard {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stubborn-mapper"));
    ChildGuard::spawn(command.args(["discover", then]).args(flags))
}

/// Whether the device that was found was printed.
fn has_printed(mapper: &ChildGuard) -> bool {
    mapper.lines().iter().any(|line| line == "  name: one-that-answers")
}

#[tokio::test]
async fn the_end_of_a_search_prints_what_was_found() {
    for (then, flags) in [("then=waits", [].as_slice()), ("then=blocks", &[]), ("then=waits", &["--run-for", "100ms"])]
    {
        let mut mapper = searching(then, flags);
        mapper.wait_for_line(|line| line == "found one").await;
        if flags.is_empty() {
            mapper.signal("INT").await;
        }
        mapper.wait_for_line(|line| line == "found: 1 device, 1 model").await;
        assert_eq!(mapper.exit().await.code(), Some(0), "{then}");
        assert!(has_printed(&mapper), "{:?}", mapper.lines());
    }
}

#[tokio::test]
async fn a_search_that_fails_prints_what_was_found_before() {
    for (then, error) in [
        ("then=fails", "error: discover: the cable is cut"),
        ("then=panics", "error: discover: the driver panicked: no idea"),
    ] {
        let mut mapper = searching(then, &[]);
        mapper.wait_for_line(|line| line == error).await;
        assert_eq!(mapper.exit().await.code(), Some(1), "{then}");
        assert!(has_printed(&mapper), "{:?}", mapper.lines());
    }
}
