//! What a raw client can send, and edgecore's YAML cannot.

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use prost_types::Any;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

use crate::{
    Device, Driver, DriverError, Handle, Mapper, MapperError, Property, Reading, Session,
    config::Config,
    dmi::generated::{device_mapper_service_client::DeviceMapperServiceClient, *},
    model::DeviceId,
};

struct Plain;

#[derive(serde::Deserialize)]
struct Visitor {
    register: u16,
}

impl Driver for Plain {
    type Config = ();
    type Session = Plain;
    async fn connect(&self, _: &Device, (): ()) -> Result<Plain, DriverError> {
        Ok(Plain)
    }
}

impl Session for Plain {
    type Visitor = Visitor;
    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(property.visitor().register.into())
    }
}

struct Scene {
    client: DeviceMapperServiceClient<Channel>,
    handle: Handle,
    mapper: AbortOnDropHandle<Result<(), MapperError>>,
    stop: tokio_util::sync::CancellationToken,
    socket: PathBuf,
    _folder: TempDir,
}

impl Scene {
    /// A mapper that knows the model `m` of `level`, 0 to 10, and a client without an edgecore.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("mapper.sock");
        let mut config = Config::default();
        config.common.protocol = "plain".to_owned();
        config.common.edgecore_sock = folder.path().join("dmi.sock");
        config.grpc_server.socket_path.clone_from(&socket);
        config.spool.dir = folder.path().join("spool");
        let mapper = Mapper::builder(Plain).config(config).build();
        let (handle, stop) = (mapper.handle(), tokio_util::sync::CancellationToken::new());
        let mapper = AbortOnDropHandle::new(tokio::spawn(mapper.run_until(stop.clone().cancelled_owned())));
        while !socket.exists() {
            tokio::task::yield_now().await;
        }
        let path = socket.clone();
        let connector = service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap();
        let client = DeviceMapperServiceClient::new(channel).max_encoding_message_size(usize::MAX);
        let mut scene = Self { client, handle, mapper, stop, socket, _folder: folder };
        scene.create(model("m", "INT", "0", "10")).await.unwrap();
        scene
    }

    async fn create(&mut self, model: DeviceModel) -> Result<(), Status> {
        self.client.create_device_model(CreateDeviceModelRequest { model: Some(model) }).await.map(drop)
    }

    async fn register(&mut self, device: Option<pb::Device>) -> Result<(), Status> {
        self.client.register_device(RegisterDeviceRequest { device }).await.map(drop)
    }

    /// Registers a device of one good and one other property, with which something is wrong.
    async fn refusal(&mut self, change: impl FnOnce(&mut pb::Device)) -> String {
        let mut device = device("d", "m");
        change(&mut device);
        invalid(self.register(Some(device)).await)
    }

    /// Whether the mapper reads `level` of the device.
    async fn serves(&self, device: &str) {
        let id = DeviceId::new("", device);
        loop {
            let snapshot = self.handle.device(&id).await.expect("the device is there");
            if snapshot.samples.iter().any(|sample| sample.property.name() == "level") {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

use crate::dmi::generated as pb;

fn invalid(answer: Result<(), Status>) -> String {
    let status = answer.expect_err("something is wrong with it");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    status.message().to_owned()
}

fn model(name: &str, data_type: &str, minimum: &str, maximum: &str) -> DeviceModel {
    let property = ModelProperty {
        name: "level".into(),
        r#type: data_type.into(),
        access_mode: "ReadWrite".into(),
        minimum: minimum.into(),
        maximum: maximum.into(),
        ..Default::default()
    };
    let other = ModelProperty { name: "other".into(), r#type: "INT".into(), ..Default::default() };
    let spec = DeviceModelSpec { properties: vec![property, other], commands: vec![] };
    DeviceModel { name: name.into(), namespace: "default".into(), spec: Some(spec) }
}

fn text(value: &str) -> Any {
    Any {
        type_url: "type.googleapis.com/google.protobuf.StringValue".into(),
        value: prost::Message::encode_to_vec(&value.to_owned()),
    }
}

fn property(name: &str) -> DeviceProperty {
    let register = Any {
        type_url: "type.googleapis.com/google.protobuf.FloatValue".into(),
        value: prost::Message::encode_to_vec(&7.0_f32),
    };
    let data = CustomizedValue { data: [("register".to_owned(), register)].into() };
    let visitors = VisitorConfig { protocol_name: "plain".into(), config_data: Some(data) };
    DeviceProperty { name: name.into(), visitors: Some(visitors), ..Default::default() }
}

fn device(name: &str, model: &str) -> pb::Device {
    let spec = DeviceSpec {
        device_model_reference: model.into(),
        properties: vec![property("level"), property("other")],
        ..Default::default()
    };
    pb::Device { name: name.into(), namespace: "default".into(), spec: Some(spec), ..Default::default() }
}

fn other(device: &mut pb::Device) -> &mut DeviceProperty {
    &mut device.spec.as_mut().unwrap().properties[1]
}

#[tokio::test]
async fn a_device_without_its_parts_is_refused_by_name() {
    let mut scene = Scene::new().await;
    assert_eq!(invalid(scene.register(None).await), "device: is absent");
    assert_eq!(scene.refusal(|device| device.name.clear()).await, "device.name: is empty");
    assert_eq!(scene.refusal(|device| device.spec = None).await, "device default/d: spec: is absent");
    let modelless = |device: &mut pb::Device| device.spec.as_mut().unwrap().device_model_reference.clear();
    let message = scene.refusal(modelless).await;
    assert!(message.starts_with("device default/d: spec.deviceModelReference: is empty"), "{message}");
    let model = scene.client.create_device_model(CreateDeviceModelRequest { model: None }).await.map(drop);
    assert_eq!(invalid(model), "model: is absent");
    assert!(scene.handle.devices().await.is_empty());
    assert_eq!(scene.handle.stats().devices().problems(), 5, "each is counted, and logged where it is counted");
}

#[tokio::test]
async fn what_may_be_absent_may_be_absent() {
    let mut scene = Scene::new().await;
    let mut bare = device("d", "m");
    bare.namespace.clear();
    let spec = bare.spec.as_mut().unwrap();
    spec.protocol = None;
    spec.properties[0].desired = None;
    scene.register(Some(bare)).await.unwrap();
    scene.serves("d").await;
}

#[tokio::test]
async fn a_visitor_that_is_absent_or_wrong_costs_its_property_and_is_named() {
    let mut scene = Scene::new().await;
    let message = scene.refusal(|device| other(device).visitors = None).await;
    assert!(message.starts_with(r#"device default/d: property "other", visitors.configData"#), "{message}");
    assert!(message.contains("the key `register` is missing"), "{message}");
    scene.serves("d").await;
    let visitor = |value: Any| {
        move |device: &mut pb::Device| {
            let data = other(device).visitors.as_mut().unwrap().config_data.as_mut().unwrap();
            data.data.insert("register".to_owned(), value);
        }
    };
    let message = scene.refusal(visitor(text("seven"))).await;
    assert!(message.contains(r#"property "other", visitors.configData.register: found "seven""#), "{message}");
    let message = scene.refusal(visitor(Any { type_url: "unknown".into(), value: vec![0xff] })).await;
    assert!(message.contains(r#"property "other", visitors.configData.register"#), "{message}");
    // A message of five megabytes would not fit into the header of an answer.
    let message = scene.refusal(visitor(text(&"°".repeat(2_500_000)))).await;
    assert!(message.contains(r#"property "other""#) && message.len() < 5000, "{} bytes", message.len());
    scene.serves("d").await;
}

#[tokio::test]
async fn a_model_that_is_wrong_names_device_property_and_field() {
    let mut scene = Scene::new().await;
    for (name, wrong, expected) in [
        ("type", model("type", "INTEGER", "", ""), r#"property "level", type: unknown data type "INTEGER""#),
        ("empty", model("empty", "", "", ""), r#"property "level", type: unknown data type """#),
        ("order", model("order", "INT", "5", "1"), r#"property "level", minimum: 5 is greater than the maximum, 1"#),
        ("bound", model("bound", "INT", "low", "1"), r#"property "level", minimum: "low" is no number"#),
    ] {
        scene.create(wrong).await.unwrap();
        let message = invalid(scene.register(Some(device(name, name))).await);
        assert!(message.starts_with(&format!("device default/{name}: {expected}")), "{message}");
        let report = scene.handle.device(&DeviceId::new("", name)).await.unwrap();
        assert_eq!(report.device.unwrap().properties().len(), 1, "{name}: the other property is served");
    }
}

#[tokio::test]
async fn a_cycle_that_is_negative_costs_its_property() {
    let mut scene = Scene::new().await;
    let message = scene.refusal(|device| other(device).collect_cycle = -5).await;
    assert!(message.starts_with(r#"device default/d: property "other", collectCycle: -5 ms is negative"#), "{message}");
    scene.serves("d").await;
}

#[tokio::test]
async fn a_request_of_five_megabytes_is_read_and_one_beyond_the_limit_refused() {
    let mut scene = Scene::new().await;
    let with_note = |name: &str, bytes: usize| {
        let mut device = device(name, "m");
        let data = CustomizedValue { data: [("note".to_owned(), text(&"x".repeat(bytes)))].into() };
        let protocol = ProtocolConfig { protocol_name: "plain".into(), config_data: Some(data) };
        device.spec.as_mut().unwrap().protocol = Some(protocol);
        device
    };
    // The driver has no use for a config, and says so; but it was read.
    let message = invalid(scene.register(Some(with_note("large", 5_000_000))).await);
    assert!(message.starts_with("device default/large: protocol.configData"), "{message}");
    let status = scene.register(Some(with_note("huge", 17 << 20))).await.expect_err("it is too large");
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert!(status.message().contains("length too large"), "{status}");
    scene.register(Some(device("d", "m"))).await.unwrap();
    scene.serves("d").await;
}

#[tokio::test]
async fn what_is_asked_for_and_is_not_there_is_not_found_and_what_is_removed_is_gone() {
    let mut scene = Scene::new().await;
    let (device_name, device_namespace) = ("nobody".to_owned(), String::new());
    let request = GetDeviceRequest { device_name: device_name.clone(), device_namespace: device_namespace.clone() };
    let got = scene.client.get_device(request).await.expect_err("there is none");
    assert_eq!((got.code(), got.message()), (Code::NotFound, "there is no device default/nobody"));
    let request = RemoveDeviceRequest { device_name, device_namespace };
    scene.client.remove_device(request).await.expect("it is as it should be");
    let (model_name, model_namespace) = ("nobody".to_owned(), String::new());
    scene.client.remove_device_model(RemoveDeviceModelRequest { model_name, model_namespace }).await.expect("likewise");
}

#[tokio::test]
async fn a_device_can_be_asked_for_with_its_values() {
    let mut scene = Scene::new().await;
    scene.register(Some(device("d", "m"))).await.unwrap();
    scene.serves("d").await;
    let request = GetDeviceRequest { device_name: "d".to_owned(), device_namespace: String::new() };
    let device = scene.client.get_device(request).await.unwrap().into_inner().device.unwrap();
    let level = device.status.unwrap().twins.into_iter().find(|twin| twin.property_name == "level").unwrap();
    assert_eq!(level.reported.unwrap().value, "7");
}

#[tokio::test]
async fn connections_that_stay_open_do_not_hold_up_the_shutdown() {
    let scene = Scene::new().await;
    // One has said nothing yet, and one, the scene's own, is idle.
    let _silent = UnixStream::connect(&scene.socket).await.unwrap();
    tokio::task::yield_now().await;
    scene.stop.cancel();
    tokio::time::timeout(crate::testing::DEADLINE, scene.mapper).await.expect("it ends").unwrap().unwrap();
}
