//! The search for what a server holds, by the program.

use std::{fs, path::Path};

use integration_tests::ChildGuard;
use tokio::process::Command;

use crate::{
    Outcome,
    server::{Make, NAMESPACE, Server},
};

against_each!(
    what_is_found_below_a_node_is_a_manifest_that_passes_the_strict_check,
    a_search_has_the_login_and_the_protection_that_a_device_has,
);

async fn what_is_found_below_a_node_is_a_manifest_that_passes_the_strict_check(make: Make) -> Outcome {
    let Some(server) = Server::start(make, &[]).await? else { return Ok(()) };
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

async fn a_search_has_the_login_and_the_protection_that_a_device_has(make: Make) -> Outcome {
    let folder = tempfile::tempdir()?;
    let (own, login) = (folder.path().join("server"), folder.path().join("credentials/boiler"));
    fs::create_dir(&own)?;
    fs::create_dir_all(&login)?;
    fs::write(login.join("username"), "mapper")?;
    fs::write(login.join("password"), "hunter2")?;
    let settings = "settings: {pki: pki, trust_new: true}";
    fs::write(folder.path().join("config.yaml"), format!("driver:\n  credentials: credentials\n  {settings}\n"))?;
    let own = own.to_str().ok_or("it is text")?;
    let Some(server) = Server::start(make, &["--user", "mapper=hunter2", "--pki", own]).await? else { return Ok(()) };
    let (url, node) = (format!("url={}", server.url()), format!("nodeID=nsu={NAMESPACE};s=Boiler"));
    let arguments = ["discover", "--config-file", "config.yaml", &url, &node, "timeout=10000"];
    let error = run(folder.path(), &arguments).await.err().ok_or("there is no such endpoint")?.to_string();
    assert!(error.contains("correct securityPolicy and securityMode"), "{error}");
    let protected = [&arguments[..], &["securityPolicy=Basic256Sha256", "credentials=boiler"]].concat();
    let found = run(folder.path(), &protected).await?;
    for part in [
        "securityPolicy: Basic256Sha256",
        "credentials: boiler",
        "description: \"What it shall be\"",
        "minimum: \"30\"",
        "maximum: \"80\"",
        "unit: \"°C\"",
        "- name: Fill",
    ] {
        assert!(found.contains(part), "{part} is missing in {found}");
    }
    assert!(!found.contains("hunter") && !found.contains("description: \"Boiler"), "{found}");
    fs::write(folder.path().join("found.yaml"), found)?;
    let checked = run(folder.path(), &["check", "--config-file", "config.yaml", "--strict", "found.yaml"]).await?;
    assert!(checked.contains("nothing to complain about"), "{checked}");
    Ok(())
}

#[tokio::test]
async fn a_node_that_cannot_be_browsed_costs_nothing_else_and_what_was_found_is_printed_when_the_user_has_enough()
-> Outcome {
    let Some(mut server) = Server::start(Make::Asyncua, &[]).await? else { return Ok(()) };
    let probe = server.probe().await?;
    probe.obey("hide Types").await?;
    let folder = tempfile::tempdir()?;
    let (url, timeout) = (format!("url={}", server.url()), "timeout=10000");
    let found = run(folder.path(), &["discover", &url, timeout]).await?;
    assert!(found.contains("name: Boiler_Boiler_Setpoint") && !found.contains("Types_"), "{found}");
    let error = run(folder.path(), &["discover", &url, timeout, &format!("nodeID=nsu={NAMESPACE};s=Types")]).await;
    assert!(error.is_err_and(|error| error.to_string().contains("BadUserAccessDenied")));
    // What lies below `Types` comes first.
    probe.obey("show Types").await?;
    probe.obey("halt Boiler").await?;
    let mut search = ChildGuard::spawn(&mut program(folder.path(), &["discover", &url, timeout]));
    server.says("halts").await;
    search.signal("INT").await;
    let status = search.exit().await;
    let printed = search.lines().join("\n");
    assert!(status.success() && printed.contains("name: Types_Matrix") && !printed.contains("Boiler_"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn more_nodes_below_one_than_fit_into_one_message_are_found() -> Outcome {
    let Some(server) = Server::start(Make::Asyncua, &[]).await? else { return Ok(()) };
    server.probe().await?.obey("many 1500").await?;
    let folder = tempfile::tempdir()?;
    let (url, node) = (format!("url={}", server.url()), format!("nodeID=nsu={NAMESPACE};s=Many"));
    let found = run(folder.path(), &["discover", &url, &node, "timeout=10000", "most=2000"]).await?;
    assert_eq!(found.matches(&format!("nsu={NAMESPACE};s=Many.")).count(), 1500);
    Ok(())
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opcua"));
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the program, and returns what it prints.
async fn run(folder: &Path, arguments: &[&str]) -> Outcome<String> {
    let output = program(folder, arguments).output().await?;
    let printed = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{arguments:?}: {complaint} {printed}").into());
    }
    Ok(format!("{printed}{}", if arguments[0] == "check" { complaint } else { "".into() }))
}
