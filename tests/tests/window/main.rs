//! What outsiders make of the HTTP server: a fuzzer of APIs, a client in another language, and Prometheus' own tool.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod api;
mod go;
mod metrics;
mod recordings;
mod surface;
mod tls;

use std::{net::SocketAddr, path::PathBuf};

use integration_tests::ChildGuard;
use mapper_framework::{Call, Device, Driver, DriverError, Property, Reading, Session, Value, testing::TestBed};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

/// The token that may write.
const TOKEN: &str = "correct-horse-battery";

/// A room with a heater: the tutorial's device, without its chance.
struct Rooms;

struct Room {
    heater: bool,
}

/// `protocol.configData`
#[derive(serde::Deserialize)]
struct Door {
    #[serde(default)]
    locked: bool,
}

impl Driver for Rooms {
    type Config = Door;
    type Session = Room;

    async fn connect(&self, _: &Device, door: Door) -> Result<Room, DriverError> {
        if door.locked { Err(DriverError::failed("the door is locked")) } else { Ok(Room { heater: false }) }
    }
}

impl Session for Room {
    type Visitor = ();

    async fn read(&mut self, property: &Property<()>) -> Result<Reading, DriverError> {
        match property.name() {
            "heater" => Ok(self.heater.into()),
            "broken" => Err(DriverError::refused("there is no sensor")),
            _ => Ok(21.5.into()),
        }
    }

    async fn write(&mut self, _: &Property<()>, value: &Value) -> Result<(), DriverError> {
        self.heater = *value == Value::Boolean(true);
        Ok(())
    }

    async fn call(&mut self, call: &Call<'_, ()>) -> Result<Vec<Value>, DriverError> {
        for (_, value) in call.arguments() {
            self.heater = *value == Value::Boolean(true);
        }
        Ok(vec![Value::Boolean(self.heater)])
    }
}

const MANIFESTS: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: room}
spec:
  protocol: room
  properties:
    - {name: temperature, type: DOUBLE, accessMode: ReadOnly, unit: Cel, description: Größe 温度}
    - {name: heater, type: BOOLEAN, accessMode: ReadWrite}
    - {name: broken, type: INT, accessMode: ReadOnly}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: room-1}
spec:
  deviceModelRef: {name: room}
  protocol: {protocolName: room}
  properties:
    - {name: temperature, collectCycle: 50, reportToCloud: true, visitors: {protocolName: room, configData: {}}}
    - {name: heater, collectCycle: 50, reportToCloud: true, visitors: {protocolName: room, configData: {}}}
    - {name: broken, collectCycle: 50, reportToCloud: true, visitors: {protocolName: room, configData: {}}}
  methods:
    - {name: switch, description: Switches the heater, propertyNames: [heater]}
";

/// A device that cannot be reached.
const LOCKED: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: attic}
spec:
  deviceModelRef: {name: room}
  protocol: {protocolName: room, configData: {locked: true}}
  properties:
    - {name: temperature, collectCycle: 50, reportToCloud: true, visitors: {protocolName: room, configData: {}}}
";

/// A mapper with a room, and the folder of its token.
async fn bed() -> (TestBed, SocketAddr, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, format!("tester {TOKEN}\n")).unwrap();
    let builder = TestBed::builder(Rooms, "room").config(|config| {
        config.common.http_port = 0;
        (config.http.enabled, config.http.token) = (true, token);
        config.http.metrics = mapper_framework::config::MetricsDetail::Property;
    });
    let bed = builder.start().await;
    bed.edge().apply(MANIFESTS).await.unwrap();
    let id = mapper_framework::model::DeviceId::new("default", "room-1");
    bed.until("the room is read", |edge| edge.twin(&id, "temperature").is_some()).await;
    let address = bed.handle().http_address().unwrap();
    (bed, address, folder)
}

/// The body of an answer.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}

/// Runs a program to its end, which has to be a good one, and returns what it printed.
async fn run(program: PathBuf, arguments: &[&str]) -> String {
    // What it leaves behind goes with the folder.
    let folder = tempfile::tempdir().unwrap();
    let mut child = ChildGuard::spawn(Command::new(program).args(arguments).current_dir(&folder));
    let status = child.exit().await;
    let output = child.lines().join("\n");
    assert!(status.success(), "{status}: {output}");
    output
}
