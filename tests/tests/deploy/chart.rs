//! The chart, rendered by Helm's own engine.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, DirEntry},
    io,
    path::Path,
};

use anyhow::Result;
use integration_tests::cargo::root;
use serde_json::{Value as Json, json};

use crate::{
    Check,
    files::{Files, all_values, values},
    one, pod, refusal,
};

fn names(documents: &[Json]) -> Vec<String> {
    let name = |document: &Json| format!("{} {}", document["kind"], document["metadata"]["name"]).replace('"', "");
    documents.iter().map(name).collect()
}

#[test]
fn the_chart_renders_what_kubernetes_and_kubeedge_take_whatever_the_values() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    for values in all_values()? {
        assert!(!check.chart(&files.chart(), Some(&values))?.is_empty(), "{}", values.display());
    }
    assert_eq!(names(&check.chart(&files.chart(), None)?), ["ConfigMap scale-mapper", "DaemonSet scale-mapper"]);
    let everything = check.chart(&files.chart(), Some(&values("everything.yaml")))?;
    let expected = [
        "ConfigMap plant-mapper",
        "DeviceModel boiler",
        "Device boiler-1",
        "Secret plant-mapper-http",
        "ServiceAccount plant-mapper",
        "Deployment plant-mapper-hall-1",
    ];
    assert_eq!(names(&everything), expected);
    Ok(())
}

/// The files of a folder that has no other folder in it.
fn contents(folder: &Path) -> Result<BTreeMap<OsString, Vec<u8>>> {
    let file = |entry: io::Result<DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name(), fs::read(entry.path())?))
    };
    fs::read_dir(folder)?.map(file).collect()
}

#[test]
fn the_chart_s_own_templates_are_left_as_they_are() -> Result<()> {
    let generated = contents(&Files::generate()?.path("deploy/chart/templates"))?;
    let templates = contents(&root().join("mapper-template/deploy/chart/templates"))?;
    assert!(templates.contains_key(OsStr::new("workload.yaml")), "the templates have gone astray");
    assert_eq!(generated, templates);
    Ok(())
}

#[test]
fn each_deployment_is_bound_to_its_node_and_replaced_there() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let documents = check.chart(&files.chart(), Some(&values("deployment.yaml")))?;
    let deployments: Vec<_> = documents.iter().filter(|document| document["kind"] == "Deployment").collect();
    let nodes: Vec<_> = deployments.iter().map(|it| &pod::spec(it)["nodeSelector"]["kubernetes.io/hostname"]).collect();
    assert_eq!(nodes, ["hall-1", "hall-2"]);
    assert_ne!(deployments[0]["spec"]["selector"], deployments[1]["spec"]["selector"]);
    for deployment in deployments {
        assert_eq!(deployment["spec"]["strategy"], json!({"type": "Recreate"}));
        assert_eq!(pod::spec(deployment)["nodeSelector"]["node-role.kubernetes.io/edge"], "");
    }
    Ok(())
}

#[test]
fn a_device_is_mounted_at_its_own_path_in_a_container_that_may_open_it() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let documents = check.chart(&files.chart(), Some(&values("devices.yaml")))?;
    let workload = one(&documents, "DaemonSet");
    for (volume, path) in [("device-0", "/dev/ttyUSB0"), ("device-1", "/dev/video0")] {
        assert_eq!(pod::mount(workload, volume), Some(path));
        assert_eq!(pod::volume(workload, volume)["hostPath"], json!({"path": path, "type": "CharDevice"}));
    }
    assert_eq!(pod::container(workload)["securityContext"]["privileged"], true);
    let without = check.chart(&files.chart(), None)?;
    assert_eq!(pod::container(one(&without, "DaemonSet"))["securityContext"].get("privileged"), None);
    Ok(())
}

#[test]
fn a_secret_that_exists_is_mounted_and_one_that_is_given_is_made() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let documents = check.chart(&files.chart(), Some(&values("credentials.yaml")))?;
    let workload = one(&documents, "DaemonSet");
    let secret = |kind: &str| &pod::volume(workload, &format!("credentials-{kind}"))["secret"]["secretName"];
    assert_eq!(secret("redis"), "plant-redis");
    assert_eq!(secret("influxdb2"), &one(&documents, "Secret")["metadata"]["name"]);
    assert_eq!(one(&documents, "Secret")["stringData"], json!({"token": "not-a-real-one"}));
    Ok(())
}

#[test]
fn the_secrets_of_devices_are_mounted_by_their_names() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let values =
        "deviceCredentials: {login: {existingSecret: plant}, default.pump: {data: {password: not-a-real-one}}}";
    let documents = check.chart(&files.chart(), Some(&files.values(values)?))?;
    let workload = one(&documents, "DaemonSet");
    let secret = one(&documents, "Secret");
    for (volume, path, name) in [
        ("device-credentials-0", "/etc/mapper/devices/default.pump", &secret["metadata"]["name"]),
        ("device-credentials-1", "/etc/mapper/devices/login", &json!("plant")),
    ] {
        assert_eq!(pod::mount(workload, volume), Some(path));
        assert_eq!(&pod::volume(workload, volume)["secret"]["secretName"], name);
    }
    let config = one(&documents, "ConfigMap")["data"]["config.yaml"].as_str().unwrap_or_default();
    assert!(config.contains("driver:\n  credentials: /etc/mapper/devices\n"), "{config}");
    Ok(())
}

#[test]
fn sections_of_the_mappers_own_are_taken() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let values = "{config: {driver: {settings: {port: 5}}, sinks: {sqlite: {file: /x}}}, credentials: {sqlite: {existingSecret: a}}}";
    let documents = check.chart(&files.chart(), Some(&files.values(values)?))?;
    let config = one(&documents, "ConfigMap")["data"]["config.yaml"].as_str().unwrap_or_default();
    assert!(config.contains("credentials: /etc/mapper/credentials/sqlite\n    file: /x\n"), "{config}");
    Ok(())
}

/// Every key below a section, with the schema's own view of it.
fn assert_known(section: &Json, schema: &Json, path: &str) {
    for (key, value) in section.as_object().into_iter().flatten() {
        // The chart sets this one.
        if path != "/spool" || key != "dir" {
            let known = &schema["properties"][key];
            assert!(!known.is_null(), "values.schema.json does not know {path}/{key}");
            assert_known(value, known, &format!("{path}/{key}"));
        }
    }
}

#[test]
fn the_schema_of_the_values_knows_every_key_of_the_config() -> Result<()> {
    let schema = fs::read(root().join("mapper-template/deploy/chart/values.schema.json"))?;
    let schema: Json = serde_json::from_slice(&schema)?;
    let config = serde_json::to_value(mapper_framework::config::Config::default())?;
    assert_known(&config, &schema["properties"]["config"], "");
    Ok(())
}

#[test]
fn a_changed_config_restarts_the_pods_and_the_same_one_does_not() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let checksum = |yaml: &str| {
        let documents = check.chart(&files.chart(), Some(&files.values(yaml)?))?;
        let annotations = &one(&documents, "DaemonSet")["spec"]["template"]["metadata"]["annotations"];
        anyhow::Ok(annotations["checksum/config"].clone())
    };
    let before = checksum("{}")?;
    assert_eq!(checksum("extraArgs: [--v=4]")?, before);
    assert_ne!(checksum("config: {report: {burst: 10}}")?, before);
    Ok(())
}

#[test]
fn a_wrong_value_is_refused_by_its_key() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    for (yaml, told) in [
        ("knid: DaemonSet", "additional properties 'knid' not allowed"),
        ("kind: Pod", "at '/kind': value must be one of 'DaemonSet', 'Deployment'"),
        ("kind: Deployment", "nodes is empty: name the nodes that get a mapper, or set kind to DaemonSet"),
        ("image: {tga: 1.2.3}", "at '/image': additional properties 'tga' not allowed"),
        ("devices: [ttyUSB0]", "at '/devices/0': 'ttyUSB0' does not match pattern '^/dev/.'"),
        ("devices: /dev/ttyUSB0", "at '/devices': got string, want array"),
        ("credentials: {Kafka: {existingSecret: a}}", "invalid propertyName 'Kafka'"),
        ("deviceCredentials: {../etc: {existingSecret: a}}", "invalid propertyName '../etc'"),
        ("config: {reprot: {burst: 1}}", "at '/config': additional properties 'reprot' not allowed"),
        ("config: {report: {brust: 1}}", "at '/config/report': additional properties 'brust' not allowed"),
        ("config: {sinks: {batch_recods: 1}}", "at '/config/sinks/batch_recods': got number, want object"),
        (
            "config: {sinks: {mqtt: {clientid: a}}}",
            "at '/config/sinks/mqtt': additional properties 'clientid' not allowed",
        ),
        ("config: {spool: {dir: /x}}", "at '/config/spool': additional properties 'dir' not allowed"),
        ("config: {writes: {mode: none}}", "at '/config/writes/mode': value must be one of 'enabled', 'readOnly'"),
        ("config: {writes: {audit: {dir: /x}}}", "at '/config/writes/audit': additional properties 'dir' not allowed"),
        (
            "terminationGracePeriodSeconds: 10",
            "is 10 and config.shutdown.grace 10s: the kubelet would end the mapper before",
        ),
        (
            "{terminationGracePeriodSeconds: 90, config: {shutdown: {grace: 1m 30s}}}",
            "raise terminationGracePeriodSeconds, or lower config.shutdown.grace",
        ),
        ("credentials: {redis: {secret: a}}", "at '/credentials/redis': additional properties 'secret' not allowed"),
        ("config: {common: {protocol: ''}}", "at '/config/common/protocol': minLength"),
        (
            "config: {grpc_server: {socket_path: /etc/kubeedge/scale.sock}}",
            "config.grpc_server.socket_path is in /etc/kubeedge, where edgecore's files are: give it a folder of its own",
        ),
        ("config: {grpc_server: {socket_path: scale.sock}}", "at '/config/grpc_server/socket_path': 'scale.sock' does"),
        ("sockets: {hide: [../root]}", "at '/sockets/hide/0'"),
        ("spool: {type: pvc}", "at '/spool/type': value must be one of 'hostPath', 'emptyDir'"),
        ("manifests: [{kind: Pod, apiVersion: v1, metadata: {}, spec: {}}]", "at '/manifests/0/kind'"),
        ("terminationGracePeriodSeconds: 30s", "at '/terminationGracePeriodSeconds': got string, want integer"),
    ] {
        let error = refusal(check.chart(&files.chart(), Some(&files.values(yaml)?)));
        assert!(error.contains(told), "{yaml}:\n{error}");
    }
    Ok(())
}

#[test]
fn a_mistake_in_the_chart_is_found() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    for (path, from, to, told) in [
        ("_pod.tpl", "automountServiceAccountToken", "automountServiceAcountToken", "unknown field"),
        ("_pod.tpl", "- name: spool\n    mountPath", "- name: spol\n    mountPath", "mounts spol, which is no volume"),
        ("workload.yaml", "  updateStrategy:", "  replicas: 1\n  updateStrategy:", "unknown field \"spec.replicas\""),
        ("configmap.yaml", "\"mapper.fullname\"", "\"mapper.fulname\"", "\"mapper.fulname\""),
    ] {
        let files = Files::generate()?;
        files.edit(&format!("deploy/chart/templates/{path}"), from, to)?;
        let error = refusal(check.chart(&files.chart(), None));
        assert!(error.contains(told), "{path}: {to}:\n{error}");
    }
    Ok(())
}
