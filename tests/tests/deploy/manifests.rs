//! The manifests for those without Helm.

use std::collections::HashSet;

use anyhow::Result;
use mapper_framework::config::{Config, Sources};
use serde_json::Value as Json;

use crate::{Check, files::Files, one, pod, refusal};

/// What only Helm writes, or what Helm alone needs.
const OF_HELM: [&str; 3] = ["helm.sh/chart", "app.kubernetes.io/managed-by", "checksum/config"];

fn without_helm(value: Json) -> Json {
    match value {
        Json::Object(map) => {
            let kept = map.into_iter().filter(|(key, _)| !OF_HELM.contains(&key.as_str()));
            let kept = kept.map(|(key, value)| (key, without_helm(value)));
            Json::Object(kept.filter(|(key, value)| key != "annotations" || *value != serde_json::json!({})).collect())
        }
        Json::Array(items) => items.into_iter().map(without_helm).collect(),
        // The last line of a block has an end in a file, and the quotation marks that a name such as `true` needs.
        Json::String(text) => Json::String(text.trim_end().replace('"', "")),
        value => value,
    }
}

#[test]
fn the_plain_manifests_are_what_the_chart_renders() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let rendered: Vec<_> = check.chart(&files.chart(), None)?.into_iter().map(without_helm).collect();
    let written = check.manifests(&[files.path("deploy/manifests/mapper.yaml")])?;
    assert_eq!(written.into_iter().map(without_helm).collect::<Vec<_>>(), rendered);
    Ok(())
}

#[test]
fn a_name_that_yaml_would_take_for_something_else_stays_a_name() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    for (project, protocol) in [("true", "no"), ("on", "null"), ("null", "True"), ("y", "off")] {
        let files = Files::named(project, protocol)?;
        let written = ["manifests/mapper.yaml", "edgeapplication.yaml", "imageprepulljob.yaml"];
        check.manifests(&written.map(|file| files.path(format!("deploy/{file}"))))?;
        let documents = check.chart(&files.chart(), None)?;
        for documents in [documents, check.manifests(&[files.path("deploy/manifests/mapper.yaml")])?] {
            assert_eq!(one(&documents, "DaemonSet")["metadata"]["name"], project);
            let text = one(&documents, "ConfigMap")["data"]["config.yaml"].as_str().unwrap_or_default();
            let (config, _) = Config::load(Sources::new(Config::default()).contents("config.yaml", text))?;
            assert_eq!((config.common.name.as_str(), config.common.protocol.as_str()), (project, protocol), "{text}");
        }
    }
    Ok(())
}

#[test]
fn the_edge_application_overrides_each_group_that_is_there_in_all_that_can_differ() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let documents = check.manifests(&[files.path("deploy/edgeapplication.yaml")])?;
    let groups: HashSet<_> = documents
        .iter()
        .filter(|document| document["kind"] == "NodeGroup")
        .filter_map(|group| group["metadata"]["name"].as_str())
        .collect();
    let scope = &one(&documents, "EdgeApplication")["spec"]["workloadScope"]["targetNodeGroups"];
    let targets: HashSet<_> = pod::list(scope).filter_map(|target| target["name"].as_str()).collect();
    assert_eq!(targets, groups);
    for overriders in ["envOverriders", "commandOverriders", "argsOverriders", "resourcesOverriders"] {
        assert!(pod::list(scope).any(|target| target["overriders"].get(overriders).is_some()), "{overriders}");
    }
    Ok(())
}

#[test]
fn the_image_that_is_pulled_ahead_is_the_one_that_runs() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let of = |file: &str| check.manifests(&[files.path(file)]);
    let pulled = of("deploy/imageprepulljob.yaml")?;
    let image = &one(&pulled, "ImagePrePullJob")["spec"]["imagePrePullTemplate"]["images"][0];
    let plain = of("deploy/manifests/mapper.yaml")?;
    assert_eq!(&pod::container(one(&plain, "DaemonSet"))["image"], image);
    for deployment in pod::of_groups(one(&of("deploy/edgeapplication.yaml")?, "EdgeApplication")) {
        assert_eq!(&pod::container(&deployment)["image"], image);
    }
    Ok(())
}

#[test]
fn a_mistake_in_a_manifest_is_found() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    for (path, from, to, told) in [
        ("edgeapplication", "operator: replace", "operator: set", "value must be one of 'add', 'remove', 'replace'"),
        ("edgeapplication", "containerName: mapper", "containerName: maper", "overrides maper, which is no container"),
        ("edgeapplication", "envOverriders:", "envOverrider:", "unknown field"),
        ("edgeapplication", "terminationGracePeriodSeconds: 30", "gracePeriod: 30", "unknown field"),
        ("edgeapplication", "kind: Deployment", "kind: DaemonSet", "unknown field \"spec.replicas\""),
        ("imageprepulljob", "concurrency: 5", "concurrency: five", "concurrency"),
        ("imageprepulljob", "kind: ImagePrePullJob", "kind: ImagePullJob", "no kind \"ImagePullJob\" is registered"),
    ] {
        let files = Files::generate()?;
        let path = format!("deploy/{path}.yaml");
        files.edit(&path, from, to)?;
        let error = refusal(check.manifests(&[files.path(&path)]));
        assert!(error.contains(told), "{path}: {to}:\n{error}");
    }
    Ok(())
}
