//! Each rule on a manifest of its own.

mod edge;
mod manifests;
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
