//! What the other tests rely on: processes end with their test, and their lines are found.

use std::{path::PathBuf, time::Duration};

use integration_tests::ChildGuard;
use tokio::process::Command;

fn shell(script: &str) -> ChildGuard {
    ChildGuard::spawn(Command::new("sh").args(["-c", script]))
}

/// Prints its process id, then sleeps for longer than any test takes.
async fn sleeper() -> (ChildGuard, PathBuf) {
    let mut child = shell("echo $$; exec sleep 1000");
    let id = child.wait_for_line(|_| true).await;
    (child, PathBuf::from(format!("/proc/{id}")))
}

/// Waits until the process is gone or at least dead: its parent may not have looked at it yet.
async fn dies(process: PathBuf) {
    let dead = |status: String| status.lines().any(|line| line.starts_with("State:") && line.contains('Z'));
    while !tokio::fs::read_to_string(process.join("status")).await.map_or(true, dead) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn fails(task: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(task).await.expect_err("the task panics").into_panic();
    *panic.downcast().expect("the panic has a formatted message")
}

#[tokio::test]
async fn a_process_dies_with_its_guard() {
    let (child, process) = sleeper().await;
    assert!(process.exists());
    drop(child);
    tokio::time::timeout(integration_tests::DEADLINE, dies(process)).await.expect("the process dies");
}

#[tokio::test]
async fn a_process_dies_when_its_test_panics() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let message = fails(async {
        let (_child, process) = sleeper().await;
        send.send(process.clone()).expect("the test waits");
        panic!("a test fails over {}", process.display());
    })
    .await;
    let process = receive.await.expect("sent");
    assert_eq!(message, format!("a test fails over {}", process.display()));
    tokio::time::timeout(integration_tests::DEADLINE, dies(process)).await.expect("the process dies");
}

#[tokio::test]
async fn lines_of_both_streams_are_found_in_whatever_order_they_are_asked_for() {
    let mut child = shell("echo one; echo two >&2; echo three");
    for line in ["three", "two", "one"] {
        assert_eq!(child.wait_for_line(|printed| printed == line).await, line);
    }
}

#[tokio::test]
async fn a_line_is_returned_once() {
    let mut child = shell("echo value 1; echo other; echo value 2");
    let is_value = |line: &str| line.starts_with("value");
    assert_eq!(child.wait_for_line(is_value).await, "value 1");
    assert_eq!(child.wait_for_line(is_value).await, "value 2");
}

#[tokio::test]
async fn forgotten_lines_are_passed_over_and_kept_for_messages() {
    let folder = tempfile::tempdir().expect("a folder");
    let go = folder.path().join("go");
    let mut child = shell(&format!("echo value 1; while ! [ -e {} ]; do sleep 0.01; done; echo value 2", go.display()));
    child.wait_for_line(|line| line == "value 1").await;
    child.forget_lines();
    std::fs::write(go, "").expect("written");
    assert_eq!(child.wait_for_line(|line| line.starts_with("value")).await, "value 2");
    assert_eq!(child.lines(), ["value 1", "value 2"]);
}

#[tokio::test]
async fn an_unfinished_last_line_and_bytes_that_are_no_text_are_lines_too() {
    let mut child = shell(r"printf 'a\377b\r\nlast'");
    assert!(child.exit().await.success());
    assert_eq!(child.lines(), ["a\u{fffd}b", "last"]);
}

#[tokio::test]
async fn output_that_ends_without_the_awaited_line_fails_at_once_with_all_of_it() {
    let message = fails(async {
        shell("echo one; echo two >&2; echo two").wait_for_line(|line| line == "three").await;
    })
    .await;
    assert!(message.starts_with("tests/tests/child_guard.rs:"), "{message}");
    assert!(message.contains("the output ended without the awaited line"), "{message}");
    assert!(message.contains("\n  one") && message.contains("\n  two"), "{message}");
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_named() {
    let message = fails(async { drop(ChildGuard::spawn(&mut Command::new("/no/such/program"))) }).await;
    assert!(message.starts_with(r#""/no/such/program" cannot be started"#), "{message}");
}

#[tokio::test]
async fn a_terminated_process_ends_in_its_own_way() {
    let mut child = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    child.wait_for_line(|line| line == "ready").await;
    child.terminate().await;
    assert_eq!(child.exit().await.code(), Some(7));
    assert_eq!(child.lines(), ["ready", "bye"]);
}

#[tokio::test]
async fn a_killed_process_is_gone() {
    let (mut child, process) = sleeper().await;
    child.kill().await;
    assert!(!process.exists());
}

#[tokio::test]
async fn lines_are_followed_to_the_end() {
    let mut child = shell("echo one; sleep 0.05; echo two; echo three");
    let mut lines = Vec::new();
    loop {
        let more = child.lines_after(lines.len()).await;
        if more.is_empty() {
            break;
        }
        lines.extend(more);
    }
    assert_eq!(lines, ["one", "two", "three"]);
}
