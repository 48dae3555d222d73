//! A mapper called by gRPC clients in Go and Python, which send what edgecore and its neighbours send.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use integration_tests::{ChildGuard, Tool};
use mapper_framework::{
    Device, Driver, DriverError, Mapper, Property, Reading, Session, Value, config::Config as MapperConfig,
};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::process::Command;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// What the scenario has a mapper answer.
const ANSWERS: [(&str, &str); 8] = [
    ("CreateDeviceModel", "OK"),
    ("RegisterDevice", "OK"),
    ("GetDevice", "OK"),
    ("UpdateDevice", "OK"),
    ("UpdateDeviceModel", "OK"),
    ("RemoveDevice", "OK"),
    ("GetDevice", "NOT_FOUND"),
    ("RemoveDeviceModel", "OK"),
];

/// How often a client plays the scenario on its first and on its second connection.
const ROUNDS: [usize; 2] = [2, 1];

#[tokio::test]
async fn a_go_client_of_kubeedge_1_16_is_served() -> Outcome {
    let Tool::At(client) = integration_tests::go_client("go-1.53") else { return Ok(()) };
    check(&play(&client, &[]).await?, &["path"])
}

#[tokio::test]
async fn a_go_client_of_kubeedge_1_21_is_served() -> Outcome {
    let Tool::At(client) = integration_tests::go_client("go-1.67") else { return Ok(()) };
    check(&play(&client, &[]).await?, &["path"])
}

#[tokio::test]
async fn a_python_client_is_served_however_it_dials() -> Outcome {
    let Tool::At(python) = integration_tests::python() else { return Ok(()) };
    let client = below_tests("clients/python/client.py");
    check(&play(&python, &[client.as_os_str()]).await?, &["unix", "raw", "escaped"])
}

/// A call as a client reports it.
#[derive(Debug, Deserialize)]
struct Call {
    dial: String,
    connection: usize,
    rpc: String,
    code: String,
    message: String,
    response: Json,
}

/// Runs a mapper until the client has played the scenario.
async fn play(program: &Path, arguments: &[&OsStr]) -> Result<Vec<Call>, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut config = MapperConfig::default();
    config.common.protocol = "client".to_owned();
    config.common.edgecore_sock = folder.path().join("no-edgecore.sock");
    config.grpc_server.socket_path = folder.path().join("mapper.sock");
    config.spool.dir = folder.path().join("spool");
    let mut command = Command::new(program);
    command.args(arguments).arg(&config.grpc_server.socket_path);
    command.arg(below_tests("../proto")).arg(below_tests("clients/scenario.json"));
    let mut lines = Vec::new();
    let mapper = Mapper::builder(Memory).config(config).build();
    let client = async {
        let mut client = ChildGuard::spawn(&mut command);
        let status = client.exit().await;
        lines = client.lines();
        assert!(status.success(), "{status}: {lines:#?}");
    };
    mapper.run_until(client).await?;
    let call = |line: &String| serde_json::from_str(line).map_err(|error| format!("{error}: {line}").into());
    lines.iter().map(call).collect()
}

fn below_tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Checks that every call of every connection was answered as it must be.
fn check(calls: &[Call], dials: &[&str]) -> Outcome {
    let mut calls = calls.iter();
    for dial in dials {
        for (connection, rounds) in (1..).zip(ROUNDS) {
            let expected = std::iter::repeat_n(ANSWERS, rounds).flatten().chain([("ServerReflectionInfo", "OK")]);
            for (rpc, code) in expected {
                let call = calls.next().ok_or_else(|| format!("{rpc} on {dial} {connection} is missing"))?;
                assert_eq!((&*call.dial, call.connection, &*call.rpc), (*dial, connection, rpc));
                assert_eq!(call.code, code, "{call:?}");
                check_answer(call);
            }
        }
    }
    assert!(calls.next().is_none(), "more calls than expected");
    Ok(())
}

/// Checks what a call brought, beside its code.
fn check_answer(call: &Call) {
    let response = &call.response;
    match (&*call.rpc, &*call.code) {
        ("GetDevice", "OK") => check_device(&response["device"]),
        ("GetDevice", _) => assert_eq!(call.message, "there is no device default/client-device"),
        ("RegisterDevice", _) => {
            assert_eq!(*response, json!({"deviceName": "client-device", "deviceNamespace": "default"}));
        }
        ("CreateDeviceModel", _) => {
            assert_eq!(*response, json!({"deviceModelName": "client-model", "deviceModelNamespace": "default"}));
        }
        ("ServerReflectionInfo", _) => {
            let services = response["services"].as_array().expect("a list of names");
            assert!(services.contains(&"v1beta1.DeviceMapperService".into()), "{services:?}");
        }
        _ => assert_eq!(*response, json!({}), "{call:?}"),
    }
}

/// Checks that the device is the one that was registered, with all that was said of it.
fn check_device(device: &Json) {
    assert_eq!((&device["name"], &device["namespace"]), (&"client-device".into(), &"default".into()));
    let spec = &device["spec"];
    assert_eq!(spec["deviceModelReference"], "client-model");
    assert_eq!(spec["protocol"]["protocolName"], "client");
    let config = &spec["protocol"]["configData"]["data"];
    assert_eq!(config["port"]["@type"], "type.googleapis.com/google.protobuf.FloatValue", "{config}");
    assert_eq!(config["port"]["value"].as_f64(), Some(10502.0), "{config}");
    assert_eq!(config["label"]["value"], "x", "{config}");
    let property = &spec["properties"][0];
    assert_eq!((&property["name"], &property["reportToCloud"]), (&"temperature".into(), &true.into()), "{property}");
    assert_eq!(
        (&property["desired"]["value"], &property["collectCycle"]),
        (&"21.5".into(), &"1000".into()),
        "{property}"
    );
    assert_eq!(property["visitors"]["configData"]["data"]["offset"]["value"].as_f64(), Some(3.0), "{property}");
}

/// A driver of devices that only remember what is written.
struct Memory;

/// The scenario's `configData`, whose numbers are 32-bit floats on the wire.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Config {
    port: u16,
    label: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Visitor {
    offset: u16,
}

struct Cell(Value);

impl Driver for Memory {
    type Config = Config;
    type Session = Cell;

    async fn connect(&self, _: &Device, _: Config) -> Result<Cell, DriverError> {
        Ok(Cell(Value::from(0)))
    }
}

impl Session for Cell {
    type Visitor = Visitor;

    async fn read(&mut self, _: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(self.0.clone().into())
    }

    async fn write(&mut self, _: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        self.0 = value.clone();
        Ok(())
    }
}
