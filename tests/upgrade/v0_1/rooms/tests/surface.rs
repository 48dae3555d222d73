//! What a user calls besides: the config, values, properties, and an edge without a mapper.

use std::time::Duration;

use mapper_framework::{
    AccessMode, DataType, Device, DriverError, Mapper, MapperError, Package, Property, Value,
    config::{Config, ConfigError, LogLevel, MqttVersion, MysqlLayout, Origin, Sources, SpoolSync},
    local_edge::LocalEdge,
    model::ValueError,
    sink::SinkError,
};

use frozen_mapper::driver::Rooms;

#[test]
fn the_config_is_loaded_and_its_fields_have_their_names() -> Result<(), ConfigError> {
    let package: Package = mapper_framework::package!();
    let sources = Sources::new(Config::from_package(&package))
        .contents("config.yaml", include_str!("../config.yaml"))
        .env([("MAPPER_SPOOL__SYNC", "never"), ("MAPPER_SINKS__MQTT__VERSION", "5")]);
    let (config, warnings) = Config::load(sources)?;
    assert_eq!((warnings.len(), config.common.name.as_str()), (0, "frozen-mapper"));
    assert_eq!((config.common.http_port, config.log.level), (7777, LogLevel::Info));
    assert_eq!((config.driver.call_timeout, config.shutdown.grace), (Duration::from_secs(10), Duration::from_secs(10)));
    assert_eq!((config.spool.sync, config.spool.max_bytes), (SpoolSync::Never, 64 << 20));
    assert_eq!((config.sinks.mqtt.version, config.sinks.mysql.layout), (MqttVersion::V5, MysqlLayout::Single));
    let sources = Sources::new(Config::default()).contents("config.yaml", "common: {http_port: many}");
    let error = Config::load(sources).expect_err("no number");
    assert!(matches!(error, ConfigError::WrongType { origin: Origin::File { line: 1, .. }, .. }), "{error}");
    Ok(())
}

#[test]
fn values_are_made_parsed_and_brought_into_a_type() -> Result<(), ValueError> {
    assert_eq!(Value::parse("1.5", DataType::Double)?, Value::Double(1.5));
    assert_eq!(Value::from(2).conform(DataType::Float)?, Value::Float(2.0));
    assert_eq!(Value::from("text").to_string(), "text");
    assert_eq!(Value::from(true).as_f64(), None);
    Ok(())
}

#[test]
fn devices_are_built_for_tests() {
    let property = Property::builder("level", DataType::Float)
        .access_mode(AccessMode::ReadWrite)
        .minimum(0.0)
        .maximum(10.0)
        .unit("m")
        .collect_cycle(Duration::from_secs(1))
        .report_to_cloud(true)
        .build();
    assert!(property.check_bounds(&Value::Float(11.0)).is_err());
    let device = Device::builder("tank").protocol("room").property(property).method("fill", &["level"]).build();
    let level = device.property("level").expect("it was added");
    assert_eq!((level.name(), level.unit(), level.data_type()), ("level", "m", DataType::Float));
}

#[test]
fn errors_say_what_follows() {
    let lost = DriverError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    assert!(lost.is_disconnected() && lost.is_retryable());
    assert!(!DriverError::refused("no").is_retryable() && !DriverError::unsupported("never").is_retryable());
    assert!(SinkError::failed("busy").retry_after(Duration::from_secs(1)).is_retryable());
    assert!(!SinkError::rejected("poison").is_retryable() && SinkError::unsupported("history").is_unsupported());
}

#[tokio::test]
async fn a_mapper_runs_within_another_program() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().limiter(100, 1.0).start(folder.path()).await?;
    let mut config = Config::default();
    config.common.protocol = "room".into();
    config.common.edgecore_sock = edge.socket().to_owned();
    config.grpc_server.socket_path = folder.path().join("mapper.sock");
    let mapper = Mapper::builder(Rooms).config(config).environment([("A", "B")]).build();
    let registered = edge.wait_until(|edge| edge.mappers().next().is_some());
    mapper.run_until(registered).await?;
    let ended: Result<(), MapperError> = Mapper::builder(Rooms).build().run_until(async {}).await;
    assert!(matches!(ended, Err(MapperError::Config(_))), "{ended:?}");
    Ok(())
}
