//! Records of files, queues, and the identification, over TCP, RTU over TCP and a serial line.

use std::sync::Arc;

use mapper_framework::{AccessMode, DataType, Property, Session, Value, model::Quality, testing::read_many};
use modbus::{Modbus, Unit, Visitor};
use serde_json::{Value as Json, json};

use crate::{
    Outcome,
    driver::{connect, number, property},
    line::Bus,
    server::Server,
};

fn record(address: u16, data_type: &str) -> Property<Visitor> {
    property(json!({"register": "FileRecord", "file": 4, "address": address, "type": data_type}))
}

fn queue(address: u16) -> Property<Visitor> {
    property(json!({"register": "FifoQueue", "address": address, "type": "int16"}))
}

fn object(address: u16) -> Property<Visitor> {
    property(json!({"register": "DeviceIdentification", "address": address, "charset": "utf-8"}))
}

#[tokio::test]
async fn files_queues_and_the_identification_are_read_beside_registers() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut units = vec![connect(&Modbus::default(), &server, 3).await?];
    server.news().await?;
    let mut buses = Bus::both().await?;
    for bus in &buses {
        units.push(bus.unit(3).await?);
    }
    for unit in &mut units {
        reads_all(unit).await?;
    }
    let mut asked = server.news().await?;
    asked.sort();
    // The two records in one request, and what is asked for twice in one as well.
    let functions: Vec<_> = asked.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(functions, ["20", "24", "3", "43", "43", "43"]);
    for bus in &mut buses {
        assert_eq!(bus.requests().await?.len(), functions.len());
    }
    Ok(())
}

async fn reads_all(unit: &mut Unit) -> Outcome {
    let expected = [
        (record(1, "uint16"), "32"),
        (record(2, "float32"), "21.5"),
        (queue(1246), "[440,4740,-1]"),
        (number(0, "int16"), "-5"),
        (object(0), "Kessel & S\u{f6}hne"),
        (object(0), "Kessel & S\u{f6}hne"),
        (object(5), "boiler"),
        (object(128), "hall 7"),
    ];
    let properties: Vec<_> = expected.iter().map(|(property, _)| Arc::new(property.clone())).collect();
    for (value, (_, expected)) in read_many(unit, &properties).await.into_iter().zip(expected) {
        let reading = value?;
        assert_eq!(reading.get_quality(), Quality::Good);
        assert_eq!(reading.into_value().to_string(), expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_record_is_written_and_what_is_not_there_costs_only_itself() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 1).await?;
    let speed = record(4, "uint32");
    unit.write(&speed, &Value::Int(0x0012_3456)).await?;
    assert_eq!(unit.read(&speed).await?.into_value(), Value::Int(0x0012_3456));
    let bit = property(json!({"register": "FileRecord", "file": 4, "address": 6, "bit": 0}));
    unit.write(&bit, &Value::Boolean(true)).await?;
    assert_eq!(unit.read(&record(6, "uint16")).await?.into_value(), Value::Int(7), "the other bits are as they were");
    server.news().await?;
    let properties = [record(9, "uint16"), record(10, "uint16"), queue(1), object(6)].map(Arc::new);
    let mut values = read_many(&mut unit, &properties).await.into_iter();
    assert_eq!(values.next().expect("four")?.into_value(), Value::Int(9));
    let errors: Vec<_> = values.map(|value| value.expect_err("it is not there").to_string()).collect();
    let exception = "the device answers with exception 0x02, Illegal data address";
    assert_eq!(errors[0], format!("FileRecord 10 of file 4: {exception}"));
    assert_eq!(errors[1], format!("FifoQueue 1: {exception}"));
    assert_eq!(errors[2], "DeviceIdentification 6: the device's identification has no such object");
    Ok(())
}

#[test]
fn a_visitor_that_says_too_much_or_too_little_is_an_error() {
    for (keys, message) in [
        (json!({"register": "FileRecord", "address": 1, "type": "int16"}), "`file` is missing"),
        (json!({"register": "FileRecord", "file": 1, "address": 1}), "`type` is missing"),
        (
            json!({"register": "FileRecord", "file": 1, "address": 1, "type": "string", "length": 122}),
            "122 registers do not fit into one request for a file, which has 121 at most",
        ),
        (
            json!({"register": "HoldingRegister", "file": 1, "address": 1, "type": "int16"}),
            "`file` says nothing about a HoldingRegister",
        ),
        (
            json!({"register": "FifoQueue", "address": 1, "type": "int16", "count": 4}),
            "`count` says nothing about a FifoQueue",
        ),
        (json!({"register": "FifoQueue", "address": 1, "type": "date6"}), "a FifoQueue holds numbers"),
        (
            json!({"register": "DeviceIdentification", "address": 0, "type": "string"}),
            "`type` says nothing about a DeviceIdentification",
        ),
    ] {
        let error = serde_json::from_value::<Visitor>(keys.clone()).expect_err("it is wrong").to_string();
        assert!(error.starts_with(message), "{keys}: {error}");
    }
    let writable = |keys: Json| {
        let visitor: Visitor = serde_json::from_value(keys).expect("the visitor is right");
        let property =
            Property::builder("property", DataType::String).access_mode(AccessMode::ReadWrite).visitor(visitor);
        Unit::check(&property).err().map(|error| error.to_string())
    };
    let error = writable(json!({"register": "FifoQueue", "address": 1, "type": "int16"}));
    assert_eq!(
        error.as_deref(),
        Some("FifoQueue 1 can only be read, as Modbus has it: the device model has to say ReadOnly")
    );
    assert_eq!(
        writable(json!({"register": "FileRecord", "file": 1, "address": 1, "type": "string", "length": 2})),
        None
    );
}
