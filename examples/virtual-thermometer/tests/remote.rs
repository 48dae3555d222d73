//! The subcommands that ask a running mapper, as a user runs them.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use integration_tests::{ChildGuard, DEADLINE};
use mapper_framework::{local_edge::LocalEdge, model::DeviceId};
use tempfile::TempDir;
use tokio::process::Command;

const DEVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/devices");

/// Starts the program with an environment that says nothing to it.
fn start(arguments: &[&str]) -> ChildGuard {
    let mut command = Command::new(env!("CARGO_BIN_EXE_virtual-thermometer"));
    for (name, _) in std::env::vars_os() {
        if name == "RUST_LOG" || name.to_string_lossy().starts_with("MAPPER_") {
            command.env_remove(name);
        }
    }
    ChildGuard::spawn(command.args(arguments))
}

/// The exit code of a program that ends by itself, and what it printed.
async fn outcome(arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = start(arguments);
    let code = program.exit().await.code();
    (code, program.lines().join("\n"))
}

/// A mapper with an edgecore, on sockets of its own.
struct Node {
    edge: LocalEdge,
    mapper: ChildGuard,
    socket: PathBuf,
    _folder: TempDir,
}

impl Node {
    /// A mapper that runs, while edgecore does not.
    async fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let edge = LocalEdge::builder().without_limiter().start(folder.path()).await.map_err(io::Error::other)?;
        edge.apply_dir(DEVICES).await.map_err(io::Error::other)?;
        edge.stop().await;
        let socket = folder.path().join("mapper.sock");
        let memory = format!("writes.memory={}", folder.path().join("memory").display());
        let spool = format!("spool.dir={}", folder.path().join("spool").display());
        let edgecore = edge.socket().to_str().unwrap_or_default().to_owned();
        let path = socket.to_str().unwrap_or_default();
        let mapper = start(&["--socket-path", path, "--edgecore-sock", &edgecore, "--set", &memory, "--set", &spool]);
        Ok(Self { edge, mapper, socket, _folder: folder })
    }

    /// What the subcommand prints, and its exit code.
    async fn ask(&self, words: &str) -> (Option<i32>, String) {
        let mut arguments: Vec<_> = words.split_whitespace().collect();
        arguments.extend(["--socket-path", self.socket.to_str().expect("the path is text")]);
        outcome(&arguments).await
    }

    /// Asks until the exit code is this one.
    async fn ask_until(&self, words: &str, code: i32) -> String {
        let begin = Instant::now();
        loop {
            let (ended, printed) = self.ask(words).await;
            if ended == Some(code) {
                return printed;
            }
            assert!(begin.elapsed() < DEADLINE, "{words}: {ended:?}: {printed}\n{:?}", self.mapper.lines());
        }
    }
}

#[tokio::test]
async fn a_probe_says_whether_the_mapper_works_and_whether_edgecore_has_it() {
    let mut node = Node::start().await.unwrap();
    assert_eq!(node.ask_until("health --live", 0).await, "ok");
    let socket = node.socket.with_extension("api.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, printed) = node.ask("health").await;
    assert_eq!((code, printed.lines().count()), (Some(1), 1), "{printed}");
    assert!(printed.contains("edgecore has registered the mapper"), "{printed}");
    node.edge.restart().await.unwrap();
    assert_eq!(node.ask_until("health --ready", 0).await, "ok");
    node.mapper.terminate().await;
    // A mapper that stops still answers, and says so.
    node.mapper.exit().await;
    let (code, printed) = node.ask("health --live").await;
    assert!(code == Some(1) && printed.contains("no mapper listens on"), "{code:?}: {printed}");
}

#[tokio::test]
async fn devices_are_shown_written_and_called() {
    let node = Node::start().await.unwrap();
    node.edge.restart().await.unwrap();
    let device = DeviceId::new("default", "thermometer-1");
    node.edge.wait_until(|state| state.twin(&device, "heater").is_some_and(|twin| twin.value() == "true")).await;
    let succeeds = async |words: &str| {
        let (code, printed) = node.ask(words).await;
        assert_eq!(code, Some(0), "{words}: {printed}");
        printed
    };
    let fleet = succeeds("get").await;
    assert!(fleet.starts_with("DEVICE ") && fleet.contains("\ndefault/thermometer-1  "), "{fleet}");
    let shown = succeeds("get thermometer-1").await;
    assert!(shown.contains("methods switch(heater)") && shown.contains("\nheater "), "{shown}");
    assert_eq!(succeeds("get thermometer-1 heater").await, "true");
    let temperature: f64 = succeeds("get thermometer-1 temperature --fresh").await.parse().unwrap();
    assert!((15.0..=30.0).contains(&temperature), "{temperature}");
    assert_eq!(succeeds("set default/thermometer-1 heater false --expires-after 20s").await, "heater = false");
    let json: serde_json::Value =
        serde_json::from_str(&succeeds("get default/thermometer-1 heater --output json").await).unwrap();
    assert_eq!((&json["value"], &json["type"]), (&"false".into(), &"BOOLEAN".into()));
    assert_eq!(succeeds("call thermometer-1 switch heater=true").await, "heater = true");
    for (refused, why) in [
        ("set thermometer-1 temperature 5", "temperature"),
        ("set thermometer-1 heater maybe", "maybe"),
        ("call thermometer-1 swich heater=true", "swich"),
        ("get thermometer-9", "there is no device default/thermometer-9"),
        ("history thermometer-1", "history"),
    ] {
        let (code, printed) = node.ask(refused).await;
        assert!(code == Some(1) && printed.starts_with("error: ") && printed.contains(why), "{refused}: {printed}");
    }
}

#[tokio::test]
async fn what_holds_values_up_is_explained_by_the_exit_code_too() {
    let node = Node::start().await.unwrap();
    node.edge.restart().await.unwrap();
    let printed = node.ask_until("explain thermometer-1 temperature", 0).await;
    assert!(printed.starts_with("default/thermometer-1 temperature: nothing is held up\n"), "{printed}");
    assert!(printed.contains("\n✓ session "), "{printed}");
    let status = node.ask("status").await.1;
    assert!(status.starts_with("virtual-thermometer ") && status.contains("\n  edgecore  connected"), "{status}");
    node.edge.stop().await;
    let printed = node.ask_until("explain thermometer-1 temperature", 1).await;
    assert!(printed.contains("held up by: ") && printed.contains("\n✗ ") && printed.contains("cure: "), "{printed}");
    let (code, json) = node.ask("status --output json").await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["mapper"]["devices"]["total"].as_u64()), (Some(0), Some(1)));
    assert!(!json["problems"].as_array().unwrap().is_empty(), "{json}");
}

#[tokio::test]
async fn events_are_printed_until_a_signal_comes() {
    let node = Node::start().await.unwrap();
    node.edge.restart().await.unwrap();
    node.ask_until("health", 0).await;
    let socket = node.socket.to_str().unwrap();
    let mut events = start(&["events", "thermometer-1", "--kinds", "sample", "--socket-path", socket]);
    events.wait_for_line(|line| line.contains(" sample   default/thermometer-1 temperature = ")).await;
    events.terminate().await;
    assert_eq!(events.exit().await.code(), Some(0));
    let (code, printed) = node.ask("events --kinds nonsense").await;
    assert!(code == Some(1) && printed.contains("nonsense"), "{printed}");
}

#[tokio::test]
async fn a_standalone_mapper_is_asked_by_its_server_and_written_to_with_a_token_only() {
    let mut mapper = start(&["--standalone", DEVICES]);
    let line = mapper.wait_for_line(|line| line.starts_with("The page of this mapper: ")).await;
    let url = line.rsplit(' ').next().unwrap();
    mapper.wait_for_line(|line| line.starts_with("state default/thermometer-1 = online")).await;
    let (code, printed) = outcome(&["get", "thermometer-1", "heater", "--url", url]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "true"));
    let (code, printed) = outcome(&["set", "thermometer-1", "heater", "false", "--url", url]).await;
    assert!(code == Some(1) && printed.contains("token"), "{printed}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_an_error_with_its_cure() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("mapper.sock");
    let nowhere = nowhere.to_str().unwrap();
    for (arguments, code, reason) in [
        (vec!["status", "--socket-path", nowhere], 1, "no mapper listens on "),
        (vec!["--socket-path", nowhere, "health"], 1, "mapper.api.sock"),
        (vec!["status", "--url", "https://127.0.0.1"], 2, "has no TLS"),
        (vec!["status", "--url", "http://127.0.0.1:1"], 1, "no mapper listens on http://127.0.0.1:1"),
        (vec!["get", "a/b/c"], 2, "write NAMESPACE/NAME"),
        (vec!["top", "--socket-path", nowhere], 2, "needs a terminal"),
        (vec!["man", "chek"], 2, "there is no subcommand \"chek\""),
    ] {
        let (ended, printed) = outcome(&arguments).await;
        assert!(ended == Some(code) && printed.contains(reason), "{arguments:?}: {ended:?}: {printed}");
    }
    assert!(!Path::new(nowhere).exists());
}

#[tokio::test]
async fn completions_and_manual_are_printed() {
    let (code, script) = outcome(&["completions", "bash"]).await;
    assert!(code == Some(0) && script.contains("virtual-thermometer") && script.contains("explain"), "{script}");
    let (code, page) = outcome(&["man", "explain"]).await;
    assert!(code == Some(0) && page.contains("stage by stage"), "{page}");
}
