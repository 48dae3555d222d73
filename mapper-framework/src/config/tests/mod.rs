use std::{ffi::OsString, os::unix::ffi::OsStringExt, time::Duration};

use super::*;

mod own;
mod renames;
mod sink_targets;

/// Sources with this file and a protocol that the mapper's author set.
fn file(yaml: &str) -> Sources {
    let mut defaults = Config::default();
    defaults.common.protocol = "modbus".into();
    Sources::new(defaults).contents("config.yaml", yaml)
}

fn load(sources: Sources) -> Config {
    let (config, warnings) = Config::load(sources).unwrap();
    assert_eq!(warnings, []);
    config
}

fn error(sources: Sources) -> String {
    Config::load(sources).unwrap_err().to_string()
}

fn warnings(sources: Sources) -> Vec<String> {
    Config::load(sources).unwrap().1.iter().map(ToString::to_string).collect()
}

fn golden(yaml: &str) -> Config {
    load(Sources::new(Config::default()).contents("golden.yaml", yaml))
}

#[test]
fn a_config_file_of_a_go_mapper_works_unchanged() {
    let config = golden(include_str!("../../../tests/config/go-modbus.yaml"));
    assert_eq!(config.grpc_server.socket_path.to_str(), Some("/etc/kubeedge/modbus.sock"));
    assert_eq!(
        config.common,
        CommonConfig {
            name: "Modbus-mapper".into(),
            version: "v1.13.0".into(),
            api_version: "v1.0.0".into(),
            protocol: "modbus".into(),
            address: "127.0.0.1".into(),
            edgecore_sock: "/etc/kubeedge/dmi.sock".into(),
            http_port: 7778,
        }
    );
}

#[test]
fn the_port_may_be_a_number_or_text_or_empty() {
    assert_eq!(golden(include_str!("../../../tests/config/go-http-port-number.yaml")).common.http_port, 7779);
    assert_eq!(golden(include_str!("../../../tests/config/go-http-port-empty.yaml")).common.http_port, 7777);
}

#[test]
fn the_go_template_asks_for_a_protocol_only() {
    let yaml = include_str!("../../../tests/config/go-template.yaml");
    assert_eq!(
        error(Sources::new(Config::default()).contents("config.yaml", yaml)),
        "default: `common.protocol` is empty; set it to the `spec.protocol.protocolName` of the devices: in the config file, \
         by the environment variable MAPPER_COMMON__PROTOCOL, by the flag --protocol, or in the mapper's code"
    );
    assert_eq!(
        warnings(file(yaml)),
        ["config.yaml:11:1: `dev_init` has no effect: devices always come from edgecore; it may be deleted"]
    );
}

#[test]
fn a_file_may_set_every_key() {
    let config = golden(include_str!("../../../tests/config/all-keys.yaml"));
    assert_eq!(config.common.version, "1.10", "text stays as it is written");
    assert_eq!(config.common.http_port, 8080);
    assert_eq!(config.driver.call_timeout, Duration::from_millis(2500));
    assert_eq!(config.driver.backoff_max, Duration::from_secs(300));
    assert_eq!(config.driver.max_frame_bytes, 4_194_304);
    assert_eq!((config.report.calls_per_second, config.report.burst), (0.25, 20));
    let sinks = &config.sinks;
    assert_eq!((sinks.batch_records, sinks.queue_records, sinks.memory_bytes), (250, 5_000, 8_000_000));
    assert_eq!(sinks.http.headers, "X-Plant: seven\nX-Hall: 2");
    assert_eq!((sinks.mqtt.version, sinks.mqtt.client_id.as_str()), (MqttVersion::V5, "node-7"));
    assert_eq!(sinks.mqtt.node_name, "node-7");
    assert_eq!((sinks.mysql.layout, sinks.mysql.tls), (MysqlLayout::Property, true));
    assert_eq!((sinks.redis.max_length, sinks.redis.ttl), (1_000, Duration::from_secs(7 * 24 * 3600)));
    assert_eq!((sinks.redis.wait_replicas, sinks.redis.wait_timeout), (1, Duration::from_millis(500)));
    assert!(sinks.redis.sentinel_login);
    assert_eq!((config.spool.max_bytes, config.spool.sync), (1_000_000, SpoolSync::Never));
    assert_eq!(config.spool.linger, Duration::from_secs(5));
    assert_eq!((config.spool.total_bytes, config.spool.orphan_age), (2_000_000, Duration::ZERO));
    assert_eq!(config.streams.dir.to_str(), Some("/data/recordings"));
    let writes = &config.writes;
    assert_eq!((writes.mode, writes.dry_run, writes.first_start), (WritesMode::ReadOnly, true, FirstStart::Hold));
    assert_eq!((writes.audit.max_bytes, writes.audit.files), (1_000_000, 3));
    let unset = leaves(&serde_json::to_value(Config::default()).unwrap());
    for (key, value) in leaves(&serde_json::to_value(&config).unwrap()) {
        assert_ne!(unset.get(&key), Some(&value), "{key} is not set by the file");
    }
    assert_eq!(config.shutdown.grace, Duration::ZERO);
    assert_eq!((config.log.level, config.log.format), (LogLevel::Debug, LogFormat::Json));
    assert_eq!(config.log.statistics, Duration::from_secs(3600));
}

/// All values of a config by their keys.
fn leaves(value: &serde_json::Value) -> std::collections::BTreeMap<String, serde_json::Value> {
    let Some(section) = value.as_object() else { return [(String::new(), value.clone())].into() };
    let below = |(key, value): (&String, &serde_json::Value)| {
        let key = key.clone();
        leaves(value).into_iter().map(move |(rest, value)| (format!("{key}.{rest}"), value)).collect::<Vec<_>>()
    };
    section.iter().flat_map(below).collect()
}

#[test]
fn yaml_is_read_in_all_its_spellings() {
    let config = golden(include_str!("../../../tests/config/anchors.yaml"));
    assert_eq!((config.common.name.as_str(), config.common.version.as_str()), ("no", "0x10"));
    assert_eq!((config.common.protocol.as_str(), config.common.api_version.as_str()), ("bacnet", "bacnet"));
    assert_eq!(config.driver.call_timeout, Duration::from_secs(30));
    assert_eq!((config.report, config.log), (ReportConfig::default(), LogConfig::default()));
}

#[test]
fn a_file_from_windows_is_read() {
    let config = load(file("\u{feff}common:\r\n  name: seven\r\n  http_port: 80\r\n"));
    assert_eq!((config.common.name.as_str(), config.common.http_port), ("seven", 80));
}

#[test]
fn defaults_depend_on_the_protocol() {
    let config = golden(include_str!("../../../tests/config/minimal.yaml"));
    assert_eq!(config.grpc_server.socket_path.to_str(), Some("/etc/kubeedge/gpio.sock"));
    assert_eq!(config.common.name, "gpio-mapper");
    assert_eq!(config.sinks.otel.service_name, "gpio-mapper");
    assert_eq!(config.writes.memory.to_str(), Some("/var/lib/kubeedge/gpio-mapper/spool/writes.memory"));
    assert_eq!(load(file("spool: {dir: /data}")).streams.dir.to_str(), Some("/data/recordings"));
    assert_eq!(load(file("spool: {dir: /data}")).writes.memory.to_str(), Some("/data/writes.memory"));
    let config = load(file("common: {protocol: opc/ua}"));
    assert_eq!(config.grpc_server.socket_path.to_str(), Some("/etc/kubeedge/opc-ua.sock"));
}

#[test]
fn an_empty_file_is_no_mistake() {
    for yaml in ["", "\n", "# nothing yet\n", "---\n", "~", "{}", "common:\n"] {
        assert_eq!(load(file(yaml)), load(file("{}")), "{yaml:?}");
    }
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let yaml = "common: {name: file, version: file, api_version: file}";
    let mut defaults = Config::default();
    let CommonConfig { name, version, api_version, protocol, .. } = &mut defaults.common;
    for value in [name, version, api_version, protocol] {
        *value = "default".into();
    }
    let sources = Sources::new(defaults)
        .flag("--name", "common.name", "flag")
        .env([("MAPPER_COMMON__NAME", "env"), ("MAPPER_COMMON__VERSION", "env")])
        .contents("config.yaml", yaml);
    let CommonConfig { name, version, api_version, protocol, .. } = load(sources).common;
    assert_eq!([name, version, api_version, protocol], ["flag", "env", "file", "default"]);
}

#[test]
fn an_empty_value_counts_as_absent() {
    let sources = file("common: {name: seven}").env([("MAPPER_COMMON__NAME", " ")]).flag("--name", "common.name", "");
    assert_eq!(load(sources).common.name, "seven");
}

#[test]
fn every_key_has_an_environment_variable() {
    let config = load(file("").env([
        ("MAPPER_GRPC_SERVER__SOCKET_PATH", "/run/m.sock"),
        ("mapper_common__name", "no"),
        ("Mapper_Common__Version", "1.10"),
        ("MAPPER_COMMON__HTTP_PORT", "8081"),
        ("MAPPER_DRIVER__CALL_TIMEOUT", "500ms"),
        ("MAPPER_REPORT__CALLS_PER_SECOND", "2"),
        ("MAPPER_REPORT__BURST", "10"),
        ("MAPPER_LOG__LEVEL", "warning"),
    ]));
    assert_eq!(config.grpc_server.socket_path.to_str(), Some("/run/m.sock"));
    assert_eq!((config.common.name.as_str(), config.common.version.as_str()), ("no", "1.10"));
    assert_eq!((config.common.http_port, config.driver.call_timeout), (8081, Duration::from_millis(500)));
    assert_eq!((config.report.calls_per_second, config.report.burst), (2.0, 10));
    assert_eq!(config.log.level, LogLevel::Warn);
}

#[test]
fn other_variables_are_left_alone() {
    let config = load(file("").env([
        ("PATH", "/bin"),
        ("COMMON__NAME", "x"),
        ("MAPPER_TEST_REDIS", "127.0.0.1:6379"),
        ("MAPPER_SERVICE_HOST", "10.0.0.1"),
        ("MAPPER_SERVICE_PORT", "7777"),
        ("MAPPER_PORT", "tcp://10.0.0.1:7777"),
        ("MAPPER_PORT_7777_TCP_ADDR", "10.0.0.1"),
        ("MAPPER_PORT_7777_TCP", "tcp://10.0.0.1:7777"),
        ("MAPPER_REST_SERVICE_PORT_HTTP", "80"),
        ("MAPPER_REST_PORT", "udp://10.0.0.1:80"),
    ]));
    assert_eq!(config, load(file("")));
}

#[test]
fn a_variable_may_hold_an_address() {
    let config = load(file("").env([("MAPPER_COMMON__NAME", "http://plant"), ("MAPPER_SPOOL__DIR", "tcp://plant")]));
    assert_eq!((config.common.name.as_str(), config.spool.dir.to_str()), ("http://plant", Some("tcp://plant")));
    assert_eq!(
        warnings(file("").env([("MAPPER_COMMON__NAM", "http://plant")])),
        ["environment variable MAPPER_COMMON__NAM names no key and is ignored; did you mean `MAPPER_COMMON__NAME`?"]
    );
}

#[test]
fn an_unknown_key_is_ignored_and_the_nearest_is_named() {
    let yaml = "\
common:
  protcol: x
  edgecoreSock: /run/dmi.sock
  registered: true
http_port: 80
grpcServer: {socket_path: /run/m.sock}
something_else: [1, 2]
";
    assert_eq!(
        warnings(file(yaml)),
        [
            "config.yaml:2:3: unknown key `common.protcol` is ignored; did you mean `common.protocol`?",
            "config.yaml:3:3: unknown key `common.edgecoreSock` is ignored; did you mean `common.edgecore_sock`?",
            "config.yaml:4:3: unknown key `common.registered` is ignored",
            "config.yaml:5:1: unknown key `http_port` is ignored; did you mean `common.http_port`?",
            "config.yaml:6:1: unknown key `grpcServer` is ignored; did you mean `grpc_server`?",
            "config.yaml:7:1: unknown key `something_else` is ignored",
        ]
    );
}

#[test]
fn an_unknown_variable_is_ignored_and_the_nearest_is_named() {
    let variables = [("MAPPER_COMMON_PROTOCOL", "x"), ("MAPPER_COMMON__HTTPPORT", "80"), ("MAPPER_QZ", "x")];
    assert_eq!(
        warnings(file("").env(variables)),
        [
            "environment variable MAPPER_COMMON_PROTOCOL names no key and is ignored; did you mean `MAPPER_COMMON__PROTOCOL`?",
            "environment variable MAPPER_COMMON__HTTPPORT names no key and is ignored; did you mean `MAPPER_COMMON__HTTP_PORT`?",
            "environment variable MAPPER_QZ names no key and is ignored",
        ]
    );
}

#[test]
fn a_file_that_is_named_must_exist_and_be_readable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    assert_eq!(
        error(file("").file(&path)),
        format!("cannot read the config file {}: No such file or directory (os error 2)", path.display())
    );
    assert_eq!(load(file("").file_if_exists(&path)), load(file("")));
    std::fs::write(&path, "common: {name: seven}").unwrap();
    assert_eq!(load(file("").file(&path)).common.name, "seven");
    assert_eq!(load(file("").file_if_exists(&path)).common.name, "seven");
    assert!(error(file("").file_if_exists(directory.path())).contains("Is a directory"));
}

#[test]
fn a_syntax_error_says_where_and_shows_no_other_line() {
    let text = error(file("common:\n  name: hush-hush\n  other: [1\ndriver: 3\n"));
    assert!(text.starts_with("config.yaml:4:7: this is not valid YAML: "), "{text}");
    assert!(!text.contains("hush") && !text.contains('\n'), "{text}");
    for (yaml, start) in [
        ("common:\n  name: a\n  name: b\n", "config.yaml:3:3: this is not valid YAML: duplicate mapping key: name"),
        ("a: 1\n---\nb: 2\n", "config.yaml:3:"),
        ("common: *nowhere\n", "config.yaml:1:9: "),
        ("\tcommon: x\n", "config.yaml:1:"),
    ] {
        let text = error(file(yaml));
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn a_value_of_the_wrong_type_says_key_origin_and_what_would_fit() {
    for (yaml, expected) in [
        (
            "common:\n  http_port: seven",
            "config.yaml:2:14: `common.http_port`: found \"seven\", expected a whole number from 0 to 65535",
        ),
        (
            "common: {http_port: -1}",
            "config.yaml:1:21: `common.http_port`: found -1, expected a whole number from 0 to 65535",
        ),
        ("common: {name: [a]}", "config.yaml:1:16: `common.name`: found a list or a mapping, expected a single value"),
        (
            "report: {burst: {a: 1}}",
            "config.yaml:1:17: `report.burst`: found a list or a mapping, expected a single value",
        ),
        (
            "common: modbus",
            "config.yaml:1:9: `common`: found a single value or a list, expected a mapping of keys to values",
        ),
        (
            "driver: {call_timeout: 10}",
            "config.yaml:1:24: `driver.call_timeout`: found \"10\", expected a duration, such as `10s` or `500ms`",
        ),
        ("log: {format: xml}", "config.yaml:1:15: `log.format`: found `xml`, expected `text` or `json`"),
        (
            "writes: {mode: readonly}",
            "config.yaml:1:16: `writes.mode`: found `readonly`, expected `enabled` or `readOnly`",
        ),
        (
            "writes: {first_start: skip}",
            "config.yaml:1:23: `writes.first_start`: found `skip`, expected `write` or `hold`",
        ),
        (
            "log: {level: loud}",
            "config.yaml:1:14: `log.level`: found `loud`, expected one of `error`, `warn`, `info`, `debug`, `trace`",
        ),
    ] {
        assert_eq!(error(file(yaml)), expected);
    }
    assert_eq!(
        error(file("").env([("MAPPER_REPORT__BURST", "many")])),
        "environment variable MAPPER_REPORT__BURST: `report.burst`: found \"many\", expected a whole number from 0 to 4294967295"
    );
}

#[test]
fn a_file_that_is_no_mapping_is_refused() {
    for yaml in ["just words", "- a\n- b\n"] {
        assert_eq!(
            error(file(yaml)),
            "config.yaml:1:1: found a single value or a list, expected a mapping of keys to values"
        );
    }
}

#[test]
fn a_value_that_cannot_work_says_why() {
    let long = format!("/run/{}.sock", "m".repeat(98));
    for (yaml, expected) in [
        (
            format!("grpc_server: {{socket_path: {long}}}"),
            format!("`grpc_server.socket_path` is 108 bytes long, but the path of a unix socket holds at most 107: {long}"),
        ),
        (
            format!("common: {{edgecore_sock: {long}}}"),
            format!("`common.edgecore_sock` is 108 bytes long, but the path of a unix socket holds at most 107: {long}"),
        ),
        (
            "grpc_server: {socket_path: m.sock}".into(),
            "`grpc_server.socket_path` must be an absolute path, since edgecore dials it from its own working directory; \
             found m.sock"
                .into(),
        ),
        ("report: {calls_per_second: 0}".into(), "`report.calls_per_second` must be above zero, found 0".into()),
        ("report: {calls_per_second: -0.5}".into(), "`report.calls_per_second` must be above zero, found -0.5".into()),
        (
            "report: {calls_per_second: 1e-30}".into(),
            "`report.calls_per_second` must be at least 0.01, which is one call in 100 s; found \
             0.000000000000000000000000000001"
                .into(),
        ),
        ("writes: {audit: {files: 0}}".into(), "`writes.audit.files` must be above zero, found 0".into()),
        (
            "sinks: {memory_bytes: 1000}".into(),
            "`sinks.memory_bytes` must be at least 1000000 bytes; found 1000".into(),
        ),
        (
            "writes: {audit: {max_bytes: 1000}}".into(),
            "`writes.audit.max_bytes` must be at least 65536 bytes; found 1000".into(),
        ),
        ("report: {deadband: -1}".into(), "`report.deadband` must be zero or above, found -1".into()),
        ("sinks: {push_error_bound: -0.5}".into(), "`sinks.push_error_bound` must be zero or above, found -0.5".into()),
        ("report: {burst: 0}".into(), "`report.burst` must be above zero, found 0".into()),
        ("driver: {call_timeout: 0s}".into(), "`driver.call_timeout` must be above zero, found 0ns".into()),
        ("driver: {backoff_max: 0s}".into(), "`driver.backoff_max` must be above zero, found 0ns".into()),
        ("driver: {max_frame_bytes: 0}".into(), "`driver.max_frame_bytes` must be above zero, found 0".into()),
    ] {
        let text = error(file(&yaml));
        assert!(text.starts_with("config.yaml:1:") && text.ends_with(&format!(": {expected}")), "{text}");
    }
    let fits = &long[..107];
    assert_eq!(load(file(&format!("common: {{edgecore_sock: {fits}}}"))).common.edgecore_sock.to_str(), Some(fits));
}

#[test]
fn a_config_made_in_code_is_completed_and_checked_as_one_that_is_loaded() {
    let mut config = Config::default();
    let error = config.clone().checked().unwrap_err().to_string();
    assert!(error.starts_with("default: `common.protocol` is empty"), "{error}");
    config.common.protocol = "modbus".into();
    assert_eq!(config.clone().checked().unwrap(), load(file("{}")));
    config.report.calls_per_second = f64::NAN;
    assert!(config.checked().is_err());
}

#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    let variable = (OsString::from("MAPPER_COMMON__NAME"), OsString::from_vec(vec![b'm', 0xff]));
    assert_eq!(error(file("").env([variable])), "environment variable MAPPER_COMMON__NAME: `common.name` is not UTF-8");
}

#[test]
fn defaults_that_cannot_be_used_are_an_error() {
    let mut defaults = Config::default();
    defaults.common.edgecore_sock = OsString::from_vec(vec![0xff]).into();
    assert_eq!(
        error(Sources::new(defaults)),
        "the mapper's own defaults cannot be used: path contains invalid UTF-8 characters"
    );
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let previous = format!("*a{}, ", n - 1).repeat(10);
        yaml.push_str(&format!("a{n}: &a{n} [{previous}]\n"));
    }
    assert!(error(file(&yaml)).contains("not valid YAML"));
}

#[test]
fn the_table_in_the_docs_names_every_key_with_its_variable() {
    let docs = include_str!("../mod.rs");
    let keys = Settings::over(&Config::default()).unwrap().keys();
    assert_eq!(keys.len(), docs.lines().filter(|line| line.contains("| `MAPPER_")).count());
    for key in keys {
        let row = docs.lines().find(|line| line.starts_with(&format!("//! | `{key}` |")));
        assert!(row.is_some_and(|row| row.contains(&format!("| `{}` |", env::variable_of(&key)))), "{key}");
    }
}

#[test]
fn every_golden_file_is_read_by_a_test() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config");
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(include_str!("mod.rs").contains(&format!("/config/{name}\"")), "{name}");
    }
}
