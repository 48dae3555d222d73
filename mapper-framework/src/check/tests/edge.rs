//! What edgecore does to names and values, and how much it takes.

use super::*;

#[test]
fn what_edgecore_cannot_send_is_told_once() {
    assert_told(
        &of_level("reportToCloud: true, visitors: {configData: {register: [1], other: null}}"),
        &[
            "19: error: Device default/d: property \"level\": spec.properties[0].visitors.configData.other: edgecore cannot send a value of null",
            "19: error: Device default/d: property \"level\": spec.properties[0].visitors.configData.register: edgecore can send",
        ],
    );
}

#[test]
fn an_integer_that_a_float_damages_is_told_with_what_arrives() {
    let spec = SPEC.replace("host: h", "host: h, port: 16777217");
    assert_told(
        &of_spec(&spec),
        &[
            "17: error: Device default/d: spec.protocol.configData.port: 16777217 arrives as 16777216, for",
            "17: error: Device default/d: spec.protocol.configData.port: found 16777216, expected a whole number from 0 to 65535",
        ],
    );
}

#[test]
fn names_and_values_that_edgecore_drops_are_told() {
    assert_told(
        &of_properties(&[format!("name: le vel, {REST}")]),
        &[
            "19: error: Device default/d: property \"le vel\": spec.properties[0].name: the name holds ' ', and edgecore takes",
        ],
    );
    assert_told(
        &of_level(&format!("{REST}, desired: {{value: \"+5\"}}")),
        &[
            "19: error: Device default/d: property \"level\": spec.properties[0].desired.value: the value holds '+', and edgecore takes",
        ],
    );
    let long = "x".repeat(513);
    let told = of_properties(&[format!("name: text, {REST}, desired: {{value: {long}}}")]);
    assert!(told.iter().any(|line| line.contains("the value has 513 characters")), "{told:?}");
}

#[test]
fn a_desired_text_that_its_rule_mends_is_good() {
    let told_of = |builder: &MapperBuilder, visitor: &str, desired: &str| {
        let model = MODEL.replace("STRING, accessMode: ReadOnly", "STRING, accessMode: ReadWrite");
        let visitor = format!("{{configData: {{register: 1{visitor}}}}}");
        let property =
            format!("{{name: text, collectCycle: 5000, visitors: {visitor}, desired: {{value: {desired}}}}}");
        told_by(builder, &format!("{model}{HEAD}{SPEC}  properties:\n    - {property}\n"))
    };
    let mut config = builder().defaults();
    config.report.illegal = IllegalValues::Base64url;
    let (holding, encoding) = (builder(), builder().config(config));
    for (builder, visitor, good) in [
        (&holding, "", false),
        (&holding, ", reportIllegal: replace", true),
        (&holding, ", reportIllegal: base64url", true),
        (&encoding, "", true),
        (&encoding, ", reportIllegal: hold", false),
    ] {
        let told = told_of(builder, visitor, "slow run");
        assert_eq!(told.is_empty(), good, "{visitor}: {told:?}");
    }
    let told = told_of(&encoding, "", &"x".repeat(385));
    assert!(told.len() == 1 && told[0].contains("the value has 514 characters as base64url"), "{told:?}");
}

#[test]
fn a_desired_value_that_the_property_cannot_have_is_told() {
    let at = "19: error: Device default/d: property \"level\": spec.properties[0].desired.value: ";
    for (value, message) in [("many", "\"many\" is not a value of type INT"), ("101", "101 lies outside 0 to 100")] {
        assert_told(&of_level(&format!("{REST}, desired: {{value: \"{value}\"}}")), &[&format!("{at}{message}")]);
    }
    assert_told(
        &of_properties(&[format!("name: text, {REST}, desired: {{value: a}}")]),
        &["19: error: Device default/d: property \"text\": spec.properties[0].desired.value: the property is ReadOnly"],
    );
}

#[test]
fn a_desired_value_one_beyond_a_great_maximum_is_told() {
    let model = MODEL.replace("maximum: \"100\"", "maximum: \"9007199254740992\"");
    let of = |value: &str| {
        let property = format!("    - {{name: level, {REST}, desired: {{value: \"{value}\"}}}}\n");
        told(&format!("{model}{HEAD}{SPEC}  properties:\n{property}"))
    };
    assert_told(&of("9007199254740992"), &[]);
    let at = "19: error: Device default/d: property \"level\": spec.properties[0].desired.value: 9007199254740993 ";
    assert_told(&of("9007199254740993"), &[at]);
}

#[test]
fn cycles_below_zero_and_absurd_ones_are_told() {
    let told = of_level("collectCycle: -1, reportCycle: 5, reportToCloud: true, visitors: {configData: {register: x}}");
    let at = "Device default/d: property \"level\": spec.properties[0]";
    assert_told(
        &told,
        &[
            &format!("19: error: {at}.collectCycle: -1 ms is negative"),
            &format!("19: error: {at}.visitors.configData.register: found \"x\""),
            &format!("19: warning: {at}.reportCycle: 5 ms is very short: write milliseconds"),
        ],
    );
    assert_told(
        &of_spec(&format!("{SPEC}  stateReport: {{reportToCloud: true, reportCycle: 86400001}}\n")),
        &["18: warning: Device default/d: spec.stateReport.reportCycle: 86400001 ms is more than a day"],
    );
}

#[test]
fn the_devices_of_a_node_together_have_to_fit_the_budget() {
    let device = |name: &str, node: &str| {
        let spec = SPEC.replace("nodeName: edge", &format!("nodeName: {node}"));
        let property =
            "{name: level, reportToCloud: true, collectCycle: 1250, visitors: {configData: {register: 1, KEYS}}}";
        format!("{HEAD}{spec}  properties: [{property}]\n---\n").replace("name: d", &format!("name: {name}"))
    };
    // What does not change needs next to nothing.
    let quiet = device("one", "edge") + &device("two", "edge");
    assert_told(&told(&format!("{MODEL}{}", quiet.replace(", KEYS", ""))), &[]);
    let device = |name: &str, node: &str| device(name, node).replace("KEYS", "reportStrategy: always");
    let (one, two) = (device("one", "edge"), device("two", "edge"));
    assert_told(
        &told(&format!("{MODEL}{one}{two}")),
        &[
            "16: warning: Device default/one: spec.nodeName: the reports of 2 devices on the node \"edge\" need 1.6 calls a second, and \
           the budget is 1: twins are up to 2.0 s old when they are stored: write reportStrategy: onChange",
        ],
    );
    assert_told(&told(&format!("{MODEL}{one}{}", device("two", "other"))), &[]);
}

#[test]
fn a_namespace_that_edgecore_loses_is_refused_unless_it_is_allowed() {
    let text = format!("{MODEL}{HEAD}{SPEC}").replace("{name: d}", "{name: d, namespace: dev}");
    let text = text.replace("{name: m}\nspec", "{name: m, namespace: dev}\nspec");
    assert_told(
        &told(&text),
        &[
            "13: error: Device dev/d: metadata.namespace: edgecore loses every twin and every state of devices in the namespace \"dev\", \
             since it is a part of \"$hw/events/device/\": use another namespace, such as default; if only sinks need the values, \
             check with --allow-lost-namespaces",
        ],
    );
    let builder = builder();
    let mapper = Mapper { allows_lost_namespaces: true, ..Mapper::of(&builder) };
    let report = check(&mapper, &[Text { path: "d.yaml".into(), text: Ok(text) }]);
    assert_eq!(report.findings, []);
}
