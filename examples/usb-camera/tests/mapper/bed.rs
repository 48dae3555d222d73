//! A mapper to test, its devices, and what it answers over HTTP.

use std::{net::SocketAddr, time::Duration};

use mapper_framework::{
    DeviceState,
    model::DeviceId,
    testing::{DEADLINE, TestBed},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use usb_camera::UsbCamera;

use crate::fake::FakeMachine;

/// A mapper that serves HTTP.
pub(crate) async fn start(driver: UsbCamera) -> (TestBed, SocketAddr) {
    let builder = TestBed::builder(driver, "usb-camera").config(|config| {
        config.common.http_port = 0;
        config.http.enabled = true;
        config.driver.backoff_max = Duration::from_millis(100);
        // Longer than a session waits for the threads of the one before.
        config.driver.call_timeout = Duration::from_secs(6);
    });
    let bed = builder.edge(mapper_framework::local_edge::LocalEdgeBuilder::without_limiter).start().await;
    let address = bed.handle().http_address().expect("it listens before it registers");
    (bed, address)
}

/// A mapper on a machine of fakes.
pub(crate) async fn on(machine: &FakeMachine) -> (TestBed, SocketAddr) {
    start(UsbCamera::on(machine.machine())).await
}

pub(crate) fn id(name: &str) -> DeviceId {
    DeviceId::new("default", name)
}

/// The model and one device of it. Each property is its name, its type, and further lines of the model.
pub(crate) fn manifests(device: &str, config: &str, properties: &[(&str, &str, &str)]) -> String {
    let indented = |text: &str, by: &str| text.lines().map(|line| format!("{by}{line}\n")).collect::<String>();
    let (mut model, mut instance) = (String::new(), String::new());
    for (name, data_type, more) in properties {
        let access = if more.contains("accessMode") { "" } else { "      accessMode: ReadWrite\n" };
        model += &format!("    - name: {name}\n      type: {data_type}\n{access}{}", indented(more, "      "));
        let key = if *name == "state" { "stream: state" } else { "writeConfirm: none" };
        instance += &format!(
            "    - name: {name}\n      collectCycle: 200\n      reportCycle: 200\n      reportToCloud: true\n      visitors:\n        \
             protocolName: usb-camera\n        configData:\n          {key}\n"
        );
    }
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata:\n  name: {device}\n  namespace: default\nspec:\n  protocol: \
         usb-camera\n  properties:\n{model}---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata:\n  name: {device}\n  namespace: \
         default\nspec:\n  deviceModelRef:\n    name: {device}\n  nodeName: edge-node\n  protocol:\n    protocolName: usb-camera\n    configData:\n{}  \
         properties:\n{instance}",
        indented(config, "      ")
    )
}

/// Waits until a twin has a value.
pub(crate) async fn twin(bed: &TestBed, device: &str, name: &str, value: &str) {
    let id = id(device);
    let what = format!("{device} {name} is {value:?}");
    bed.until(&what, |edge| edge.twin(&id, name).is_some_and(|twin| twin.value() == value)).await;
}

/// Waits until a device is in a state for a reason that has this text, and returns the reason.
pub(crate) async fn reason(bed: &TestBed, device: &str, wanted: DeviceState, text: &str) -> String {
    bed.until_state(&id(device), text, |state, reason| state == wanted && reason.contains(text)).await
}

/// Sends a request, and returns the connection.
pub(crate) async fn request(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The head of an answer, in lower case, and its body.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let (mut stream, mut bytes) = (request(address, path).await, Vec::new());
    timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("it answers in time").unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("there is a head");
    (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), bytes.split_off(end + 4))
}

/// Width and height of a picture that decodes.
pub(crate) fn size(jpeg: &[u8]) -> (u16, u16) {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    decoder.decode().expect("it is a JPEG");
    let info = decoder.info().expect("it has a head");
    (info.width, info.height)
}
