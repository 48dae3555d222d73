//! The driver by itself, called as the framework calls it.

use std::{collections::HashSet, sync::Arc};

use mapper_framework::{
    Call, Change, DataType, Device, Driver, DriverError, Property, Reading, Session, Value,
    model::Quality,
    testing::{DEADLINE, driver_contract, read_many},
};
use opcua::{Config, OpcUa, Settings, Visitor};
use serde_json::{Value as Json, json};
use tokio::time::timeout;
use ua::types::AttributeId;

use crate::{
    Outcome,
    server::{Make, NAMESPACE, Server},
};

against_each!(
    the_driver_keeps_the_contract,
    a_node_of_each_type_is_read_in_one_request_and_written_as_what_it_is,
    what_cannot_be_read_or_written_says_why_and_costs_nothing_else,
    long_values_are_written_read_and_delivered,
    more_items_than_fit_into_one_message_are_delivered,
    quality_and_source_time_are_kept_and_changes_are_delivered,
    a_method_takes_several_arguments_and_returns_several_results,
);

async fn the_driver_keeps_the_contract(make: Make) -> Outcome {
    let Some(mut server) = Server::start(make, &[]).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (model, instance) = (include_str!("../../devices/model.yaml"), include_str!("../../devices/instance.yaml"));
    std::fs::write(folder.path().join("model.yaml"), model)?;
    let instance = instance.replace("opc.tcp://127.0.0.1:4840", &format!("{}\n      timeout: 10000", server.url()));
    std::fs::write(folder.path().join("instance.yaml"), instance)?;
    driver_contract::check(driver(), folder.path()).await;
    server.says("call fill 10 false").await;
    server.says("call flush").await;
    Ok(())
}

async fn a_node_of_each_type_is_read_in_one_request_and_written_as_what_it_is(make: Make) -> Outcome {
    let Some(mut server) = Server::start(make, &[]).await? else { return Ok(()) };
    let mut session = connect(&server, json!({"subscribe": false})).await?;
    let cases = [
        ("SByte", DataType::Int, Value::Int(-8), Value::Int(-128)),
        ("Byte", DataType::Int, Value::Int(255), Value::Int(0)),
        ("Int16", DataType::Int, Value::Int(-32768), Value::Int(32767)),
        ("UInt16", DataType::Double, Value::Int(65535), Value::Double(1.0)),
        ("Int32", DataType::Int, Value::Int(-70_000), Value::Int(7)),
        ("UInt32", DataType::Int, Value::Int(4_000_000_000), Value::Int(7)),
        ("Int64", DataType::Int, Value::Int(-5_000_000_000_000), Value::Int(i64::MAX)),
        ("UInt64", DataType::String, Value::from("18446744073709551615"), Value::from("18446744073709551614")),
        ("Float", DataType::Double, Value::Float(21.5), Value::Double(-0.5)),
        ("Double", DataType::Float, Value::Double(0.1), Value::Float(0.25)),
        ("Boolean", DataType::Boolean, Value::Boolean(true), Value::Boolean(false)),
        ("String", DataType::String, Value::from("hello"), Value::from("[1, 2]")),
        ("ByteString", DataType::Bytes, Value::from(vec![0, 255]), Value::from(vec![1, 2, 3])),
        ("DateTime", DataType::Int, Value::Int(1_796_112_000_000), Value::Int(1_796_112_000_001)),
        ("LocalizedText", DataType::String, Value::from("hello"), Value::from("goodbye")),
        ("List", DataType::String, Value::from("[1,2,3]"), Value::from("[4,5]")),
        ("Matrix", DataType::String, Value::from("[[1.5,2.5],[3.5,4.5]]"), Value::from("[[1.0,2.0,3.0]]")),
        (
            "Structure",
            DataType::String,
            Value::from(r#"{"id":7,"level":{"name":"full","value":0.9}}"#),
            Value::from(r#"{"id":8,"level":{"name":"empty","value":0.0}}"#),
        ),
    ];
    let properties: Vec<_> = cases.iter().map(|(name, data_type, ..)| Arc::new(node(name, *data_type))).collect();
    let before = server.lines("reads").await?.len();
    let values = read_many(&mut session, &properties).await;
    // Those whose value is text are asked for their type once, which is two attributes of each.
    assert_eq!(reads(&mut server, before).await?, ["reads 12", "reads 18"]);
    for (value, (name, _, expected, _)) in values.into_iter().zip(&cases) {
        assert_eq!(value.map_err(|error| format!("{name}: {error}"))?.get_value(), expected, "{name}");
    }
    for (property, (name, _, _, written)) in properties.iter().zip(&cases) {
        session.write(property, written).await.map_err(|error| format!("{name}: {error}"))?;
        let read = session.read(property).await.map_err(|error| format!("{name}: {error}"))?.into_value();
        let (read, written) = (read.conform(property.data_type())?, written.clone().conform(property.data_type())?);
        let (read, written) = match (&read, &written) {
            (Value::String(read), Value::String(written)) if read.starts_with(['[', '{']) => {
                (serde_json::from_str::<Json>(read)?.to_string(), serde_json::from_str::<Json>(written)?.to_string())
            }
            _ => (read.to_string(), written.to_string()),
        };
        assert_eq!(read, written, "{name}");
    }
    Ok(())
}

async fn what_cannot_be_read_or_written_says_why_and_costs_nothing_else(make: Make) -> Outcome {
    let Some(server) = Server::start(make, &[]).await? else { return Ok(()) };
    let mut session = connect(&server, json!({})).await?;
    let properties = [
        node("Nowhere", DataType::Int),
        property(json!({"nodeID": "nsu=urn:elsewhere;i=1"}), DataType::Int),
        node("Byte", DataType::Int),
    ]
    .map(Arc::new);
    let values = read_many(&mut session, &properties).await;
    let errors =
        ["BadNodeIdUnknown: the server has no such node: correct `nodeID`", "the server has no such namespace, but "];
    for (value, part) in values.iter().zip(errors) {
        let error = value.as_ref().expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(values[2].as_ref().ok().map(Reading::get_value), Some(&Value::Int(255)));
    for (name, value, part) in [
        ("Byte", Value::Int(256), "256 does not fit into the node's type, Byte: 0 to 255"),
        ("Int16", Value::Double(1.5), "1.5 is not of the node's type, Int16"),
        ("List", Value::from("[1, 40000]"), "40000 does not fit into the node's type, Int16"),
        ("Structure", Value::from(r#"{"id": 1}"#), r#"the field "level" is missing"#),
        ("Structure", Value::from(r#"{"id": 1, "lvl": 2}"#), r#""lvl" is no field: there are id, level"#),
        ("Boiler.Temperature", Value::Float(1.0), "Bad"),
        ("Nowhere", Value::Int(1), "BadNodeIdUnknown"),
    ] {
        let error = refusal(session.write(&node(name, DataType::String), &value).await);
        assert!(error.contains(part), "{name}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn reads_keep_to_the_limit_that_a_server_only_shows_by_refusing() -> Outcome {
    let Some(mut server) = Server::start(Make::Asyncua, &["--limit", "40"]).await? else { return Ok(()) };
    server.probe().await?.obey("many 100").await?;
    // Of those that may be text the types are asked for first, which are two attributes of each.
    let halved = [&["reads 200", "reads 100", "reads 50"][..], &["reads 25"; 8 + 4]].concat();
    for (data_type, first) in [(DataType::Int, vec!["reads 100", "reads 50"]), (DataType::String, halved)] {
        let mut session = connect(&server, json!({})).await?;
        let properties = (0..99).map(|number| node(&format!("Many.{number}"), data_type));
        let properties: Vec<_> = properties.chain([node("Nowhere", data_type)]).map(Arc::new).collect();
        let first = if data_type == DataType::Int { [first, vec!["reads 25"; 4]].concat() } else { first };
        for round in [first, vec!["reads 25"; 4]] {
            let before = server.lines("reads").await?.len();
            let mut values = read_many(&mut session, &properties).await;
            let missing = values.pop().ok_or("a result for each")?;
            assert!(missing.is_err_and(|error| error.to_string().contains("BadNodeIdUnknown")));
            for (number, value) in values.into_iter().enumerate() {
                assert_eq!(value.ok().map(Reading::into_value), Some(Value::Int(number as i64)));
            }
            assert_eq!(reads(&mut server, before).await?, round);
        }
    }
    Ok(())
}

#[tokio::test]
async fn subscriptions_keep_to_the_limit_that_a_server_only_shows_by_refusing() -> Outcome {
    let Some(mut server) = Server::start(Make::Asyncua, &["--limit", "40"]).await? else { return Ok(()) };
    let probe = server.probe().await?;
    probe.obey("many 100").await?;
    let mut session = connect(&server, json!({})).await?;
    let properties: Vec<_> = (0..100).map(|number| Arc::new(node(&format!("Many.{number}"), DataType::Int))).collect();
    let subscriptions = session.subscribe(&properties).await?;
    assert!(properties.iter().all(|property| subscriptions.contains(property.name())));
    let monitors = [&["monitors 100", "monitors 50"][..], &["monitors 25"; 4]].concat();
    assert_eq!(server.lines("monitors").await?, monitors);
    let first = deliveries(&mut session, 100).await?;
    assert!(first.iter().all(|change| change.result().is_ok()));
    probe.obey("set Many.99 7").await?;
    let change = deliveries(&mut session, 1).await?.remove(0);
    assert_eq!(change.result().ok().map(Reading::get_value), Some(&Value::Int(7)));
    Ok(())
}

#[tokio::test]
async fn a_part_of_a_list_a_matrix_and_a_text_is_read_and_written_where_the_server_knows_parts() -> Outcome {
    let Some(server) = Server::start(Make::NodeOpcua, &[]).await? else { return Ok(()) };
    let mut session = connect(&server, json!({})).await?;
    let part =
        |name: &str, range: &str, data_type| property(json!({"nodeID": id(name), "indexRange": range}), data_type);
    let beyond = part("List", "3", DataType::String);
    for (part, before, written, whole) in [
        (part("List", "1", DataType::Int), Value::Int(2), Value::Int(9), "[1,9,3]"),
        (part("List", "1:2", DataType::String), "[9,3]".into(), "[8,7]".into(), "[1,8,7]"),
        (
            part("Matrix", "1,0:1", DataType::String),
            "[[3.5,4.5]]".into(),
            "[[7.0,8.0]]".into(),
            "[[1.5,2.5],[7.0,8.0]]",
        ),
    ] {
        let name = part.name().to_owned();
        assert_eq!(session.read(&part).await?.into_value(), before, "{name}");
        session.write(&part, &written).await.map_err(|error| format!("{name}: {error}"))?;
        let (_, short) = name.rsplit_once('=').ok_or("it is a node")?;
        assert_eq!(session.read(&node(short, DataType::String)).await?.into_value(), whole.into(), "{name}");
        assert_eq!(session.read(&part).await?.into_value(), written, "{name}");
    }
    let letters = part("String", "1:2", DataType::String);
    assert_eq!(session.read(&letters).await?.into_value(), "el".into());
    for outcome in [session.read(&beyond).await.map(|_| ()), session.write(&beyond, &Value::from("[4]")).await] {
        let error = refusal(outcome);
        assert!(error.contains("BadIndexRangeNoData: the value has no such element: correct `indexRange`"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_part_of_a_list_is_read_and_never_written_where_the_server_knows_no_parts() -> Outcome {
    let Some(server) = Server::start(Make::Asyncua, &[]).await? else { return Ok(()) };
    let mut session = connect(&server, json!({})).await?;
    let element = property(json!({"nodeID": id("List"), "indexRange": "1"}), DataType::Int);
    assert_eq!(session.read(&element).await?.into_value(), Value::Int(2));
    let part = property(json!({"nodeID": id("List"), "indexRange": "1:2"}), DataType::String);
    assert_eq!(session.read(&part).await?.into_value(), "[2,3]".into());
    // This server does not know parts, and would take the part for the whole.
    let error = refusal(session.write(&element, &Value::Int(9)).await);
    assert!(error.contains("the server does not know `indexRange`, and would replace the whole list"), "{error}");
    let list = node("List", DataType::String);
    assert_eq!(session.read(&list).await?.into_value(), "[1,2,3]".into());
    let beyond = property(json!({"nodeID": id("List"), "indexRange": "3"}), DataType::String);
    let row = property(json!({"nodeID": id("Matrix"), "indexRange": "1,0:1"}), DataType::String);
    let letters = property(json!({"nodeID": id("String"), "indexRange": "1:2"}), DataType::String);
    let error = refusal(session.read(&beyond).await);
    assert!(error.contains("BadIndexRangeNoData: the value has no such element: correct `indexRange`"), "{error}");
    let error = refusal(session.read(&row).await);
    assert!(error.contains("it does not know `indexRange`"), "{error}");
    assert_eq!(session.read(&letters).await?.into_value(), "el".into());
    for (part, value, message) in [
        (&beyond, "[4]", "BadIndexRangeNoData"),
        (&row, "[[7.0, 8.0]]", "would replace the whole list"),
        (&letters, "ip", "would replace the whole list"),
    ] {
        let error = refusal(session.write(part, &Value::from(value)).await);
        assert!(error.contains(message), "{error}");
    }
    for (name, value) in [("List", "[1,2,3]"), ("Matrix", "[[1.5,2.5],[3.5,4.5]]"), ("String", "hello")] {
        assert_eq!(session.read(&node(name, DataType::String)).await?.into_value(), value.into());
    }
    Ok(())
}

async fn long_values_are_written_read_and_delivered(make: Make) -> Outcome {
    let Some(server) = Server::start(make, &[]).await? else { return Ok(()) };
    let mut session = connect(&server, json!({})).await?;
    let list = Json::from_iter((0..1500).map(|number| number * 20)).to_string();
    let cases = [(node("List", DataType::String), list), (node("String", DataType::String), "x".repeat(70_000))];
    for (property, value) in &cases {
        session.write(property, &Value::from(value.as_str())).await?;
        assert_eq!(session.read(property).await?.into_value(), Value::from(value.as_str()), "{}", property.name());
    }
    let properties = cases.clone().map(|(property, _)| Arc::new(property));
    session.subscribe(&properties).await?;
    for change in deliveries(&mut session, 2).await? {
        let (_, value) = cases.iter().find(|(it, _)| it.name() == change.property()).ok_or("one of the two")?;
        let reading = change.result().map_err(ToString::to_string)?;
        assert_eq!(reading.get_value(), &Value::from(value.as_str()), "{}", change.property());
    }
    Ok(())
}

async fn more_items_than_fit_into_one_message_are_delivered(make: Make) -> Outcome {
    let Some(server) = Server::start(make, &[]).await? else { return Ok(()) };
    let probe = server.probe().await?;
    let mut session = connect(&server, json!({})).await?;
    let items = (0..1500).map(|number| {
        let visitor = visitor(json!({"nodeID": id("Int32"), "samplingInterval": 50}));
        Arc::new(Property::builder(&number.to_string(), DataType::Int).visitor(visitor))
    });
    let items: Vec<_> = items.collect();
    let subscriptions = session.subscribe(&items).await?;
    assert!(items.iter().all(|item| subscriptions.contains(item.name())));
    for value in [-70_000, 7] {
        if value == 7 {
            probe.obey("set Int32 7").await?;
        }
        let changes = deliveries(&mut session, items.len()).await?;
        let names: HashSet<_> = changes.iter().map(Change::property).collect();
        assert_eq!((changes.len(), names.len()), (items.len(), items.len()));
        for change in &changes {
            assert_eq!(change.result().ok().map(Reading::get_value), Some(&Value::Int(value)), "{}", change.property());
        }
    }
    Ok(())
}

async fn quality_and_source_time_are_kept_and_changes_are_delivered(make: Make) -> Outcome {
    let Some(mut server) = Server::start(make, &[]).await? else { return Ok(()) };
    let probe = server.probe().await?;
    let mut session = connect(&server, json!({})).await?;
    let fast = json!({"nodeID": id("Int32"), "samplingInterval": 50});
    let properties = [
        property(fast, DataType::Int),
        property(json!({"nodeID": id("Double"), "samplingInterval": 50, "deadband": 5}), DataType::Double),
        node("Nowhere", DataType::Int),
    ];
    let properties = named(properties);
    let subscriptions = session.subscribe(&properties).await?;
    assert!(subscriptions.contains("0") && subscriptions.contains("1") && !subscriptions.contains("2"));
    let mut first = deliveries(&mut session, 2).await?;
    first.sort_by(|one, other| one.property().cmp(other.property()));
    assert_eq!(first[0].result().ok().map(Reading::get_value), Some(&Value::Int(-70_000)));
    assert_eq!(first[1].result().ok().map(Reading::get_value), Some(&Value::Double(0.1)));
    probe.obey("set Int32 7").await?;
    let change = deliveries(&mut session, 1).await?.remove(0);
    let reading = change.result().ok().ok_or("a value")?;
    assert_eq!((reading.get_value(), reading.get_quality()), (&Value::Int(7), Quality::Good));
    let age = reading.get_time().ok_or("the server says when")?.elapsed()?;
    assert!(age < DEADLINE, "{age:?}");
    // UncertainLastUsableValue.
    probe.obey("status Int32 0x40900000").await?;
    let change = deliveries(&mut session, 1).await?.remove(0);
    let reading = change.result().map_err(ToString::to_string)?;
    assert_eq!((reading.get_value(), reading.get_quality()), (&Value::Int(7), Quality::Uncertain));
    // BadSensorFailure, with which one of the servers sends the value and the other one none.
    probe.obey("status Int32 0x808C0000").await?;
    let change = deliveries(&mut session, 1).await?.remove(0);
    match (make, change.result()) {
        (Make::NodeOpcua, Ok(reading)) => {
            assert_eq!((reading.get_value(), reading.get_quality()), (&Value::Int(7), Quality::Bad));
        }
        (Make::Asyncua, Err(error)) => assert!(error.to_string().ends_with(";s=Int32: BadSensorFailure"), "{error}"),
        (_, other) => return Err(format!("{other:?}").into()),
    }
    // Less than the deadband, and more: only the latter comes. What comes after the former shows that it was looked at.
    probe.obey("set Double 2.5").await?;
    for value in [8, 9] {
        probe.obey(&format!("set Int32 {value}")).await?;
        let changes = deliveries(&mut session, 1).await?;
        let values: Vec<_> = changes.iter().map(|change| change.result().ok().map(Reading::get_value)).collect();
        assert_eq!(values, [Some(&Value::Int(value))]);
    }
    probe.obey("set Double 9.5").await?;
    let change = deliveries(&mut session, 1).await?.remove(0);
    assert_eq!(change.result().ok().map(Reading::get_value), Some(&Value::Double(9.5)));
    // What is unchanged stays, what is new is added, and what is gone is removed.
    let mut fewer = properties[..1].to_vec();
    fewer.push(Arc::new(Property::builder("new", DataType::Int).visitor(visitor(json!({"nodeID": id("Byte")})))));
    let subscriptions = session.subscribe(&fewer).await?;
    assert!(subscriptions.contains("0") && subscriptions.contains("new") && !subscriptions.contains("1"));
    let change = deliveries(&mut session, 1).await?.remove(0);
    assert_eq!((change.property(), change.result().ok().map(Reading::get_value)), ("new", Some(&Value::Int(255))));
    assert_eq!(server.lines("monitors").await?, ["monitors 3", "monitors 1"]);
    session.close().await;
    Ok(())
}

async fn a_method_takes_several_arguments_and_returns_several_results(make: Make) -> Outcome {
    let Some(mut server) = Server::start(make, &[]).await? else { return Ok(()) };
    let methods = json!({
        "fill": {"objectID": id("Boiler"), "methodID": id("Boiler.Fill")},
        "nowhere": {"objectID": id("Boiler"), "methodID": id("Boiler.Nowhere")},
    });
    let mut session = connect(&server, json!({"methods": methods, "subscribe": false})).await?;
    let argument = |name: &str, data_type, first: &str| {
        Arc::new(Property::builder(name, data_type).visitor(visitor(json!({"argument": first}))))
    };
    let (litres, slowly) = (argument("litres", DataType::Int, "10"), argument("slowly", DataType::Boolean, "true"));
    session.subscribe(&[Arc::clone(&litres), Arc::clone(&slowly)]).await?;
    let device = Device::builder("device")
        .method("fill", &["litres", "slowly"])
        .method("fill", &["litres"])
        .method("nowhere", &[])
        .method("unknown", &[])
        .build();
    let [fill, short, nowhere, unknown] = device.methods() else { return Err("four methods".into()) };
    let with = |value: i64| vec![(Arc::clone(&litres), Value::Int(value))];
    let results = session.call(&Call::new(fill, &with(50))).await?;
    assert_eq!(results, [Value::Double(25.0), Value::from("slowly")]);
    server.says("call fill 50 true").await;
    assert_eq!(session.read(&litres).await?.into_value(), Value::Int(50));
    for (method, arguments, part) in [
        (fill, with(1001), "BadOutOfRange"),
        (fill, with(-1), "the argument \"litres\" of ns=2;s=Boiler.Fill: -1 does not fit into the node's type, UInt16"),
        (nowhere, vec![], "Bad"),
        (unknown, vec![], "write them in protocol.configData.methods"),
    ] {
        let error = refusal(session.call(&Call::new(method, &arguments)).await);
        assert!(error.contains(part), "{error}");
    }
    let error = refusal(session.call(&Call::new(short, &with(1))).await);
    assert!(error.contains("takes 2 arguments (litres, slowly), and the manifest's method names 1"), "{error}");
    Ok(())
}

#[tokio::test]
async fn what_a_server_did_not_say_once_is_asked_for_again() -> Outcome {
    let Some(server) = Server::start(Make::Asyncua, &[]).await? else { return Ok(()) };
    let probe = server.probe().await?;
    let methods = json!({"fill": {"objectID": id("Boiler"), "methodID": id("Boiler.Fill")}});
    let mut session = connect(&server, json!({"methods": methods, "subscribe": false})).await?;
    let device = Device::builder("device").method("fill", &["litres", "slowly"]).build();
    let fill = device.methods().first().ok_or("a method")?;
    let argument =
        |name: &str, data_type| Arc::new(Property::builder(name, data_type).visitor(visitor(json!({"argument": ""}))));
    let arguments = [
        (argument("litres", DataType::Int), Value::Int(50)),
        (argument("slowly", DataType::Boolean), Value::Boolean(true)),
    ];
    let call = Call::new(fill, &arguments);
    probe.obey(&format!("fail {}", AttributeId::Value as u32)).await?;
    let error = refusal(session.call(&call).await);
    assert!(error.contains("the arguments of ns=2;s=Boiler.Fill: BadResourceUnavailable"), "{error}");
    assert_eq!(session.call(&call).await?, [Value::Double(25.0), Value::from("slowly")]);
    let (structure, value) = (node("Structure", DataType::String), r#"{"id":8,"level":{"name":"empty","value":0.0}}"#);
    probe.obey(&format!("fail {}", AttributeId::DataTypeDefinition as u32)).await?;
    let error = refusal(session.write(&structure, &Value::from(value)).await);
    assert!(error.contains("what is in a ns=2;") && error.contains("BadResourceUnavailable"), "{error}");
    session.write(&structure, &Value::from(value)).await?;
    assert_eq!(session.read(&structure).await?.into_value(), Value::from(value));
    Ok(())
}

/// The requests for several nodes after so many. Those for one are the session's own, and ask for what is in a structure.
async fn reads(server: &mut Server, before: usize) -> Outcome<Vec<String>> {
    Ok(server.lines("reads").await?.split_off(before).into_iter().filter(|line| line != "reads 1").collect())
}

/// Waits for so many changes.
async fn deliveries(session: &mut opcua::Server, count: usize) -> Outcome<Vec<Change>> {
    let mut changes = Vec::new();
    while changes.len() < count {
        changes.extend(timeout(DEADLINE, session.changed()).await??);
    }
    Ok(changes)
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, DriverError>) -> String {
    let error = outcome.expect_err("it is refused");
    assert!(!error.is_disconnected(), "{error}");
    error.to_string()
}

fn driver() -> OpcUa {
    OpcUa::new(Settings::default())
}

async fn connect(server: &Server, mut config: Json) -> Outcome<opcua::Server> {
    config["url"] = server.url().into();
    // More than any pause of a busy machine.
    config["timeout"] = 10_000.into();
    let config: Config = serde_json::from_value(config)?;
    Ok(driver().connect(&Device::builder("device").build(), config).await?)
}

/// How manifests name a node of the server's.
fn id(name: &str) -> String {
    format!("nsu={NAMESPACE};s={name}")
}

fn node(name: &str, data_type: DataType) -> Property<Visitor> {
    property(json!({"nodeID": id(name)}), data_type)
}

fn property(keys: Json, data_type: DataType) -> Property<Visitor> {
    let name = keys["nodeID"].as_str().unwrap_or_default().to_owned();
    Property::builder(&name, data_type).visitor(visitor(keys))
}

fn visitor(keys: Json) -> Visitor {
    serde_json::from_value(keys).expect("it is a visitor")
}

/// The properties by numbers, in the order in which they are given.
fn named<const N: usize>(properties: [Property<Visitor>; N]) -> Vec<Arc<Property<Visitor>>> {
    let numbered = properties.into_iter().enumerate();
    numbered
        .map(|(number, property)| {
            let visitor = property.visitor().clone();
            Arc::new(Property::builder(&number.to_string(), property.data_type()).visitor(visitor))
        })
        .collect()
}
