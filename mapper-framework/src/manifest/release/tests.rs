use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::manifest::{Resource, lines, parse};

const DEVICE: [&str; 2] = [
    include_str!("../../../../tests/deploy/crds/device-v1.18.0.yaml"),
    include_str!("../../../../tests/deploy/crds/device-v1.23.0.yaml"),
];
const MODEL: [&str; 2] = [
    include_str!("../../../../tests/deploy/crds/devicemodel-v1.18.0.yaml"),
    include_str!("../../../../tests/deploy/crds/devicemodel-v1.23.0.yaml"),
];

fn release(text: &str) -> Release {
    text.parse().unwrap()
}

fn document(yaml: &str) -> Value {
    lines::read_all(yaml).unwrap().first().unwrap().value()
}

/// The places of all fields of a schema.
fn fields(schema: &Value, place: &str, found: &mut BTreeSet<String>) {
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let dot = if place.is_empty() { "" } else { "." };
        let place = format!("{place}{dot}{key}");
        found.insert(place.clone());
        fields(schema, &place, found);
        fields(&schema["items"], &format!("{place}[]"), found);
    }
}

fn fields_of(definition: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fields(&document(definition), "", &mut found);
    found
}

#[test]
fn a_release_is_written_with_or_without_its_letter_and_its_patch() {
    for text in ["v1.21", "1.21", "v1.21.3"] {
        assert_eq!(release(text), Release(21));
    }
    for text in ["", "v1", "v1.14", "v1.24", "v2.0", "newest", "v1.21.x", "v1.21.0.1"] {
        let error = text.parse::<Release>().unwrap_err().to_string();
        assert_eq!(error, "write a release from v1.15 to v1.23, such as v1.21", "{text}");
    }
    assert_eq!(Release::default().to_string(), "v1.23");
}

#[test]
fn the_table_is_the_difference_between_the_definitions_of_v1_18_and_v1_23() {
    for (kind, [old, new]) in [("Device", DEVICE), ("DeviceModel", MODEL)] {
        let (old, new) = (fields_of(old), fields_of(new));
        let newer = NEWER.iter().filter(|newer| newer.kind == kind);
        let (late, early): (Vec<_>, Vec<_>) = newer.partition(|newer| newer.since > Release(18));
        let covers = |field: &String| late.iter().any(|newer| super::super::is_within(field, newer.place));
        let uncovered: Vec<_> = new.difference(&old).filter(|field| !covers(field)).collect();
        assert_eq!(uncovered, Vec::<&String>::new(), "of {kind}, which v1.18 does not know");
        for newer in late {
            assert!(new.contains(newer.place) && !old.contains(newer.place), "{kind}: {}", newer.place);
        }
        for newer in early {
            assert!(old.contains(newer.place), "{kind}: {}", newer.place);
        }
    }
}

#[test]
fn a_field_is_refused_before_its_release_with_its_place_and_the_cure() {
    let device = json!({"kind": "Device", "spec": {
        "methods": [{"name": "m"}],
        "stateReport": {"reportToCloud": true},
        "properties": [{"name": "a"}, {"name": "b", "pushMethod": {"otel": {}, "dbMethod": {"mysql": {}, "redis": null}}}],
    }});
    let told = |text: &str| unknown_to(release(text), &device).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told("v1.23"), [""; 0]);
    assert_eq!(
        told("v1.22"),
        ["spec.stateReport: KubeEdge v1.22 does not know it, and its API server refuses it: it came with v1.23: \
          move its keys to `status`, where KubeEdge v1.19 to v1.22 have them"]
    );
    let old = told("v1.16");
    assert_eq!(old.len(), 4, "{old:?}");
    assert!(
        old[0].starts_with(r#"property "b": spec.properties[1].pushMethod.dbMethod.mysql: KubeEdge v1.16"#),
        "{old:?}"
    );
    assert!(old[2].starts_with("spec.methods: ") && old[3].ends_with("take it out, or update KubeEdge"), "{old:?}");
    let model = json!({"kind": "DeviceModel", "spec": {"protocolConfigData": {}}});
    assert_eq!((unknown_to(release("v1.21"), &model).len(), unknown_to(release("v1.22"), &model).len()), (1, 0));
}

/// A manifest with the lines for older releases in the place of those for v1.23, as its comment says.
fn swapped(manifest: &str) -> String {
    let mut older = String::new();
    let mut is_report = false;
    for line in manifest.lines() {
        is_report = line.starts_with("  stateReport:") || is_report && line.starts_with("    report");
        let commented = ["# status:", "#   report"].iter().any(|begin| line.starts_with(begin));
        if !is_report {
            older += if commented { &line[2..] } else { line };
            older.push('\n');
        }
    }
    older
}

#[test]
fn the_manifests_of_the_examples_apply_on_the_releases_that_they_name() {
    for manifest in [
        include_str!("../../../../examples/virtual-thermometer/devices/instance.yaml"),
        include_str!("../../../../examples/modbus/devices/instance.yaml"),
        include_str!("../../../tests/scaffold/boiler.yaml"),
        include_str!("../../../tests/scaffold/thermometer.yaml"),
    ] {
        let refused = |text: &str, release: &str| -> Vec<String> {
            let documents = lines::read_all(text).unwrap();
            let found = documents.iter().flat_map(|document| unknown_to(release.parse().unwrap(), &document.value()));
            found.map(|fault| fault.field).collect()
        };
        assert_eq!(refused(manifest, "v1.23"), [""; 0]);
        assert!(refused(manifest, "v1.22").iter().all(|field| field == "spec.stateReport"));
        let older = swapped(manifest);
        let (before, after) = (parse(manifest, None).unwrap().resources, parse(&older, None).unwrap().resources);
        let reports = |resources: Vec<Resource>| -> Vec<_> {
            let device = |resource| match resource {
                Resource::Device(device) => Some(device.spec.state_report.or(device.status)),
                Resource::Model(_) => None,
            };
            resources.into_iter().filter_map(device).collect()
        };
        assert_eq!(reports(before), reports(after), "{older}");
        for release in ["v1.19", "v1.21", "v1.22"] {
            assert_eq!(refused(&older, release), [""; 0], "{release}");
        }
    }
}
