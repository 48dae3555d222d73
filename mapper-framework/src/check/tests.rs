//! Each rule on a manifest of its own.

mod printed;

use serde::Deserialize;

use super::*;
use crate::{
    Device, Driver, DriverError, Mapper as Framework, Property, Reading, Review, Session,
    sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target},
};

/// A driver of which only the types matter.
struct Meter;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Config {
    host: String,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Visitor {
    register: u16,
}

impl Driver for Meter {
    type Config = Config;
    type Session = Self;

    async fn connect(&self, _: &Device, _: Config) -> Result<Self, DriverError> {
        Ok(Self)
    }

    fn review(&self, _: &Device, config: &Config, property: &Property<Visitor>) -> Review {
        match property.visitor().register {
            10 => Review::new().reads(format!("register 10 of {}", config.host)),
            11 => Review::new().doubt("register", "11 is worn out", "write 10"),
            12 => panic!("a dozen"),
            _ => Review::new(),
        }
    }
}

impl Session for Meter {
    type Visitor = Visitor;

    async fn read(&mut self, _: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(0.into())
    }

    fn check(property: &Property<Visitor>) -> Result<(), DriverError> {
        match property.visitor().register {
            13 => panic!("unlucky"),
            14.. => Err(DriverError::refused("there are 14 registers")),
            _ => Ok(()),
        }
    }
}

const MODEL: &str = "\
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: m}
spec:
  protocol: p
  properties:
    - {name: level, type: INT, accessMode: ReadWrite, minimum: \"0\", maximum: \"100\"}
    - {name: text, type: STRING, accessMode: ReadOnly}
    - {name: \"le vel\", type: INT, accessMode: ReadOnly}
---
";

/// What a device begins with: its `spec` is to be added, from line 15 on.
const HEAD: &str = "\
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: d}
spec:
";

/// What a device needs besides its properties, on lines 15 to 17.
const SPEC: &str = "  deviceModelRef: {name: m}
  nodeName: edge
  protocol: {protocolName: p, configData: {host: h}}
";

/// What a property needs besides its name.
const REST: &str = "reportToCloud: true, collectCycle: 5000, visitors: {configData: {register: 1}}";

fn builder() -> MapperBuilder {
    Framework::builder(Meter).protocol("p")
}

fn report_of(builder: &MapperBuilder, texts: &[(&str, &str)]) -> Report {
    let texts: Vec<_> =
        texts.iter().map(|(path, text)| Text { path: path.into(), text: Ok((*text).to_owned()) }).collect();
    check(&Mapper::of(builder), &texts)
}

/// The findings in a text, each without the file, and the resource's kind.
fn told_by(builder: &MapperBuilder, text: &str) -> Vec<String> {
    let findings = report_of(builder, &[("d.yaml", text)]).findings;
    assert!(findings.iter().all(|finding| !finding.cure.is_empty()), "{findings:?}");
    findings.iter().map(|finding| finding.to_string().replacen("d.yaml:", "", 1)).collect()
}

fn told(text: &str) -> Vec<String> {
    told_by(&builder(), text)
}

/// The findings in the model and a device with this after `spec:`.
fn of_spec(spec: &str) -> Vec<String> {
    told(&format!("{MODEL}{HEAD}{spec}"))
}

/// The findings in the model and a device with properties, the first on line 19.
fn of_properties(properties: &[String]) -> Vec<String> {
    let lines: String = properties.iter().map(|property| format!("    - {{{property}}}\n")).collect();
    of_spec(&format!("{SPEC}  properties:\n{lines}"))
}

/// The findings in a device with the property `level` and more keys of it.
fn of_level(keys: &str) -> Vec<String> {
    of_properties(&[format!("name: level, {keys}")])
}

/// The findings in a model with one property, on line 5.
fn of_model(property: &str) -> Vec<String> {
    told(&format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: m}}\nspec: {{properties: [\n\
         {{{property}}}]}}\n"
    ))
}

#[track_caller]
fn assert_told(told: &[String], expected: &[&str]) {
    let fits =
        told.len() == expected.len() && told.iter().zip(expected).all(|(told, expected)| told.starts_with(expected));
    assert!(fits, "told:\n{}\nexpected:\n{}", told.join("\n"), expected.join("\n"));
}

#[test]
fn a_device_that_fits_is_nothing_to_complain_about() {
    assert_told(&of_level(&format!("{REST}, desired: {{value: \"5\"}}")), &[]);
}

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
fn a_device_of_another_protocol_or_node_is_told_and_its_config_left_to_others() {
    let spec =
        SPEC.replace("protocolName: p", "protocolName: q").replace("  nodeName: edge\n", "").replace("host: h", "a: 1");
    assert_told(
        &of_spec(&spec),
        &[
            "14: warning: Device default/d: spec.nodeName: missing, and no edgecore gets the device",
            "15: warning: Device default/d: spec.deviceModelRef.name: the model default/m is of the protocol \"p\"",
            "16: error: Device default/d: spec.protocol.protocolName: \"q\" is not the protocol of this mapper",
        ],
    );
}

#[test]
fn the_driver_s_types_read_the_config() {
    let at = "19: error: Device default/d: property \"level\": spec.properties[0].visitors.configData";
    for (visitor, message) in [
        ("{register: seven}", ".register: found \"seven\", expected a whole number from 0 to 65535: correct it in"),
        ("{}", ": the key `register` is missing: add it to the device's manifest"),
        ("{register: 15}", ": there are 14 registers: correct it in the manifest"),
        ("{register: 13}", ": the driver panicked while reading it: correct the driver"),
    ] {
        let told = of_level(&format!("reportToCloud: true, visitors: {{configData: {visitor}}}"));
        assert_told(&told, &[&format!("{at}{message}")]);
    }
    assert_told(
        &of_spec(&SPEC.replace("host: h", "prot: 5")),
        &[
            "17: error: Device default/d: spec.protocol.configData: the key `host` is missing: add it to",
            "17: warning: Device default/d: spec.protocol.configData.prot: the driver does not know this key",
        ],
    );
}

#[test]
fn all_that_is_wrong_with_a_config_is_told_at_once_and_nothing_that_follows_from_it() {
    let at = "Device default/d: spec.protocol.configData";
    assert_told(
        &of_spec(&SPEC.replace("host: h", "host: 5, port: abc, prot: 1")),
        &[
            &format!("17: error: {at}.host: found 5, expected text: correct it in"),
            &format!("17: error: {at}.port: found \"abc\", expected a whole number from 0 to 65535: correct it in"),
            &format!("17: warning: {at}.prot: the driver does not know this key"),
        ],
    );
    assert_told(
        &of_spec(&SPEC.replace("host: h", "host: h, port: \"502\", prot: 1")),
        &[&format!("17: warning: {at}.prot: the driver does not know this key")],
    );
    let at = "Device default/d: property \"level\": spec.properties[0].visitors.configData";
    assert_told(
        &of_level("reportToCloud: true, visitors: {configData: {register: seven, scale: 2}}"),
        &[
            &format!("19: error: {at}.register: found \"seven\", expected a whole number"),
            &format!("19: warning: {at}.scale: the driver does not know this key"),
        ],
    );
    let told = of_level("reportToCloud: true, visitors: {configData: {register: 1, writeTolerence: 2}}");
    let misspelt =
        "writeTolerence: neither the driver nor the framework knows this key, and it is ignored: did you mean";
    assert_told(&told, &[&format!("19: warning: {at}.{misspelt} writeTolerance?")]);
}

#[test]
fn a_key_that_the_driver_passes_over_is_a_warning() {
    assert_told(
        &of_spec(&SPEC.replace("host: h", "host: h, prot: 5")),
        &["17: warning: Device default/d: spec.protocol.configData.prot: the driver does not know this key"],
    );
    let stray = "reportToCloud: true, visitors: {configData: {register: 1, scale: 2}}";
    let at =
        "19: warning: Device default/d: property \"level\": spec.properties[0].visitors.configData.scale: the driver";
    assert_told(&of_level(stray), &[at]);
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

/// A sink that takes whatever has a scale.
struct Scaled;

impl SinkKind for Scaled {
    type Sink = Never;

    fn name(&self) -> &str {
        "scaled"
    }

    fn visitor_keys(&self) -> &[&str] {
        &["scale"]
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        Ok(property.visitor().get("scale").map(|_| Route::to(Target::new("scaled", &()))).into_iter().collect())
    }

    async fn open(&self, _: &Target, _: &Credentials) -> Result<Never, SinkError> {
        Err(SinkError::failed("never opened"))
    }
}

enum Never {}

impl Sink for Never {
    async fn write(&mut self, _: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        match *self {}
    }
}

#[test]
fn a_key_that_a_sink_of_the_mapper_reads_is_known_and_no_other() {
    let property = "    - {name: level, visitors: {configData: {register: 1, scale: 2}}}\n";
    let text = format!("{MODEL}{HEAD}{SPEC}  properties:\n{property}");
    assert_told(&told_by(&builder().sink(Scaled), &text), &[]);
    let stray = told_by(&builder().sink(Scaled), &text.replace("scale: 2", "scale: 2, scael: 2"));
    assert_told(
        &stray,
        &["19: warning: Device default/d: property \"level\": spec.properties[0].visitors.configData.scael: the"],
    );
    assert_told(
        &told(&text.replace(", scale: 2", "")),
        &["19: warning: Device default/d: property \"level\": spec.properties[0].reportToCloud: not set"],
    );
}

#[test]
fn a_property_that_only_its_device_needs_is_not_collected_for_nobody() {
    let desired = "visitors: {configData: {register: 1}}, desired: {value: \"5\"}";
    assert_told(&of_level(desired), &[]);
}

#[cfg(feature = "sink-mqtt")]
#[test]
fn what_a_sink_refuses_is_told_with_its_field() {
    let push =
        |mqtt: &str| of_level(&format!("visitors: {{configData: {{register: 1}}}}, pushMethod: {{mqtt: {{{mqtt}}}}}"));
    let at = "19: error: Device default/d: property \"level\": spec.properties[0].pushMethod.mqtt.";
    assert_told(&push("address: \"\", topic: t"), &[&format!("{at}address: is empty: write host:port")]);
    assert_told(
        &push("address: a, topic: t, qos: 3"),
        &[&format!("{at}qos: 3 is not a quality of service: use 0, 1 or 2")],
    );
    assert_told(&push("address: a, topic: t"), &[]);
}

#[cfg(not(feature = "sink-redis"))]
#[test]
fn a_sink_that_is_not_compiled_is_told_with_its_feature() {
    let told = of_level("visitors: {configData: {register: 1}}, pushMethod: {dbMethod: {redis: {}}}");
    assert_told(
        &told,
        &[
            "19: error: Device default/d: property \"level\": spec.properties[0].pushMethod.dbMethod.redis: this mapper is built without",
        ],
    );
    assert!(told[0].contains("enable the feature \"sink-redis\""), "{told:?}");
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
fn what_a_run_doubts_is_said_as_well() {
    let cycle = r#"name: level, reportToCloud: true, collectCycle: 10000000000, visitors: {configData: {register: 1}}"#;
    let told = of_properties(&[cycle.to_owned()]);
    assert!(
        told[0].contains(
            "collectCycle: 10000000000 ms is more than a day (115 days), and was probably meant in nanoseconds"
        ),
        "{told:?}"
    );
    assert!(told[0].ends_with("such as 10000 for what it is in nanoseconds"), "{told:?}");

    let spec = SPEC.replace("host: h", "host: h, timeout: 20000");
    let told = of_spec(&spec);
    let expected =
        "17: warning: Device default/d: spec.protocol.configData.timeout: 20000 ms is longer than driver.call_timeout";
    assert!(told.iter().any(|line| line.starts_with(expected)), "{told:?}");
}

//= KubeEdge v1.16.2 to v1.23, devicetwin: the namespace is looked for by its first place in the topic
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
