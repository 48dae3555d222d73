//! The driver by itself, called as the framework calls it.

use std::sync::Arc;

use mapper_framework::{DataType, Device, Driver, DriverError, Property, Reading, Session, Value, testing::read_many};
use modbus::{Config, Modbus, Unit, Visitor};
use serde_json::{Value as Json, json};

use crate::{Outcome, server::Server};

#[tokio::test]
async fn a_number_of_each_type_is_read_and_all_in_one_request() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 3).await?;
    let expected = [
        (number(0, "int16"), Value::Int(-5)),
        (number(1, "uint16"), Value::Int(65535)),
        (number(2, "int32"), Value::Int(-70_000)),
        (number(4, "uint32"), Value::Int(4_000_000_000)),
        (number(6, "int64"), Value::Int(-5_000_000_000_000)),
        (number(10, "uint64"), Value::Int(5_000_000_000_000)),
        (number(14, "float32"), Value::Float(21.5)),
        (number(16, "float64"), Value::Double(0.1)),
        (holding(json!({"address": 20, "type": "uint32", "wordOrder": "little"})), Value::Int(0x1234_5678)),
        (holding(json!({"address": 22, "type": "uint32", "byteOrder": "little"})), Value::Int(0x1234_5678)),
        (holding(json!({"address": 0, "type": "int16", "scale": 0.1, "bias": 20})), Value::Double(19.5)),
    ];
    let properties: Vec<_> = expected.iter().map(|(property, _)| Arc::new(property.clone())).collect();
    let values = read_many(&mut unit, &properties).await;
    assert_eq!(values.len(), expected.len());
    for (value, (property, expected)) in values.into_iter().zip(&expected) {
        assert_eq!(value.as_ref().ok().map(Reading::get_value), Some(expected), "{property:?}: {value:?}");
    }
    // Registers 18 and 19 belong to the float64 at 16, and 20 follows at once: nothing parts the eleven.
    assert_eq!(server.news().await?, ["connected", "request 3 3 0 24"]);
    Ok(())
}

#[tokio::test]
async fn the_four_tables_are_told_apart() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 1).await?;
    let properties = [
        bit("Coil", 1),
        bit("DiscreteInput", 1),
        number(0, "int16"),
        property(json!({"register": "InputRegister", "address": 0, "type": "int16"})),
    ];
    let mut values = Vec::new();
    for property in &properties {
        values.push(unit.read(property).await?.into_value());
    }
    assert_eq!(values, [false.into(), true.into(), Value::Int(600), Value::Int(583)]);
    let requests = ["request 1 1 1 1", "request 1 2 1 1", "request 1 3 0 1", "request 1 4 0 1"];
    assert_eq!(server.news().await?[1..], requests);
    Ok(())
}

#[tokio::test]
async fn a_gap_is_bridged_only_if_the_config_says_so() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let properties = [number(0, "uint16"), number(3, "uint16")].map(Arc::new);
    for (max_gap, requests) in [(0, vec!["request 6 3 0 1", "request 6 3 3 1"]), (2, vec!["request 6 3 0 4"])] {
        let mut unit = connect_with(&driver, &server, json!({"unitId": 6, "maxGap": max_gap})).await?;
        let values = read_many(&mut unit, &properties).await;
        assert_eq!(integers(values), [Some(0), Some(3)]);
        let mut news = server.news().await?;
        news.retain(|line| line.starts_with("request"));
        news.sort();
        assert_eq!(news, requests);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_written_stands_in_the_device() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 1).await?;
    let setpoint = holding(json!({"address": 0, "type": "int16", "scale": 0.1}));
    unit.write(&setpoint, &Value::Float(-21.3)).await?;
    let counter = holding(json!({"address": 10, "type": "uint32", "wordOrder": "little"}));
    unit.write(&counter, &Value::Int(0x1234_5678)).await?;
    unit.write(&bit("Coil", 2), &Value::Boolean(true)).await?;
    let writes: Vec<_> = server.news().await?.into_iter().filter(|line| line.starts_with("request")).collect();
    // Functions 6, 16 and 5: one register, several, and a coil.
    assert_eq!(
        writes.iter().map(|line| line.split(' ').nth(2)).collect::<Vec<_>>(),
        [Some("6"), Some("16"), Some("5")]
    );
    assert_eq!(server.holding(1, 0, 1).await?, [-213_i16 as u16]);
    assert_eq!(server.holding(1, 10, 2).await?, [0x5678, 0x1234]);
    assert_eq!(unit.read(&bit("Coil", 2)).await?.into_value(), Value::Boolean(true));
    assert_eq!(unit.read(&bit("Coil", 1)).await?.into_value(), Value::Boolean(false));
    Ok(())
}

#[tokio::test]
async fn a_device_that_knows_only_multiple_writes_gets_them_for_one_register_and_one_coil() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 1).await?;
    let setpoint = holding(json!({"address": 0, "type": "int16", "writeFunction": "multiple"}));
    unit.write(&setpoint, &Value::Int(7)).await?;
    let pump = property(json!({"register": "Coil", "address": 2, "writeFunction": "multiple"}));
    unit.write(&pump, &Value::Boolean(true)).await?;
    let news = server.news().await?;
    assert_eq!(news[1..], ["request 1 16 0 1", "request 1 15 2 1"]);
    assert_eq!(server.holding(1, 0, 1).await?, [7]);
    assert_eq!(unit.read(&pump).await?.into_value(), Value::Boolean(true));
    Ok(())
}

#[tokio::test]
async fn a_forbidden_register_is_never_asked_for_and_a_request_keeps_to_its_limit() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let config = json!({"unitId": 6, "maxGap": 9, "maxRegisters": 3, "forbidden": "5, 9"});
    let mut unit = connect_with(&Modbus::default(), &server, config).await?;
    let properties: Vec<_> = [0, 1, 2, 3, 4, 6, 8, 9].map(|address| Arc::new(number(address, "uint16"))).into();
    let mut values = read_many(&mut unit, &properties).await;
    let error = refusal(values.pop().expect("eight of them"));
    assert_eq!(error, "HoldingRegister 9: the device's `forbidden` says that it must be neither read nor written");
    assert_eq!(integers(values), [0, 1, 2, 3, 4, 6, 8].map(Some));
    let mut news = server.news().await?;
    news.sort();
    assert_eq!(news, ["connected", "request 6 3 0 3", "request 6 3 3 2", "request 6 3 6 3"]);
    Ok(())
}

#[tokio::test]
async fn a_forbidden_address_is_never_written_neither_whole_nor_some_of_its_bits() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let config = json!({"unitId": 9, "forbidden": "2-3"});
    let mut unit = connect_with(&Modbus::default(), &server, config).await?;
    for (property, value, what) in [
        (number(2, "int16"), Value::Int(7), "HoldingRegister 2"),
        (number(1, "uint32"), Value::Int(7), "HoldingRegister 1"),
        (holding(json!({"address": 3, "bit": 3})), Value::Boolean(true), "HoldingRegister 3"),
        (holding(json!({"address": 3, "bit": 3, "writeMask": false})), Value::Boolean(true), "HoldingRegister 3"),
        (bit("Coil", 2), Value::Boolean(true), "Coil 2"),
    ] {
        let error = refusal(unit.write(&property, &value).await);
        let reason = "the device's `forbidden` says that it must be neither read nor written";
        assert_eq!(error, format!("{what}: {reason}"));
    }
    unit.write(&number(4, "int16"), &Value::Int(7)).await?;
    assert_eq!(server.news().await?, ["connected", "request 9 6 4 0"]);
    Ok(())
}

#[tokio::test]
async fn some_bits_are_written_without_touching_the_others() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let bit = |more: Json| {
        let mut keys = json!({"address": 2, "bit": 3});
        keys.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        holding(keys)
    };
    let wide = holding(json!({"address": 2, "type": "uint32", "mask": "0x00FF0000"}));
    // Unit 9 knows mask writes, unit 8 does not, and the first refusal is remembered.
    for (number, more, functions) in [
        (9, json!({}), &["22", "22"][..]),
        (9, json!({"writeMask": false}), &["3", "6", "3", "6"]),
        (8, json!({}), &["22", "3", "6", "3", "6"]),
    ] {
        server.fill(number, 2, &[0xf0f1, 0x1234]).await?;
        let mut unit = connect(&driver, &server, number).await?;
        server.news().await?;
        let property = bit(more);
        unit.write(&property, &Value::Boolean(true)).await?;
        assert_eq!(server.holding(number, 2, 2).await?, [0xf0f9, 0x1234]);
        unit.write(&property, &Value::Boolean(false)).await?;
        let requests = server.news().await?;
        let own = format!("request {number} ");
        let used: Vec<_> = requests.iter().filter_map(|line| line.strip_prefix(&own)?.split(' ').next()).collect();
        // The probe's own look is the one for two registers.
        let look = requests.iter().position(|line| *line == format!("request {number} 3 2 2")).expect("it looked");
        let mut used = used;
        let before = requests[..look].iter().filter(|line| line.starts_with(&own)).count();
        used.remove(before);
        assert_eq!(used, functions);
        assert_eq!(server.holding(number, 2, 2).await?, [0xf0f1, 0x1234]);
        unit.write(&wide, &Value::Int(0xab)).await?;
        assert_eq!(server.holding(number, 2, 2).await?, [0xf0ab, 0x1234]);
    }
    Ok(())
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_refused_and_not_sent() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 1).await?;
    let error = refusal(unit.write(&number(10, "int16"), &Value::Int(40_000)).await);
    assert_eq!(error, r#"HoldingRegister 10: "40000" does not fit: int16 holds -32768 to 32767 in steps of 1"#);
    let error = refusal(unit.write(&number(10, "int16"), &Value::Double(0.5)).await);
    assert!(error.starts_with(r#"HoldingRegister 10: "0.5" does not fit"#), "{error}");
    let error = refusal(unit.write(&bit("DiscreteInput", 0), &Value::Boolean(true)).await);
    assert_eq!(error, "DiscreteInput 0 can only be read, as Modbus has it");
    assert_eq!(unit.read(&number(10, "int16")).await?.into_value(), Value::Int(0));
    assert_eq!(server.news().await?, ["connected", "request 1 3 10 1"]);
    Ok(())
}

#[tokio::test]
async fn a_register_that_does_not_exist_costs_only_its_own_property() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 6).await?;
    let properties: Vec<_> = (0..10).map(|address| Arc::new(number(address, "uint16"))).collect();
    let mut values = read_many(&mut unit, &properties).await;
    let error = refusal(values.remove(5));
    assert_eq!(error, "HoldingRegister 5: the device answers with exception 0x02, Illegal data address");
    assert_eq!(integers(values), [0, 1, 2, 3, 4, 6, 7, 8, 9].map(Some));
    assert!(server.news().await?.contains(&"request 6 3 0 10".to_owned()), "they were asked for together at first");
    Ok(())
}

#[tokio::test]
async fn a_unit_that_the_gateway_cannot_reach_fails_without_costing_the_connection() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let (mut away, mut there) = (connect(&driver, &server, 5).await?, connect(&driver, &server, 1).await?);
    let properties = [number(0, "int16"), number(0, "uint16")].map(Arc::new);
    for value in read_many(&mut away, &properties).await {
        let error = value.expect_err("the unit is away");
        assert!(error.is_retryable() && !error.is_disconnected(), "{error}");
    }
    assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    // Smaller requests would not reach it either, and would each cost the gateway's timeout.
    assert_eq!(server.news().await?, ["connected", "request 5 3 0 1", "request 1 3 0 1"]);
    Ok(())
}

#[tokio::test]
async fn units_behind_one_gateway_share_a_connection_that_ends_with_the_last_of_them() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let (one, two) = tokio::join!(connect(&driver, &server, 1), connect(&driver, &server, 2));
    let (mut one, mut two) = (one?, two?);
    let temperature = property(json!({"register": "InputRegister", "address": 0, "type": "int16"}));
    let (hot, cold) = tokio::join!(one.read(&temperature), two.read(&temperature));
    assert_eq!((hot?, cold?), (583.into(), (-71).into()));
    assert_eq!(connections(&server.news().await?), 1);
    drop(one);
    assert_eq!(two.read(&temperature).await?.into_value(), Value::Int(-71));
    drop(two);
    one = connect(&driver, &server, 1).await?;
    assert_eq!(one.read(&temperature).await?.into_value(), Value::Int(583));
    assert_eq!(connections(&server.news().await?), 1, "the first connection is gone, so this is another one");
    Ok(())
}

#[tokio::test]
async fn sessions_learn_that_the_server_is_gone_and_go_on_over_a_new_connection_when_it_is_back() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let (mut one, mut two) = (connect(&driver, &server, 1).await?, connect(&driver, &server, 2).await?);
    assert!(one.read(&number(0, "int16")).await.is_ok());
    server.kill().await;
    for unit in [&mut one, &mut two] {
        let error = unit.read(&number(0, "int16")).await.expect_err("the server was killed");
        assert!(error.is_disconnected(), "{error:?}");
        assert!(error.to_string().contains("the connection to 127.0.0.1:"), "{error:?}");
    }
    let mut server = server.restart().await?;
    for unit in [&mut one, &mut two] {
        assert_eq!(unit.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    }
    assert_eq!(connections(&server.news().await?), 1);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_the_gateway_closed_while_idle_is_made_anew_and_no_session_notices() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let (mut one, mut two) = (connect(&driver, &server, 1).await?, connect(&driver, &server, 2).await?);
    assert!(one.read(&number(0, "int16")).await.is_ok());
    // To the sessions, another server in its place is no different from a gateway that closed their connection.
    let mut server = server.restart().await?;
    two.write(&number(0, "int16"), &Value::Int(7)).await?;
    assert_eq!(one.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    assert_eq!(server.holding(2, 0, 1).await?, [7], "nothing is lost of a write either");
    assert_eq!(connections(&server.news().await?), 1);
    Ok(())
}

#[tokio::test]
async fn a_connection_is_closed_after_each_round_if_the_config_says_so() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let config = json!({"unitId": 1, "closeAfterRound": true});
    let mut unit = connect_with(&Modbus::default(), &server, config).await?;
    let properties = [number(0, "int16")].map(Arc::new);
    for _ in 0..3 {
        assert_eq!(integers(read_many(&mut unit, &properties).await), [Some(600)]);
    }
    assert_eq!(connections(&server.news().await?), 3);
    Ok(())
}

#[tokio::test]
async fn requests_of_all_units_keep_their_pause() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let mut one = connect(&driver, &server, 1).await?;
    let mut two = connect_with(&driver, &server, json!({"unitId": 2, "pause": 60})).await?;
    one.read(&number(0, "int16")).await?;
    let start = std::time::Instant::now();
    for _ in 0..3 {
        two.read(&number(0, "int16")).await?;
    }
    assert!(start.elapsed() >= std::time::Duration::from_millis(180 - 1), "{:?}", start.elapsed());
    Ok(())
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_names_the_address() -> Outcome {
    let port = integration_tests::free_port();
    let config = serde_json::from_value(json!({"host": "127.0.0.1", "port": port}))?;
    let error = Modbus::default().connect(&device(), config).await.err().expect("nobody listens");
    assert!(error.to_string().starts_with(&format!("no connection to 127.0.0.1:{port}: ")), "{error}");
    assert!(error.is_disconnected());
    Ok(())
}

#[tokio::test]
async fn a_unit_that_never_answers_costs_the_others_neither_session_nor_connection() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let mut there = connect(&driver, &server, 1).await?;
    for _ in 0..5 {
        let mut silent = connect_with(&driver, &server, json!({"unitId": 4, "timeout": 50})).await?;
        let error = silent.read(&number(0, "int16")).await.expect_err("the unit never answers");
        assert!(error.is_disconnected(), "{error:?}");
        assert_eq!(error.to_string(), "HoldingRegister 0: no answer within 50 ms");
        assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    }
    assert_eq!(connections(&server.news().await?), 1);
    Ok(())
}

#[tokio::test]
async fn a_late_answer_is_taken_neither_for_another_units_nor_for_another_registers() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let mut there = connect(&driver, &server, 1).await?;
    let mut late = connect_with(&driver, &server, json!({"unitId": 7, "timeout": 50})).await?;
    for _ in 0..2 {
        // Each answer comes when the next request is there. A connection with late answers is not a silent one.
        for register in [0, 1, 0, 1, 0] {
            let error = late.read(&number(register, "int16")).await.expect_err("the answer is late");
            assert_eq!(error.to_string(), format!("HoldingRegister {register}: no answer within 50 ms"));
        }
        assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    }
    there.write(&number(0, "int16"), &Value::Int(601)).await?;
    assert_eq!(server.holding(1, 0, 1).await?, [601]);
    assert_eq!(connections(&server.news().await?), 1);
    Ok(())
}

#[tokio::test]
async fn a_connection_on_which_nothing_answers_is_made_anew_and_no_session_notices() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let mut there = connect(&driver, &server, 1).await?;
    let mut silent = connect_with(&driver, &server, json!({"unitId": 4, "timeout": 50})).await?;
    for _ in 0..3 {
        assert!(silent.read(&number(0, "int16")).await.is_err());
    }
    assert_eq!(server.connections().await?, 1);
    assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    assert_eq!(server.connections().await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_does_not_leave_its_answer_to_the_next() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let mut late = connect_with(&driver, &server, json!({"unitId": 7, "timeout": 60_000})).await?;
    let mut there = connect(&driver, &server, 1).await?;
    let register = number(0, "int16");
    tokio::select! {
        value = late.read(&register) => panic!("the answer comes after the next request, but gave {value:?}"),
        () = server.says("request 7 3 0 1") => {}
    }
    assert_eq!(there.read(&register).await?.into_value(), Value::Int(600));
    assert_eq!(connections(&server.news().await?), 1);
    Ok(())
}

#[tokio::test]
async fn the_boilers_of_the_manifests_are_read_in_one_request_for_each_table() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let mut values = Vec::new();
    for manifest in serde_saphyr::from_multiple::<Json>(include_str!("../../devices/instance.yaml"))? {
        let mut config = manifest["spec"]["protocol"]["configData"].clone();
        config["timeout"] = 10_000.into();
        let mut unit = connect_with(&driver, &server, config).await?;
        let properties = manifest["spec"]["properties"].as_array().expect("a list").iter();
        let visitor = |it: &Json| {
            let mut visitor = it["visitors"]["configData"].clone();
            // That key is the framework's.
            visitor.as_object_mut().and_then(|keys| keys.remove("writePolicy"));
            Arc::new(property(visitor))
        };
        let properties: Vec<_> = properties.map(visitor).collect();
        for value in read_many(&mut unit, &properties).await {
            values.push(value?.get_value().to_string());
        }
    }
    let (one, two) = values.split_at(6);
    assert_eq!(one, ["58.3", "1.5", "123456", "60", "false", "false"]);
    assert_eq!(two, ["-7.1", "1.5", "123456", "60", "false", "false"]);
    let mut requests: Vec<_> = server.news().await?.into_iter().filter(|line| line.starts_with("request")).collect();
    requests.sort();
    let of = |unit| ["1 0 1", "2 0 1", "3 0 1", "4 0 5"].map(|request| format!("request {unit} {request}"));
    assert_eq!(requests, [of(1), of(2)].concat());
    Ok(())
}

pub(crate) async fn connect(driver: &Modbus, server: &Server, unit: u8) -> Result<Unit, DriverError> {
    connect_with(driver, server, json!({"unitId": unit})).await
}

/// An answer is waited for until even a busy machine has given it, unless `keys` say otherwise.
pub(crate) async fn connect_with(driver: &Modbus, server: &Server, mut keys: Json) -> Result<Unit, DriverError> {
    keys["host"] = "127.0.0.1".into();
    keys["port"] = server.port.into();
    keys.as_object_mut().expect("a map").entry("timeout").or_insert(10_000.into());
    let config: Config = serde_json::from_value(keys)?;
    driver.connect(&device(), config).await
}

/// The driver does not look at the device.
pub(crate) fn device() -> Device {
    Device::builder("boiler").build()
}

pub(crate) fn property(visitor: Json) -> Property<Visitor> {
    let visitor: Visitor = serde_json::from_value(visitor).expect("the visitor is right");
    Property::builder("property", DataType::Double).visitor(visitor)
}

pub(crate) fn bit(register: &str, address: u16) -> Property<Visitor> {
    property(json!({"register": register, "address": address}))
}

pub(crate) fn holding(mut visitor: Json) -> Property<Visitor> {
    visitor["register"] = "HoldingRegister".into();
    property(visitor)
}

pub(crate) fn number(address: u16, data_type: &str) -> Property<Visitor> {
    holding(json!({"address": address, "type": data_type}))
}

fn integers(values: Vec<Result<Reading, DriverError>>) -> Vec<Option<i64>> {
    let value = |result: Result<Reading, DriverError>| result.ok().map(Reading::into_value);
    let integer = |result| if let Some(Value::Int(integer)) = value(result) { Some(integer) } else { None };
    values.into_iter().map(integer).collect()
}

/// The message of an error that is not worth a retry.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, DriverError>) -> String {
    let error = outcome.expect_err("a refusal");
    assert!(!error.is_retryable(), "{error:?}");
    error.to_string()
}

fn connections(news: &[String]) -> usize {
    news.iter().filter(|line| *line == "connected").count()
}
