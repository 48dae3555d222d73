use std::path::Path;

use prost::Message;

use super::*;
use crate::dmi::generated as pb;

const MODEL: &str = include_str!("../../../examples/virtual-thermometer/devices/model.yaml");
const INSTANCE: &str = include_str!("../../../examples/virtual-thermometer/devices/instance.yaml");

fn device(manifest: &str) -> Arc<DeviceManifest> {
    match &parse(manifest, None).unwrap().resources[..] {
        [Resource::Device(device)] => Arc::clone(device),
        other => panic!("not one device: {other:?}"),
    }
}

fn model(manifest: &str) -> Arc<ModelManifest> {
    match &parse(manifest, None).unwrap().resources[..] {
        [Resource::Model(model)] => Arc::clone(model),
        other => panic!("not one model: {other:?}"),
    }
}

fn refusal(manifest: &str) -> String {
    parse(manifest, Some(Path::new("x.yaml"))).unwrap_err().to_string()
}

fn float(config: &pb::CustomizedValue, key: &str) -> f32 {
    f32::decode(&config.data[key].value[..]).unwrap()
}

/// A device whose `spec` ends with the given lines.
fn with(lines: &str) -> String {
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: boiler}}\nspec:\n  \
         deviceModelRef: {{name: m}}\n{lines}"
    )
}

fn with_property(line: &str) -> String {
    with(&format!("  protocol: {{protocolName: p}}\n  properties:\n    - name: level\n      {line}\n"))
}

#[test]
fn the_example_becomes_what_edgecore_sends() {
    let message = device(INSTANCE).to_proto(&model(MODEL), Vec::new());
    let spec = message.spec.unwrap();
    assert_eq!((message.name.as_str(), message.namespace.as_str()), ("thermometer-1", "default"));
    assert_eq!(spec.device_model_reference, "virtual-thermometer");
    assert_eq!(float(spec.protocol.as_ref().unwrap().config_data.as_ref().unwrap(), "ambient"), 20.5);
    let [temperature, heater] = &spec.properties[..] else { panic!("two properties") };
    assert_eq!(float(temperature.visitors.as_ref().unwrap().config_data.as_ref().unwrap(), "drift"), 0.2_f32);
    assert_eq!(heater.desired.as_ref().unwrap().value, "true");
    assert!(heater.report_to_cloud);
    assert_eq!(spec.methods[0].property_names, ["heater"]);
    let status = message.status.unwrap();
    assert_eq!((status.report_to_cloud, status.report_cycle), (true, 10_000));
    assert!(parse(INSTANCE, None).unwrap().warnings.is_empty() && parse(MODEL, None).unwrap().warnings.is_empty());
}

#[test]
fn the_example_model_keeps_every_field() {
    let message = model(MODEL).to_proto();
    let temperature = &message.spec.unwrap().properties[0];
    assert_eq!((temperature.r#type.as_str(), temperature.access_mode.as_str()), ("FLOAT", "ReadOnly"));
    let bounds = (temperature.minimum.as_str(), temperature.maximum.as_str(), temperature.unit.as_str());
    assert_eq!(bounds, ("-40", "125", "°C"));
}

#[test]
fn a_device_without_anything_optional_has_empty_desired_and_visitors_and_the_default_namespace() {
    let device = device(&with_property("collectCycle: 5"));
    assert_eq!(device.id.as_str(), "default/boiler");
    let spec = device.to_proto(&model(MODEL), Vec::new()).spec.unwrap();
    assert_eq!(spec.protocol.unwrap().config_data, None);
    let property = &spec.properties[0];
    assert_eq!(property.desired, Some(pb::TwinProperty::default()));
    assert_eq!(property.visitors, Some(pb::VisitorConfig::default()));
    assert_eq!(property.push_method, None);
}

#[test]
fn what_the_model_says_lies_under_what_the_device_says() {
    let model = model(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {name: m}\nspec:\n  \
         protocolConfigData: {port: 502, unit: 1}\n  properties:\n    - name: level\n      \
         visitors: {protocolName: of-model, configData: {register: 1, scale: 0.1}}\n",
    );
    let device = device(&with(
        "  protocol: {protocolName: p, configData: {port: 10502}}\n  properties:\n    - name: level\n      \
         visitors: {protocolName: of-device, configData: {register: 7}}\n",
    ));
    let spec = device.to_proto(&model, Vec::new()).spec.unwrap();
    let protocol = spec.protocol.unwrap().config_data.unwrap();
    assert_eq!((float(&protocol, "port"), float(&protocol, "unit")), (10_502.0, 1.0));
    let visitors = spec.properties[0].visitors.clone().unwrap();
    assert_eq!(visitors.protocol_name, "of-model");
    let config = visitors.config_data.unwrap();
    assert_eq!((float(&config, "register"), float(&config, "scale")), (7.0, 0.1_f32));
}

#[test]
fn every_push_method_arrives() {
    let push = "pushMethod:\n        \
        http: {hostName: h, port: 80, requestPath: /p, timeout: 5}\n        \
        mqtt: {address: 'mqtt://a', topic: t, qos: 1, retained: true}\n        \
        otel: {endpointURL: 'http://o'}\n        \
        anomalyDetection: {window: 5}\n        \
        dbMethod:\n          \
        influxdb2: {influxdb2ClientConfig: {url: u, org: o, bucket: b}, influxdb2DataConfig: {measurement: m, tag: {k: v}, fieldKey: f}}\n          \
        redis: {redisClientConfig: {addr: r, db: 1, poolsize: 2, minIdleConns: 3}}\n          \
        TDEngine: {TDEngineClientConfig: {addr: t, dbName: d}}\n          \
        mysql: {mysqlClientConfig: {addr: m, database: d, userName: u}}";
    let parsed = parse(&with_property(push), None).unwrap();
    assert_eq!(parsed.warnings, Vec::<String>::new());
    let push = device(&with_property(push)).to_proto(&model(MODEL), Vec::new()).spec.unwrap().properties[0].clone();
    let push = push.push_method.unwrap();
    assert_eq!(push.http.unwrap().requestpath, "/p");
    assert_eq!((push.mqtt.as_ref().unwrap().qos, push.mqtt.unwrap().retained), (1, true));
    assert_eq!(push.otel.unwrap().endpoint_url, "http://o");
    assert!(push.anomaly_detection.unwrap().data.contains_key("window"));
    let db = push.db_method.unwrap();
    let influxdb2 = db.influxdb2.unwrap();
    assert_eq!(influxdb2.influxdb2_client_config.unwrap().bucket, "b");
    assert_eq!(influxdb2.influxdb2_data_config.unwrap().tag["k"], "v");
    assert_eq!(db.redis.unwrap().redis_client_config.unwrap().min_idle_conns, 3);
    assert_eq!(db.tdengine.unwrap().td_engine_client_config.unwrap().dbname, "d");
    assert_eq!(db.mysql.unwrap().mysql_client_config.unwrap().user_name, "u");
}

#[test]
fn the_state_report_may_still_stand_in_the_status() {
    let text = with("  protocol: {protocolName: p}\nstatus: {reportToCloud: true, reportCycle: 70, twins: []}\n");
    assert!(parse(&text, None).unwrap().warnings.is_empty());
    let status = device(&text).to_proto(&model(MODEL), Vec::new()).status.unwrap();
    assert_eq!((status.report_to_cloud, status.report_cycle), (true, 70));
}

#[test]
fn a_desired_number_or_boolean_is_to_be_quoted() {
    assert_eq!(
        refusal(&with_property("desired: {value: 22}")),
        "x.yaml, document 1: Device default/boiler: property \"level\": spec.properties[0].desired.value: \
         found 22, expected text: quote it: \"22\""
    );
    assert!(
        refusal(&with_property("desired: {value: on}"))
            .ends_with("desired.value: found on, which YAML takes for true, expected text: quote it: \"on\"")
    );
}

#[test]
fn what_is_to_be_quoted_is_quoted_as_it_is_written() {
    for written in ["y", "No", "on", "0x1F", "0o17", "1e3", "1.50", "017", "+5", "-.5"] {
        let refusal = refusal(&with_property(&format!("desired: {{value: {written}}}")));
        assert!(refusal.ends_with(&format!("expected text: quote it: \"{written}\"")), "{written}: {refusal}");
    }
    let refusal = refusal(&with("  protocol: {protocolName: y}\n"));
    assert!(refusal.ends_with("found y, which YAML takes for true, expected text: quote it: \"y\""), "{refusal}");
    for text in ["2026-01-01", "12:30", "1.2.3"] {
        let parsed = parse(&with_property(&format!("desired: {{value: {text}}}")), None);
        assert!(parsed.is_ok(), "{text} is text without quotes, too");
    }
}

#[test]
fn null_where_text_is_needed_is_said_to_be_nothing_to_yaml() {
    for word in ["~", "null"] {
        let message =
            format!("found {word}, which YAML takes for nothing: quote it if it is meant: \"{word}\", or give");
        for manifest in [
            with_property(&format!("desired: {{value: {word}}}")),
            with(&format!("  protocol: {{protocolName: {word}}}\n")),
            with("  protocol: {protocolName: p}\n").replace("name: boiler", &format!("name: {word}")),
        ] {
            assert!(refusal(&manifest).contains(&message), "{}", refusal(&manifest));
        }
    }
}

#[test]
fn a_quoted_number_is_to_be_unquoted() {
    let refusal = refusal(&with_property("collectCycle: \"1000\""));
    assert!(refusal.contains("spec.properties[0].collectCycle"), "{refusal}");
    assert!(refusal.ends_with("write it without quotes: 1000"), "{refusal}");
}

#[test]
fn a_word_is_not_said_to_be_a_number_without_its_quotes() {
    assert!(refusal(&with_property("collectCycle: soon")).ends_with("expected a whole number: write digits only"));
    let refusal = refusal(&with_property("reportToCloud: \"yes\""));
    assert!(refusal.ends_with("expected true or false: write true or false, without quotes"), "{refusal}");
}

#[test]
fn a_scalar_for_a_map_is_told_in_words_of_yaml() {
    let refusal = refusal(&with("  protocol: modbus\n"));
    assert!(
        refusal.ends_with(
            "spec.protocol: found \"modbus\", expected a mapping of keys to values: indent its keys or items below it"
        ),
        "{refusal}"
    );
}

#[test]
fn nested_config_is_refused_with_its_key() {
    let refusal = refusal(&with("  protocol: {protocolName: p, configData: {bus: {port: 1}}}\n"));
    assert!(
        refusal.starts_with("x.yaml, document 1: Device default/boiler: spec.protocol.configData.bus: "),
        "{refusal}"
    );
    assert!(refusal.ends_with("write one key for each value, or one string for them all"), "{refusal}");
}

#[test]
fn a_device_needs_a_model_and_a_protocol_and_a_legal_name() {
    assert!(refusal(&with("")).contains("spec.protocol.protocolName: missing: add it"));
    let no_model = with("  protocol: {protocolName: p}\n").replace("  deviceModelRef: {name: m}\n", "");
    assert!(refusal(&no_model).contains("spec.deviceModelRef.name: missing: add it"));
    let name = with("  protocol: {protocolName: p}\n").replace("name: boiler", "name: Boiler_1");
    assert!(refusal(&name).contains("metadata.name: \"Boiler_1\" is no Kubernetes name"));
}

#[test]
fn a_mistyped_type_is_answered_with_the_right_one() {
    let text = MODEL.replace("type: BOOLEAN", "type: boolean");
    let refusal = refusal(&text);
    assert!(refusal.contains("DeviceModel default/virtual-thermometer: property \"heater\""), "{refusal}");
    assert!(refusal.ends_with("did you mean BOOLEAN?"), "{refusal}");
}

#[test]
fn an_unknown_key_is_refused_as_by_the_api_server() {
    assert_eq!(
        refusal(&with_property("visitor: {a: 1}")),
        "x.yaml, document 1: Device default/boiler: property \"level\": spec.properties[0].visitor: there is no such key here, and \
         the API server refuses it: did you mean visitors?"
    );
}

#[test]
fn another_kind_is_skipped_and_an_old_version_refused() {
    let parsed = parse("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n", None).unwrap();
    assert_eq!((parsed.resources.len(), parsed.warnings.len()), (0, 1));
    let old = INSTANCE.replace("v1beta1", "v1alpha2");
    assert!(refusal(&old).contains("write devices.kubeedge.io/v1beta1, as the mapper's subcommand `convert` does"));
}

#[test]
fn the_second_document_is_named_as_such() {
    let refusal = refusal(&format!("{MODEL}---\n{}", with_property("desired: {value: 1}")));
    assert!(refusal.starts_with("x.yaml, document 2: Device default/boiler"), "{refusal}");
}

#[test]
fn text_that_is_no_yaml_is_refused_with_its_line() {
    let refusal = refusal("a: b\n  c: [\n");
    assert!(refusal.starts_with("x.yaml, not valid YAML") && refusal.contains("line"), "{refusal}");
}

#[test]
fn a_key_that_is_missing_is_told_in_words_of_yaml() {
    for text in ["kind: Device\n: x\n", "kind: Device\n~: x\n"] {
        let refusal = refusal(text);
        assert!(refusal.contains("a key is empty or null") && refusal.contains("line 2"), "{refusal}");
        assert!(!refusal.contains("Option"), "{refusal}");
    }
}

#[test]
fn the_order_of_properties_is_no_change() {
    let two = |first: &str, second: &str| {
        let properties = format!("  properties: [{{name: {first}}}, {{name: {second}}}]\n");
        device(&with(&format!("  protocol: {{protocolName: p}}\n{properties}")))
    };
    assert!(!two("a", "b").differs_from(&two("b", "a")));
    assert!(two("a", "b").differs_from(&two("a", "c")));
    assert!(device(INSTANCE).differs_from(&device(INSTANCE).with_desired("heater", "false").unwrap()));
}

#[test]
fn a_whole_fleet_fits_into_one_file() {
    let manifest = with_property("collectCycle: 5");
    let fleet: Vec<String> = (0..5000).map(|n| manifest.replace("boiler", &format!("boiler-{n}"))).collect();
    assert_eq!(parse(&fleet.join("---\n"), None).unwrap().resources.len(), 5000);
}

#[test]
fn lists_are_taken_as_their_items() {
    let items: Vec<serde_json::Value> =
        [MODEL, INSTANCE].into_iter().flat_map(|text| parse::read::<serde_json::Value>(text).unwrap()).collect();
    let list =
        serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items});
    assert_eq!(parse(&list.to_string(), None).unwrap().resources.len(), 2);
    let typed = "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceList\nitems:\n  - metadata: {name: d}\n    \
                 spec: {deviceModelRef: {name: m}, protocol: {protocolName: p}, properties: []}\n";
    assert_eq!(parse(typed, None).unwrap().resources.len(), 1);
    let refusal = refusal(&typed.replace("name: m}", "nam: m}"));
    assert!(refusal.contains("items[0].spec.deviceModelRef.nam: there is no such key here"), "{refusal}");
}

#[test]
fn null_in_an_optional_field_is_as_if_it_were_absent() {
    let text = with("  protocol: {protocolName: p, configData: }\n  properties:\n  methods:\nstatus:\n")
        .replace("{name: boiler}", "{name: boiler, labels: }");
    let device = device(&text);
    assert!(device.spec.properties.is_empty() && device.spec.protocol.config_data.is_none());
}

#[test]
fn a_list_for_a_mapping_is_refused() {
    for text in [
        with("  protocol: [p]\n"),
        with("  protocol: {protocolName: p}\n").replace("{name: m}", "[m]"),
        with("  protocol: {protocolName: p}\n").replace("{name: boiler}", "[boiler]"),
    ] {
        assert!(refusal(&text).contains("found a list, expected a mapping of keys to values"), "{text}");
    }
}

#[test]
fn a_kind_in_another_case_is_refused() {
    let text = with("  protocol: {protocolName: p}\n").replace("kind: Device\n", "kind: device\n");
    assert!(refusal(&text).ends_with("did you mean Device?"));
}

#[test]
fn a_missing_separator_and_a_tab_are_told_in_words_of_manifests() {
    let twice = format!("{}{}", with("  protocol: {protocolName: p}\n"), with("  protocol: {protocolName: p}\n"));
    let refusal_of = refusal(&twice);
    assert!(
        refusal_of.contains("the key \"apiVersion\" stands twice") && refusal_of.contains("write a line of ---"),
        "{refusal_of}"
    );
    let tab = refusal("a:\n  b: 1\n\tc: 2\n");
    assert!(tab.contains("line 3: a tab stands in the indentation"), "{tab}");
}
