//! The chart and the image of the example `usb-camera`, read as the template's are.

use std::{fs, path::PathBuf};

use anyhow::Result;
use integration_tests::cargo::root;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{Check, one, pod, refusal};

fn example(path: &str) -> PathBuf {
    root().join("examples/usb-camera").join(path)
}

/// What the chart renders from these values.
fn render(check: &Check, values: &str) -> Result<Vec<Json>> {
    let folder = TempDir::new()?;
    let file = folder.path().join("values.yaml");
    fs::write(&file, values)?;
    check.chart(&example("chart"), Some(&file))
}

fn of_kind<'a>(documents: &'a [Json], kind: &str) -> Vec<&'a Json> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

/// The cameras of the Devices: name, node, file and format.
fn cameras(documents: &[Json]) -> Vec<[&str; 4]> {
    let devices = of_kind(documents, "Device").into_iter();
    devices
        .map(|device| {
            ["/metadata/name", "/spec/nodeName", "/spec/protocol/configData/device", "/spec/protocol/configData/format"]
                .map(|path| device.pointer(path).and_then(Json::as_str).unwrap_or_default())
        })
        .collect()
}

const TWO_NODES: &str = "{cameras: [{node: hall-1, devices: [/dev/video0, {path: /dev/v4l/by-id/usb-A, name: press, format: YUYV}]}, {node: \
                         hall-2, devices: [/dev/video0]}]}";

#[test]
fn each_node_gets_one_mapper_and_each_camera_one_device() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let documents = render(&check, TWO_NODES)?;
    let expected = [
        ["hall-1-video0", "hall-1", "/dev/video0", "MJPG"],
        ["hall-1-press", "hall-1", "/dev/v4l/by-id/usb-A", "YUYV"],
        ["hall-2-video0", "hall-2", "/dev/video0", "MJPG"],
    ];
    assert_eq!(cameras(&documents), expected);
    let deployments = of_kind(&documents, "Deployment");
    let nodes: Vec<_> = deployments.iter().map(|it| &pod::spec(it)["nodeSelector"]["kubernetes.io/hostname"]).collect();
    assert_eq!(nodes, ["hall-1", "hall-2"]);
    assert_eq!(pod::mount(deployments[0], "device-0"), Some("/dev/video0"));
    assert_eq!(pod::mount(deployments[0], "device-1"), Some("/dev/v4l/by-id/usb-A"));
    let file = json!({"path": "/dev/video0", "type": "CharDevice"});
    assert_eq!(pod::volume(deployments[1], "device-0")["hostPath"], file, "and not the whole of /dev");
    assert_eq!(pod::container(deployments[1])["securityContext"]["privileged"], true);
    let model = &one(&documents, "DeviceModel")["metadata"];
    assert!(of_kind(&documents, "Device").iter().all(|it| it["spec"]["deviceModelRef"]["name"] == model["name"]));
    assert!(of_kind(&documents, "Device").iter().all(|it| it["metadata"]["namespace"] == model["namespace"]));
    Ok(())
}

#[test]
fn a_name_is_one_that_kubernetes_takes_whatever_the_file_is_called() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let values = "{cameras: [{node: hall.1, devices: ['/dev/v4l/by-path/pci-0000:00:14.0-usb', '/dev/Cam @ door+~']}]}";
    let documents = render(&check, values)?;
    let names: Vec<_> = cameras(&documents).into_iter().map(|[name, ..]| name).collect();
    assert_eq!(names, ["hall-1-pci-0000-00-14-0-usb", "hall-1-cam---door"]);
    Ok(())
}

#[test]
fn each_camera_records_by_a_method() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let documents = render(&check, TWO_NODES)?;
    for device in of_kind(&documents, "Device") {
        let properties = device["spec"]["properties"].as_array().expect("it has properties");
        let clip = properties.iter().find(|property| property["name"] == "clip").expect("one of them records");
        assert_eq!(clip["visitors"]["configData"], json!({"stream": "file", "recordMode": "onDemand"}));
        let methods = device["spec"]["methods"].as_array().expect("it has methods");
        let names: Vec<_> = methods.iter().map(|method| &method["name"]).collect();
        assert_eq!(names, ["start", "stop", "snapshot", "record"]);
    }
    let model = one(&documents, "DeviceModel")["spec"]["properties"].as_array().expect("it has properties");
    assert!(model.iter().any(|property| property["name"] == "clip"));
    Ok(())
}

#[test]
fn the_values_of_the_v1_16_chart_are_taken_beside_the_others() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let old = "{nodeSelectorAndDevPath: {mapper: [{edgeNode: hall-1, devPath: /dev/video0}, {edgeNode: hall-2, devPath: /dev/video2}]}, replicaCount: \
               0, pushMethod: {mqtt: {address: 'tcp://broker:1883', topic: cameras, qos: 0, retained: false}}}";
    let documents = render(&check, old)?;
    let files: Vec<_> = cameras(&documents).into_iter().map(|[_, node, file, _]| (node, file)).collect();
    assert_eq!(files, [("hall-1", "/dev/video0"), ("hall-2", "/dev/video2")]);
    assert!(of_kind(&documents, "Deployment").iter().all(|it| it["spec"]["replicas"] == 0));
    let properties = of_kind(&documents, "Device")[0]["spec"]["properties"].as_array().expect("it has properties");
    let pushed: Vec<_> = properties.iter().filter(|property| property.get("pushMethod").is_some()).collect();
    assert_eq!(pushed.len(), 1, "frames are pushed, and no twin");
    assert_eq!((&pushed[0]["name"], &pushed[0]["pushMethod"]["mqtt"]["topic"]), (&json!("live"), &json!("cameras")));
    assert_eq!(pushed[0]["visitors"]["configData"], json!({"stream": "frame"}));
    let both = "{cameras: [{node: hall-1, devices: [/dev/video4]}], nodeSelectorAndDevPath: {mapper: [{edgeNode: hall-1, devPath: /dev/video0}]}}";
    let documents = render(&check, both)?;
    assert_eq!(cameras(&documents).len(), 2);
    assert_eq!(pod::mount(one(&documents, "Deployment"), "device-1"), Some("/dev/video0"));
    Ok(())
}

#[test]
fn frames_are_pushed_by_both_protocols_where_both_are_named() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let http = "http: {hostName: 'http://frames', port: 80, requestPath: /frames, timeout: 1000}";
    let both = format!("pushMethod: {{mqtt: {{address: 'tcp://broker:1883', topic: cameras, qos: 0}}, {http}}}");
    let documents = render(&check, &TWO_NODES.replacen('{', &format!("{{{both}, "), 1))?;
    for device in of_kind(&documents, "Device") {
        let properties = device["spec"]["properties"].as_array().expect("it has properties");
        let live = properties.iter().find(|it| it["name"] == "live").expect("its frames are pushed");
        let push = &live["pushMethod"];
        assert_eq!((&push["mqtt"]["topic"], &push["http"]["hostName"]), (&json!("cameras"), &json!("http://frames")));
    }
    Ok(())
}

#[test]
fn no_pod_waits_for_a_camera_that_is_named_by_its_serial_number() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let values = "{cameras: [{node: hall-1, devices: [{serial: '0042', name: press}, /dev/video0]}, {node: hall-2, devices: [{serial: A/1}]}]}";
    let documents = render(&check, values)?;
    let config = |device: &Json| device["spec"]["protocol"]["configData"].clone();
    let configs: Vec<_> = of_kind(&documents, "Device").into_iter().map(config).collect();
    assert_eq!((&configs[0]["serial"], configs[0].get("device")), (&json!("0042"), None));
    assert_eq!((&configs[1]["device"], configs[1].get("serial")), (&json!("/dev/video0"), None));
    let names: Vec<_> = cameras(&documents).into_iter().map(|[name, ..]| name).collect();
    assert_eq!(names, ["hall-1-press", "hall-1-video0", "hall-2-a-1"]);
    let deployments = of_kind(&documents, "Deployment");
    assert_eq!(pod::mount(deployments[0], "device-0"), Some("/dev/video0"), "the other one's file");
    for deployment in &deployments {
        assert_eq!(pod::mount(deployment, "device-1"), None);
        let security = &pod::container(deployment)["securityContext"];
        assert_eq!((&security["privileged"], security.get("allowPrivilegeEscalation")), (&json!(true), None));
    }
    assert_eq!(pod::mount(deployments[1], "device-0"), None);
    let plugged = render(&check, &values.replacen('{', "{devicePlugin: {resource: squat.ai/video}, ", 1))?;
    let container = pod::container(of_kind(&plugged, "Deployment")[0]);
    assert_eq!(container["resources"]["limits"]["squat.ai/video"], "2");
    assert_eq!(container["securityContext"].get("privileged"), None);
    Ok(())
}

#[test]
fn a_device_plugin_serves_the_cameras_to_a_container_that_is_not_privileged() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let values = TWO_NODES.replacen('{', "{devicePlugin: {resource: squat.ai/video}, ", 1);
    let documents = render(&check, &values)?;
    let deployments = of_kind(&documents, "Deployment");
    let counts: Vec<_> =
        deployments.iter().map(|it| &pod::container(it)["resources"]["limits"]["squat.ai/video"]).collect();
    assert_eq!(counts, ["2", "1"]);
    for deployment in deployments {
        assert_eq!(pod::mount(deployment, "device-0"), None);
        let security = &pod::container(deployment)["securityContext"];
        assert_eq!((security.get("privileged"), &security["allowPrivilegeEscalation"]), (None, &json!(false)));
        assert_eq!(pod::container(deployment)["resources"]["limits"]["memory"], "256Mi");
    }
    assert_eq!(cameras(&documents).len(), 3);
    Ok(())
}

#[test]
fn nothing_is_hooked_and_no_secret_is_made() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let values =
        TWO_NODES.replacen('{', "{credentials: {mqtt: {existingSecret: plant}}, httpToken: {existingSecret: web}, ", 1);
    let documents = render(&check, &values)?;
    assert_eq!(of_kind(&documents, "Secret").len(), 0);
    let kinds = documents.iter().filter_map(|document| document["kind"].as_str());
    assert!(
        kinds.clone().all(|kind| ["ConfigMap", "DeviceModel", "Device", "Deployment"].contains(&kind)),
        "{kinds:?}"
    );
    assert!(!documents.iter().any(|document| document.to_string().contains("helm.sh/hook")));
    let deployment = of_kind(&documents, "Deployment")[0];
    assert_eq!(pod::volume(deployment, "credentials-mqtt")["secret"]["secretName"], "plant");
    assert_eq!(pod::volume(deployment, "http-token")["secret"]["secretName"], "web");
    Ok(())
}

#[test]
fn a_wrong_value_of_the_camera_chart_is_refused_by_its_key() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    for (yaml, told) in [
        ("{cameras: [{node: a, devices: []}]}", "at '/cameras/0/devices': minItems"),
        ("{cameras: [{node: a, devices: [video0]}]}", "at '/cameras/0/devices/0'"),
        ("{cameras: [{node: a, devices: [/dev/]}]}", "at '/cameras/0/devices/0'"),
        ("{cameras: [{node: a, devices: [{path: /dev/video0, format: 1196444237}]}]}", "at '/cameras/0/devices/0"),
        ("{cameras: [{node: a, devices: [/dev/video0, /dev/video0]}]}", "/dev/video0 is named twice on its node"),
        (
            "{cameras: [{node: a, devices: [{path: /dev/video0, name: x}, {path: /dev/video1, name: x}]}]}",
            "/dev/video0 of the node a and /dev/video1 of the node a would both have the name a-x",
        ),
        (
            "{cameras: [{node: hall, devices: [{path: /dev/video0, name: 1-a}]}, {node: hall-1, devices: [{path: /dev/video0, name: a}]}]}",
            "would both have the name hall-1-a",
        ),
        ("{cameras: [{node: a, devices: [/dev/video+0, /dev/video~0]}]}", "would both have the name a-video-0"),
        ("{camera: {frameRate: 0.0001}}", "at '/camera/frameRate'"),
        ("{nodeSelectorAndDevPath: {mapper: [{edgeNode: a}]}}", "missing property 'devPath'"),
        ("{replicaCount: 2}", "at '/replicaCount': value must be one of"),
        (
            "{pushMethod: {dbMethod: {influxdb2: {}}}}",
            "pushMethod.dbMethod: a picture has no place in a database; take it out. Frames are pushed by pushMethod.mqtt",
        ),
        ("{pushMethod: {redis: {}}}", "additional properties 'redis' not allowed"),
        (
            "{cameras: [{node: a, devices: [{serial: 42}]}]}",
            "at '/cameras/0/devices/0/serial': got number, want string",
        ),
        (
            "{cameras: [{node: a, devices: [{serial: x, path: /dev/video0}]}]}",
            "'oneOf' failed, subschemas 0, 1 matched",
        ),
        ("{cameras: [{node: a, devices: [{name: x}]}]}", "missing property 'serial'"),
        ("{cameras: [{node: a, devices: [{serial: x}, {serial: x}]}]}", "x is named twice on its node"),
        ("{credentials: {mqtt: {data: {token: a}}}}", "additional properties 'data' not allowed"),
        ("{httpToken: {data: {token: a}}}", "additional properties 'data' not allowed"),
        ("{settings: {Gain: FLOAT}}", "at '/settings/Gain'"),
        ("{config: {common: {protocol: other}}}", "at '/config/common/protocol'"),
    ] {
        let error = refusal(render(&check, yaml));
        assert!(error.contains(told), "{yaml}:\n{error}");
    }
    Ok(())
}

#[test]
fn the_parts_that_are_the_template_s_are_still_the_same() -> Result<()> {
    for name in ["_helpers.tpl", "_pod.tpl", "configmap.yaml", "manifests.yaml", "serviceaccount.yaml"] {
        let template = root().join("mapper-template/deploy/chart/templates").join(name);
        let (ours, theirs) =
            (fs::read_to_string(example("chart/templates").join(name))?, fs::read_to_string(&template)?);
        assert!(ours == theirs, "copy {} to examples/usb-camera/chart/templates", template.display());
    }
    Ok(())
}

#[test]
fn the_image_of_the_cameras_has_ffmpeg_in_a_stage_of_its_own() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let stages = check.dockerfile(&example("Dockerfile"))?;
    let bases: Vec<_> = stages.iter().map(|stage| &stage["base"]).collect();
    assert_eq!(bases, ["rust:1-alpine", "alpine:3", "scratch"], "the last one is built without a target");
    assert!(stages[1].to_string().contains("apk add --no-cache ffmpeg"));
    assert!(!stages[2].to_string().contains("ffmpeg"));
    Ok(())
}
