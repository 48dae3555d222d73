//! The search for what a server holds, by the program.

use std::{fs, path::Path};

use tokio::process::Command;

use crate::{
    Outcome,
    server::{NAMESPACE, Server},
};

#[tokio::test]
async fn what_is_found_below_a_node_is_a_manifest_that_passes_the_strict_check() -> Outcome {
    let Some(server) = Server::start(&[]).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (url, node) = (format!("url={}", server.url()), format!("nodeID=nsu={NAMESPACE};s=Types"));
    let found = run(folder.path(), &["discover", &url, &node, "timeout=10000"]).await?;
    for part in ["name: Matrix", "name: Structure", &format!("nsu={NAMESPACE};s=UInt16"), &server.url()] {
        assert!(found.contains(part), "{part} is missing in {found}");
    }
    assert!(!found.contains("Boiler"), "{found}");
    fs::write(folder.path().join("found.yaml"), found)?;
    let checked = run(folder.path(), &["check", "--strict", "found.yaml"]).await?;
    assert!(checked.contains("nothing to complain about"), "{checked}");
    Ok(())
}

/// Runs the program, and returns what it prints.
async fn run(folder: &Path, arguments: &[&str]) -> Outcome<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opcua"));
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        command.env_remove(name);
    }
    let output = command.output().await?;
    let printed = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint} {printed}");
    Ok(format!("{printed}{}", if arguments[0] == "check" { complaint } else { "".into() }))
}
