//! What the pods give the mapper, read by the mapper.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};
use mapper_framework::config::{Config, Sources};
use serde_json::Value as Json;

use crate::{
    Check,
    files::{Files, all_values},
    one, pod,
};

/// A workload with the text of its config file.
struct Deployed {
    workload: Json,
    config: String,
}

impl Deployed {
    /// Variables with the values that stand in the manifest.
    fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = pod::list(&pod::container(&self.workload)["env"]);
        variables.filter_map(|variable| Some((variable["name"].as_str()?, variable["value"].as_str()?)))
    }

    /// The words after the program's name.
    fn words(&self) -> impl Iterator<Item = &str> {
        let container = pod::container(&self.workload);
        let words = pod::list(&container["command"]).skip(1).chain(pod::list(&container["args"]));
        words.filter_map(Json::as_str)
    }
}

/// Everything that is deployed by the chart with each file of values, by the plain manifests and for each node group.
fn all(check: &Check, files: &Files) -> Result<Vec<Deployed>> {
    let mut found = Vec::new();
    for values in all_values()? {
        found.extend(deployed(check.chart(&files.chart(), Some(&values))?)?);
    }
    found.extend(deployed(check.manifests(&[files.path("deploy/manifests/mapper.yaml")])?)?);
    let documents = check.manifests(&[files.path("deploy/edgeapplication.yaml")])?;
    let application = one(&documents, "EdgeApplication");
    let within = pod::list(&application["spec"]["workloadTemplate"]["manifests"]).cloned();
    found.extend(deployed(within.chain(pod::of_groups(application)).collect())?);
    Ok(found)
}

fn deployed(documents: Vec<Json>) -> Result<Vec<Deployed>> {
    let config = one(&documents, "ConfigMap")["data"]["config.yaml"].as_str().context("a config.yaml")?.to_owned();
    let workloads = documents.into_iter().filter(|it| it["kind"] == "DaemonSet" || it["kind"] == "Deployment");
    Ok(workloads.map(|workload| Deployed { workload, config: config.clone() }).collect())
}

#[test]
fn every_config_and_variable_is_one_that_the_mapper_knows() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    for deployed in all(&check, &files)? {
        let sources = Sources::new(Config::default()).contents("config.yaml", &deployed.config);
        let (_, warnings) = Config::load(sources.env(deployed.variables()))?;
        assert!(warnings.is_empty(), "{}:\n{warnings:?}", deployed.config);
    }
    Ok(())
}

#[test]
fn every_place_in_a_config_is_mounted_and_the_pod_gives_it_time_to_stop() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    for Deployed { workload, config } in all(&check, &files)? {
        let (config, _) = Config::load(Sources::new(Config::default()).contents("config.yaml", config))?;
        for (name, socket) in [("socket", &config.grpc_server.socket_path), ("edgecore", &config.common.edgecore_sock)]
        {
            let folder = socket.parent();
            assert_eq!(pod::mount(&workload, name).map(Path::new), folder);
            assert_eq!(pod::volume(&workload, name)["hostPath"]["path"].as_str().map(Path::new), folder);
        }
        assert_eq!(pod::mount(&workload, "spool").map(Path::new), Some(config.spool.dir.as_path()));
        let credentials = pod::mount(&workload, "credentials-redis").unwrap_or_default();
        assert_eq!(config.sinks.redis.credentials, Path::new(credentials));
        let grace = pod::spec(&workload)["terminationGracePeriodSeconds"].as_u64().map(Duration::from_secs);
        assert!(grace > Some(config.shutdown.grace), "{grace:?}");
    }
    Ok(())
}

#[test]
fn what_is_edgecores_is_read_only_and_its_keys_and_config_are_hidden() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    for Deployed { workload, .. } in all(&check, &files)? {
        let edgecore = Path::new(pod::mount(&workload, "edgecore").context("edgecore's folder is mounted")?);
        let within = pod::list(&pod::container(&workload)["volumeMounts"])
            .filter(|mount| mount["mountPath"].as_str().is_some_and(|path| Path::new(path).starts_with(edgecore)));
        let mut hidden = Vec::new();
        for mount in within {
            assert_eq!(mount["readOnly"], true, "{mount}");
            if mount["name"] != "edgecore" {
                assert!(
                    pod::volume(&workload, "hidden")["emptyDir"].is_object() && mount["name"] == "hidden",
                    "{mount}"
                );
                hidden.extend(mount["mountPath"].as_str());
            }
        }
        match edgecore.to_str() {
            Some("/etc/kubeedge") => assert_eq!(hidden, ["/etc/kubeedge/certs", "/etc/kubeedge/config"]),
            _ => assert!(hidden.is_empty(), "{hidden:?}"),
        }
        assert_eq!(pod::volume(&workload, "socket")["hostPath"]["type"], "DirectoryOrCreate");
        assert_eq!(pod::volume(&workload, "edgecore")["hostPath"]["type"], "Directory");
    }
    Ok(())
}

#[test]
fn every_flag_is_one_that_the_mapper_knows() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    // A mapper that is asked for its version says it, unless something before it is wrong.
    let takes = |words: &mut dyn Iterator<Item = &str>| {
        let asked = Command::new(env!("CARGO_BIN_EXE_stubborn-mapper")).args(words).arg("--version").output();
        anyhow::Ok(asked?.status.success())
    };
    assert!(!takes(&mut ["--no-such-flag"].into_iter())?);
    for deployed in all(&check, &files)? {
        assert!(takes(&mut deployed.words())?, "{:?}", deployed.words().collect::<Vec<_>>());
        let file = deployed.words().find_map(|word| word.strip_prefix("--config-file=")).map(Path::new);
        assert_eq!(file.and_then(Path::parent), pod::mount(&deployed.workload, "config").map(Path::new));
    }
    Ok(())
}
