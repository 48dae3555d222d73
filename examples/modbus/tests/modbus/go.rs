//! Manifests of KubeEdge's Go mapper: what it reads of registers is worked out by hand from its code, and read here from pymodbus.

use mapper_framework::{
    AccessMode, DataType, Driver, Property, Review, Session, Value,
    model::{DeviceId, PushMethod},
};
use modbus::{Config, Modbus, Unit, Visitor};
use serde_json::{Value as Json, json};

use crate::{
    Outcome,
    driver::{connect, device},
    mapper::{holds, run},
    server::{Also, Server},
};

const UNIT: u8 = 9;

/// A property with these keys, of which the first is `register` and the second `offset`.
fn property(register: &str, offset: u16, keys: &Json, data_type: DataType) -> Property<Visitor> {
    let mut visitor = json!({"register": register, "offset": offset});
    visitor.as_object_mut().expect("a map").extend(keys.as_object().expect("a map").clone());
    let visitor = serde_json::from_value(visitor).unwrap_or_else(|error| panic!("{keys}: {error}"));
    Property::builder("property", data_type).access_mode(AccessMode::ReadOnly).visitor(visitor)
}

fn holding(keys: &Json, data_type: DataType) -> Property<Visitor> {
    property("HoldingRegister", 0, keys, data_type)
}

#[tokio::test]
async fn registers_are_read_as_the_go_mapper_reads_them() -> Outcome {
    use DataType as T;
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, UNIT).await?;
    // Swapped are registers first, then the bytes in each. Integers have no sign, and their fraction is cut off.
    let vectors: Vec<(&[u16], Json, DataType, Value)> = vec![
        (&[0x1234], json!({"limit": 1}), T::Int, 0x1234.into()),
        (&[0x1234], json!({"limit": 1, "isSwap": true}), T::Int, 0x3412.into()),
        (&[0x1234], json!({"limit": 1, "isRegisterSwap": true}), T::Int, 0x1234.into()),
        (&[0xFFFE], json!({"limit": 1, "dataType": "int", "scale": 1.0}), T::Int, 65534.into()),
        (&[0xFFFE], json!({"limit": 1, "scale": 0.1}), T::Int, 6553.into()),
        (&[0xFFFE], json!({"limit": 1, "scale": "0.1"}), T::Int, 6553.into()),
        (&[215], json!({"limit": 1, "scale": 0.1}), T::Float, Value::Double(21.5)),
        (&[215], json!({"limit": 1, "dataType": "double", "scale": 0.1}), T::Double, Value::Double(21.5)),
        (&[1, 2], json!({"limit": 2}), T::Int, 0x0001_0002.into()),
        (&[1, 2], json!({"limit": 2, "isRegisterSwap": true}), T::Int, 0x0002_0001.into()),
        (&[1, 2], json!({"limit": 2, "isSwap": true}), T::Int, 0x0100_0200.into()),
        (&[1, 2], json!({"limit": 2, "isSwap": true, "isRegisterSwap": true}), T::Int, 0x0200_0100.into()),
        (&[0xFFFF, 0xFFFF], json!({"limit": 2}), T::Int, 4_294_967_295_i64.into()),
        (&[1, 2, 3, 4], json!({"limit": 4}), T::Int, 0x0001_0002_0003_0004_i64.into()),
        (&[1, 2, 3, 4], json!({"limit": 4, "isRegisterSwap": true}), T::Int, 0x0004_0003_0002_0001_i64.into()),
        // 21.5 is 0x41AC0000.
        (&[0x41AC, 0], json!({"limit": 2}), T::Float, Value::Float(21.5)),
        (&[0, 0x41AC], json!({"limit": 2, "isRegisterSwap": true, "scale": 2}), T::Float, Value::Double(43.0)),
        (&[0xAC41, 0], json!({"limit": 2, "isSwap": true}), T::Float, Value::Float(21.5)),
        (&[0, 0xAC41], json!({"limit": 2, "isSwap": true, "isRegisterSwap": true}), T::Float, Value::Float(21.5)),
        // 0.1 is 0x3FB999999999999A.
        (&[0x3FB9, 0x9999, 0x9999, 0x999A], json!({"limit": 4}), T::Double, Value::Double(0.1)),
        (&[0x999A, 0x9999, 0x9999, 0x3FB9], json!({"limit": 4, "isRegisterSwap": true}), T::Double, Value::Double(0.1)),
        // A boolean is whether the first byte is 1, which without isSwap is the high one.
        (&[0x0100], json!({"limit": 1}), T::Boolean, true.into()),
        (&[0x0001], json!({"limit": 1}), T::Boolean, false.into()),
        (&[0x0001], json!({"limit": 1, "isSwap": true, "dataType": "boolean"}), T::Boolean, true.into()),
        (&[0x0200], json!({"limit": 1}), T::Boolean, false.into()),
        (&[0x4142, 0x4344], json!({"limit": 2}), T::String, "ABCD".into()),
        (&[0x4142, 0x4344], json!({"limit": 2, "isSwap": true}), T::String, "BADC".into()),
        (&[0x4142, 0x4344], json!({"limit": 2, "isRegisterSwap": true}), T::String, "CDAB".into()),
        (&[0x4142, 0], json!({"limit": 2, "dataType": "String"}), T::String, "AB".into()),
        (&[0x0102, 0x0304], json!({"limit": 2}), T::Bytes, vec![1, 2, 3, 4].into()),
    ];
    for (words, keys, data_type, expected) in vectors {
        server.fill(UNIT, 0, words).await?;
        let property = holding(&keys, data_type);
        Unit::check(&property)?;
        assert_eq!(unit.read(&property).await?.get_value(), &expected, "{words:x?} {keys} {data_type}");
    }
    Ok(())
}

#[tokio::test]
async fn bits_are_read_as_the_go_mapper_reads_them() -> Outcome {
    use DataType as T;
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, UNIT).await?;
    // The discrete inputs are 0, 1, 0, 1 …, and the first is the least significant bit of a number. Swaps change nothing.
    for (offset, limit, data_type, expected) in [
        (0, 1, T::Int, Value::from(0)),
        (1, 1, T::Int, 1.into()),
        (1, 1, T::Boolean, true.into()),
        (1, 1, T::Double, Value::Double(1.0)),
        (1, 1, T::String, "1".into()),
        (0, 4, T::Int, 0b1010.into()),
        (0, 8, T::Int, 0b1010_1010.into()),
        (1, 2, T::Boolean, true.into()),
        (0, 2, T::Boolean, false.into()),
    ] {
        let keys = json!({"limit": limit, "scale": 1.0, "isSwap": true, "isRegisterSwap": true});
        let property = property("DiscreteInputRegister", offset, &keys, data_type);
        Unit::check(&property)?;
        assert_eq!(unit.read(&property).await?.get_value(), &expected, "{offset} {limit} {data_type}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_written_is_read_back() -> Outcome {
    use DataType as T;
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, UNIT).await?;
    for (keys, data_type, value, words) in [
        (json!({"limit": 1}), T::Int, Value::from(7), vec![7]),
        (json!({"limit": 1, "scale": 0.1}), T::Int, 7.into(), vec![70]),
        (json!({"limit": 2, "isRegisterSwap": true}), T::Int, 0x0001_0002.into(), vec![2, 1]),
        (json!({"limit": 2, "isSwap": true}), T::Float, Value::Float(21.5), vec![0xAC41, 0]),
        (json!({"limit": 1}), T::Boolean, true.into(), vec![0x0100]),
        (json!({"limit": 2}), T::String, "ABC".into(), vec![0x4142, 0x4300]),
    ] {
        let property = holding(&keys, data_type);
        unit.write(&property, &value).await?;
        assert_eq!(server.holding(UNIT, 0, words.len() as u16).await?, words, "{keys}");
        assert_eq!(unit.read(&property).await?.get_value(), &value, "{keys}");
    }
    let coil = property("CoilRegister", 3, &json!({"limit": 1, "scale": 1.0, "isSwap": true}), T::Int);
    for value in [1, 0] {
        unit.write(&coil, &value.into()).await?;
        assert_eq!(unit.read(&coil).await?.get_value(), &Value::from(value));
    }
    Ok(())
}

#[tokio::test]
async fn a_manifest_of_the_go_mapper_runs_as_it_is_through_edgecore() -> Outcome {
    let folder = tempfile::tempdir()?;
    let line = folder.path().join("line");
    let also = Also { serial: Some(line.clone()), ..Also::default() };
    let Some(mut server) = Server::start_with(0, also).await? else { return Ok(()) };
    // Only where the devices are is another place here; and a pseudoterminal takes no parity.
    let places = [
        ("10.244.1.3", "127.0.0.1".to_owned()),
        ("5502", server.port.to_string()),
        ("/dev/ttyS0", line.display().to_string()),
        ("parity: even", "parity: none".to_owned()),
    ];
    let manifests = include_str!("../go-mapper.yaml").to_owned();
    let manifests = places.into_iter().fold(manifests, |text, (there, here)| {
        assert!(text.contains(there), "{there}");
        text.replace(there, &here)
    });
    run(&manifests, async |edge| {
        let [tcp, rtu] = ["temperature-tcp", "temperature-rtu"].map(|name| DeviceId::new("default", name));
        holds(edge, &tcp, "temperature", "60").await;
        holds(edge, &tcp, "temperature-switch", "1").await;
        edge.wait_until(|edge| {
            edge.twin(&tcp, "temperature-switch").is_some_and(|twin| twin.observed_desired() == "1")
        })
        .await;
        // Input registers 1 to 4 are 1.5 as a float and 123456: 0x3FC0, 0, 1, 0xE240.
        holds(edge, &rtu, "energy", "16777216").await;
        holds(edge, &rtu, "pressure", "1.5").await;
        holds(edge, &rtu, "alarms", "170").await;
        edge.set_desired(&tcp, "temperature", "72.5").await?;
        holds(edge, &tcp, "temperature", "72.5").await;
        assert_eq!(server.holding(1, 0, 1).await?, [725]);
        Ok(())
    })
    .await
}

#[test]
fn what_the_go_mapper_could_not_read_is_refused_with_the_cure() {
    let refused = |register: &str, keys: Json| {
        let mut visitor = json!({"register": register, "offset": 0});
        visitor.as_object_mut().expect("a map").extend(keys.as_object().expect("a map").clone());
        serde_json::from_value::<Visitor>(visitor).expect_err("a mistake").to_string()
    };
    for (register, keys, message) in [
        ("HoldingRegister", json!({"isSwap": true}), "`limit` is missing: write the number of registers"),
        ("HoldingRegister", json!({"dataType": "int"}), "`limit` is missing"),
        ("HoldingRegister", json!({"limit": 126}), "`limit` is 126, and a HoldingRegister has 1 to 125"),
        ("CoilRegister", json!({"limit": 9}), "`limit` is 9, and a Coil has 1 to 8"),
        ("HoldingRegister", json!({"limit": 1, "dataType": "int16"}), "`limit` belongs to the Go mapper's types"),
        ("HoldingRegister", json!({"limit": 1, "dataType": "integer"}), "`type` is \"integer\""),
        (
            "HoldingRegister",
            json!({"limit": 1, "order": "CDAB"}),
            "`order` says nothing about a property of the Go mapper",
        ),
        ("HoldingRegister", json!({"limit": 1, "scale": 0}), "`scale` is 0"),
        (
            "40001",
            json!({"limit": 1}),
            "`register` is 40001, which is an address as manuals have it: write it to `reference`",
        ),
        ("holding", json!({"limit": 1}), "unknown variant `holding`, expected one of `Coil`, `CoilRegister`"),
        (
            "HoldingRegister",
            json!({"type": "int16", "max": 5}),
            "`max` is a threshold of KubeEdge's temperature sensor",
        ),
    ] {
        let error = refused(register, keys);
        assert!(error.starts_with(message), "{error}");
    }
    for (limit, data_type, message) in [
        (3, DataType::Int, "`limit` is 3, and there is to be an int, which takes 1, 2 or 4 registers"),
        (4, DataType::Float, "a float, which takes 1 or 2 registers"),
        (2, DataType::Double, "a double, which takes 1 or 4 registers"),
    ] {
        let error = Unit::check(&holding(&json!({"limit": limit}), data_type)).expect_err("too many or too few");
        assert!(error.to_string().contains(message), "{error}");
    }
    let error =
        Unit::check(&holding(&json!({"limit": 2, "dataType": "float"}), DataType::Int)).expect_err("a fraction");
    assert!(error.to_string().contains("the device model has to say FLOAT or DOUBLE"), "{error}");
}

#[test]
fn a_review_says_what_will_be_read_and_what_is_doubted() {
    use DataType as T;
    let config: Config =
        serde_json::from_value(json!({"host": "h", "unitId": 3, "forbidden": "90-99"})).expect("a config");
    let review = |property: &Property<Visitor>| Modbus::default().review(&device(), &config, property);
    let reads = |keys: Json, data_type| {
        let review = review(&holding(&keys, data_type));
        assert_eq!(review.doubts().count(), 0, "{keys}");
        review.reading().map(|reads| reads.replace("holding register", "HR")).unwrap_or_default()
    };
    for (keys, data_type, expected) in [
        (json!({"limit": 1}), T::Int, "HR 0 of unit 3, uint16"),
        (json!({"limit": 1, "isSwap": true}), T::Int, "HR 0 of unit 3, uint16 BA"),
        (
            json!({"limit": 2, "isRegisterSwap": true, "scale": 0.1}),
            T::Int,
            "HRs 0..1 of unit 3, uint32 CDAB, × 0.1, cut to an integer",
        ),
        (json!({"limit": 4, "isSwap": true}), T::Double, "HRs 0..3 of unit 3, float64 BADC"),
        (json!({"limit": 1}), T::Boolean, "HR 0 of unit 3, true if the first byte is 1"),
        (json!({"limit": 2}), T::String, "HRs 0..1 of unit 3, text"),
        (json!({"type": "int16", "scale": 0.1, "bias": -40}), T::Float, "HR 0 of unit 3, int16, × 0.1, − 40"),
        (json!({"bit": 3}), T::Boolean, "HR 0 of unit 3, uint16, bit 3"),
        (json!({"type": "uint32", "order": "DCBA"}), T::Double, "HRs 0..1 of unit 3, uint32 DCBA"),
        (json!({"type": "unix64ms"}), T::String, "HRs 0..3 of unit 3, time as unix64ms ABCD"),
        (json!({"type": "int16", "count": 3}), T::String, "HRs 0..2 of unit 3, 3 times int16"),
    ] {
        assert_eq!(reads(keys, data_type), expected);
    }
    let coil = property("CoilRegister", 3, &json!({"limit": 1}), T::Int);
    assert_eq!(review(&coil).reading(), Some("coil 3 of unit 3"));
    let record = property("FileRecord", 8, &json!({"file": 2, "type": "uint32"}), T::Int);
    assert_eq!(review(&record).reading(), Some("records 8..9 of file 2 of unit 3, uint32 ABCD"));

    let doubted = |review: Review, key: &str, message: &str| {
        let doubts: Vec<_> = review.doubts().collect();
        assert!(
            matches!(&doubts[..], [[k, m, cure]] if *k == key && m.contains(message) && !cure.is_empty()),
            "{doubts:?}"
        );
    };
    doubted(
        review(&holding(&json!({"type": "int32"}), T::Float)),
        "type",
        "FLOAT keeps about 7 digits, and a long int32",
    );
    doubted(review(&holding(&json!({"type": "uint64"}), T::Double)), "type", "DOUBLE keeps about 15 digits");
    doubted(review(&holding(&json!({"type": "float64"}), T::Float)), "type", "a long float64");
    doubted(
        review(&property("InputRegister", 95, &json!({"type": "int16"}), T::Int)),
        "",
        "is `forbidden`, and neither read nor written",
    );
    doubted(
        review(&holding(&json!({"type": "int16", "writeFunction": "multiple"}), T::Int)),
        "writeFunction",
        "ReadOnly",
    );
    let below = Property::builder("p", T::Int).minimum(-40.0).visitor(visitor(json!({"type": "uint16"})));
    doubted(review(&below), "type", "the model's minimum is -40, and the registers hold 0 to 65535");
    let above =
        Property::builder("p", T::Double).maximum(10_000.0).visitor(visitor(json!({"type": "uint16", "scale": 0.1})));
    doubted(review(&above), "type", "the model's maximum is 10000");
    let written = Property::builder("p", T::Int).access_mode(AccessMode::ReadWrite);
    for (key, message) in [("max", "a value above 7.5 is read as any other"), ("min", "a value below 7.5 is read")] {
        for threshold in [json!(7.5), json!("7.5")] {
            doubted(review(&holding(&json!({"limit": 1, key: threshold}), T::Float)), key, message);
        }
    }
    let rules = serde_json::from_value(json!({"max": 7.5})).expect("the keys of a push method");
    let judged = Property::builder("p", T::Float).push_methods(vec![PushMethod::AnomalyDetection(rules)]);
    let judged = judged.visitor(visitor(json!({"limit": 1, "max": 7.5})));
    assert_eq!(review(&judged).doubts().count(), 0);
    doubted(
        review(&written.visitor(visitor(json!({"limit": 2})))),
        "",
        "the Go mapper wrote an integer neither scaled nor swapped",
    );
}

fn visitor(mut keys: Json) -> Visitor {
    keys["register"] = "HoldingRegister".into();
    keys["offset"] = 0.into();
    serde_json::from_value(keys).expect("a visitor")
}
