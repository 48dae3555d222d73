//! What manifests are made of, and whether a model and its devices fit each other.

use super::*;

#[test]
fn text_that_is_no_yaml_has_its_line_and_hides_no_other_document() {
    let text = format!("a: [\n---\n{HEAD}  deviceModelRef: {{name: m}}\n  nodeName: edge\n");
    let told = told(&text);
    assert!(told[0].contains(": error: not valid YAML: "), "{told:?}");
    let cause = "6: error: Device default/d: spec.protocol.protocolName: missing: add it";
    assert!(told.iter().any(|line| line == cause), "{told:?}");
}

#[test]
fn another_version_or_kind_is_told() {
    assert_told(
        &told("apiVersion: devices.kubeedge.io/v1alpha2\nkind: Device\nmetadata: {name: d}\n"),
        &[
            "1: error: Device default/d: apiVersion: devices.kubeedge.io/v1alpha2 is not supported: write devices.kubeedge.io/v1beta1, as ",
        ],
    );
    assert_told(
        &told("apiVersion: v1\nkind: Secret\n"),
        &["2: warning: kind: skipped: edgecore does not handle Secret of v1"],
    );
    let told = told("apiVersion: devices.kubeedge.io/v1beta1\nkind: Devcie\n");
    assert!(told[0].ends_with("did you mean Device?"), "{told:?}");
}

#[test]
fn a_key_of_a_wrong_type_hides_none_whose_name_begins_with_it() {
    let text = "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {name: m}\nspec:\n  protocol: 5\n  \
                protocolConfigData: {bus: {port: 1}}\n  properties: []\n";
    assert_told(
        &told(text),
        &[
            "5: error: DeviceModel default/m: spec.protocol: ",
            "6: error: DeviceModel default/m: spec.protocolConfigData.bus: edgecore can send numbers, strings and booleans",
        ],
    );
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest() {
    assert_told(
        &of_level(&format!("{REST}, reportcycle: 5")),
        &[
            "19: error: Device default/d: property \"level\": spec.properties[0].reportcycle: there is no such key here, and the API server refuses it: did you mean reportCycle?",
        ],
    );
}

#[test]
fn missing_keys_and_wrong_types_are_told_side_by_side() {
    let spec = "  nodeName: edge\n  protocol: {protocolName: p, configData: {host: 5}}\n  properties:\n    \
                - {name: level, collectCycle: \"5\", reportToCloud: 1}\n    - level\n    - desired: {value: 22}\n  \
                methods: 5\n";
    assert_told(
        &of_spec(spec),
        &[
            "14: error: Device default/d: spec.deviceModelRef.name: missing: add it",
            "16: error: Device default/d: spec.protocol.configData.host: found 5, expected text: correct it",
            "18: error: Device default/d: property \"level\": spec.properties[0].collectCycle: found \"5\", expected a whole number: write it without quotes: 5",
            "18: error: Device default/d: property \"level\": spec.properties[0].reportToCloud: found 1, expected true or false",
            "19: error: Device default/d: spec.properties[1]: found \"level\", expected a mapping of keys to values: indent",
            "20: error: Device default/d: spec.properties[2].desired.value: found 22, expected text: quote it: \"22\"",
            "20: error: Device default/d: spec.properties[2].name: missing: add it",
            "21: error: Device default/d: spec.methods: found 5, expected a list: indent",
        ],
    );
    assert_told(
        &told("apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {name: 5}\nspec: {}\n"),
        &[
            "3: error: metadata.name: found 5, expected text: quote it: \"5\"",
            "4: error: spec.deviceModelRef.name: missing: add it",
            "4: error: spec.protocol.protocolName: missing: add it",
        ],
    );
}

#[test]
fn a_name_that_the_cluster_refuses_is_told() {
    assert_told(
        &told(&format!("{MODEL}{HEAD}{SPEC}").replace("{name: d}", "{name: D_1, namespace: Hall}")),
        &[
            "13: error: Device Hall/D_1: metadata.name: \"D_1\" is no Kubernetes name: use lower-case",
            "13: error: Device Hall/D_1: metadata.namespace: \"Hall\" is no Kubernetes namespace: use lower-case",
            "15: error: Device Hall/D_1: spec.deviceModelRef.name: there is no model Hall/m, and a device cannot use default/m",
        ],
    );
}

#[test]
fn types_access_modes_and_bounds_of_a_model_are_checked() {
    let at = "5: error: DeviceModel default/m: property \"a\": spec.properties[0].";
    for (property, field) in [
        ("type: int, accessMode: ReadOnly", "type: \"int\" is none of"),
        ("accessMode: ReadOnly", "type: missing, and the mapper leaves the property out: write one of"),
        ("type: INT, accessMode: Write", "accessMode: \"Write\" is none of"),
        ("type: INT, accessMode: ReadOnly, minimum: low", "minimum: \"low\" is no number"),
        (
            "type: INT, accessMode: ReadOnly, minimum: \"5\", maximum: \"1\"",
            "minimum: 5 is greater than the maximum, 1",
        ),
        ("type: INT, accessMode: ReadOnly, minimum: 5", "minimum: found 5, expected text"),
    ] {
        assert_told(&of_model(&format!("name: a, {property}")), &[&format!("{at}{field}")]);
    }
    let at = at.replace("error", "warning");
    for (property, field) in [
        ("type: STRING, accessMode: ReadOnly, maximum: \"5\"", "maximum: means nothing for the type STRING"),
        ("type: INT", "accessMode: missing, and taken for ReadOnly"),
    ] {
        assert_told(&of_model(&format!("name: a, {property}")), &[&format!("{at}{field}")]);
    }
}

#[test]
fn what_stands_twice_is_told_where_it_stands_again() {
    let twice = "name: a, type: INT, accessMode: ReadOnly},\n{name: a, type: INT, accessMode: ReadOnly";
    assert_told(
        &of_model(twice),
        &["6: error: DeviceModel default/m: property \"a\": spec.properties[1].name: stands twice"],
    );
    let level = format!("name: level, {REST}");
    assert_told(
        &of_properties(&[level.clone(), level]),
        &["20: error: Device default/d: property \"level\": spec.properties[1].name: stands twice"],
    );
    let report = report_of(&builder(), &[("a.yaml", MODEL), ("b.yaml", MODEL)]);
    let expected = "b.yaml:3: error: DeviceModel default/m: metadata.name: stands in a.yaml:3 as well";
    assert!(
        report.findings.len() == 1 && report.findings[0].to_string().starts_with(expected),
        "{:?}",
        report.findings
    );
}

#[test]
fn a_model_that_is_elsewhere_is_a_warning_and_the_config_is_checked_all_the_same() {
    let spec = SPEC.replace("{name: m}", "{name: other}").replace("{host: h}", "{host: 5}");
    assert_told(
        &of_spec(&spec),
        &[
            "15: warning: Device default/d: spec.deviceModelRef.name: there is no model default/other in the files: ",
            "17: error: Device default/d: spec.protocol.configData.host: found 5, expected text: correct it in",
        ],
    );
}

#[test]
fn a_property_that_the_model_lacks_is_answered_with_the_nearest() {
    let told = of_properties(&[format!("name: levle, {REST}")]);
    assert_told(
        &told,
        &[
            "19: error: Device default/d: property \"levle\": spec.properties[0].name: the device model default/m has no such property: did you mean level?",
        ],
    );
}

#[test]
fn methods_name_properties_that_can_be_written() {
    let methods = "  methods:\n    - name: set\n      propertyNames:\n        - level\n        - levl\n        - text\n    - {}\n";
    let properties = format!("  properties: [{{name: level, {REST}}}, {{name: text, {REST}}}]\n");
    assert_told(
        &of_spec(&format!("{SPEC}{properties}{methods}")),
        &[
            "23: error: Device default/d: property \"levl\": spec.methods[0].propertyNames[1]: the device has no such property: did you mean level?",
            "24: error: Device default/d: property \"text\": spec.methods[0].propertyNames[2]: ReadOnly in its device model",
            "25: error: Device default/d: spec.methods[1].name: missing: add it",
        ],
    );
}

#[test]
fn methods_of_the_stream_name_what_records_which_nobody_writes() {
    let visitors = "visitors: {configData: {stream: file, register: 1}}";
    let property = format!("{{name: text, reportToCloud: true, collectCycle: 5000, {visitors}}}");
    let findings = |method: &str| {
        let methods = format!("  methods:\n    - name: {method}\n      propertyNames: [text]\n");
        of_spec(&format!("{SPEC}  properties: [{property}]\n{methods}"))
    };
    let is_refused = |method: &str| findings(method).iter().any(|line| line.contains("calls are refused"));
    assert!(!is_refused("record") && !is_refused("snapshot"), "{:?}", findings("record"));
    assert!(is_refused("set"));
}

#[test]
fn a_model_s_name_in_the_place_of_its_reference_is_told_with_its_cure_and_null_is_no_property() {
    assert_told(
        &of_spec(&SPEC.replace("{name: m}", "m")),
        &[
            "15: error: Device default/d: spec.deviceModelRef: found \"m\", expected a mapping of keys to values: indent it below, as name: \"m\"",
        ],
    );
    assert_told(&of_spec(&format!("{SPEC}  properties: null\n")), &[]);
}

#[test]
fn what_is_to_be_quoted_is_told_as_it_is_written() {
    let spec = SPEC.replace("host: h", "host: h, port: 0x1000001");
    let told = of_spec(&spec);
    assert!(
        told.iter().any(|line| line.contains("16777217 arrives as 16777216") && line.contains("\"0x1000001\"")),
        "{told:?}"
    );
    let head = HEAD.replace("{name: d}", "{name: y}");
    let told = told_by(&builder(), &format!("{MODEL}{head}{SPEC}"));
    assert_told(
        &told,
        &["13: error: metadata.name: found y, which YAML takes for true, expected text: quote it: \"y\""],
    );
}

#[test]
fn a_field_that_the_release_in_the_cluster_does_not_know_is_an_error_at_its_line() {
    let text = format!("{MODEL}{HEAD}{SPEC}  stateReport: {{reportToCloud: true, reportCycle: 5000}}\n");
    assert_told(&told(&text), &[]);
    let builder = builder();
    let mapper = Mapper { release: "v1.22".parse().unwrap(), ..Mapper::of(&builder) };
    let findings = check(&mapper, &[Text { path: "d.yaml".into(), text: Ok(text) }]).findings;
    let told: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_told(&told, &["d.yaml:18: error: Device default/d: spec.stateReport: KubeEdge v1.22 does not know it"]);
}
