//! A mapper written by hand, over the generated code only.

use std::path::{Path, PathBuf};

use hyper_util::rt::TokioIo;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
};
use tokio_stream::{StreamExt, wrappers::UnixListenerStream};
use tokio_util::task::AbortOnDropHandle;
use tonic::{
    Request, Response, Status, async_trait,
    transport::{Channel, Endpoint, Server},
};
use tower::service_fn;

use crate::dmi::{
    authority::SanitisedStream,
    generated::{
        device_manager_service_client::DeviceManagerServiceClient,
        device_mapper_service_server::{DeviceMapperService, DeviceMapperServiceServer},
        *,
    },
};

/// What the edge has called.
#[derive(Debug, PartialEq)]
pub(super) enum Called {
    Register(Device),
    Update(Device),
    Remove(String, String),
    CreateModel(DeviceModel),
    UpdateModel(DeviceModel),
    RemoveModel(String, String),
}

/// A mapper that listens, notes what it is called with, and refuses devices named `bad`.
pub(super) struct FakeMapper {
    pub(super) socket: PathBuf,
    calls: mpsc::UnboundedReceiver<Called>,
    _server: AbortOnDropHandle<()>,
}

impl FakeMapper {
    pub(super) fn listen(folder: &Path) -> Self {
        let socket = folder.join("mapper.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (sender, calls) = mpsc::unbounded_channel();
        let incoming = UnixListenerStream::new(listener).map(|stream| stream.map(SanitisedStream::new));
        let server = Server::builder().add_service(DeviceMapperServiceServer::new(Recorder { calls: sender }));
        let server = tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
        Self { socket, calls, _server: AbortOnDropHandle::new(server) }
    }

    /// The next call that has been answered.
    pub(super) async fn called(&mut self) -> Called {
        self.calls.recv().await.unwrap()
    }

    /// The calls so far that nobody has asked for.
    pub(super) fn rest(&mut self) -> Vec<Called> {
        std::iter::from_fn(|| self.calls.try_recv().ok()).collect()
    }

    pub(super) fn request(&self, protocol: &str, with_data: bool) -> MapperRegisterRequest {
        let mapper = MapperInfo {
            name: "fake".to_owned(),
            protocol: protocol.to_owned(),
            address: self.socket.to_str().unwrap().as_bytes().to_vec(),
            ..MapperInfo::default()
        };
        MapperRegisterRequest { with_data, mapper: Some(mapper) }
    }
}

/// A connection to the edge.
pub(in super::super) async fn connect(edge: &Path) -> DeviceManagerServiceClient<Channel> {
    let edge = edge.to_owned();
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = endpoint
        .connect_with_connector(service_fn(move |_| {
            let edge = edge.clone();
            async move { UnixStream::connect(edge).await.map(TokioIo::new) }
        }))
        .await;
    DeviceManagerServiceClient::new(channel.unwrap())
}

/// A report of one twin of `default/<device>`.
pub(in super::super) fn report(device: &str, property: &str, value: &str) -> ReportDeviceStatusRequest {
    let side = |value: &str| Some(TwinProperty { value: value.to_owned(), ..TwinProperty::default() });
    let twin = Twin { property_name: property.to_owned(), observed_desired: side(""), reported: side(value) };
    ReportDeviceStatusRequest {
        device_name: device.to_owned(),
        device_namespace: "default".to_owned(),
        reported_device: Some(DeviceStatus { twins: vec![twin], ..DeviceStatus::default() }),
    }
}

struct Recorder {
    calls: mpsc::UnboundedSender<Called>,
}

impl Recorder {
    fn note<T: Default>(&self, call: Called) -> Result<Response<T>, Status> {
        self.calls.send(call).map_err(|_| Status::cancelled("the test is over"))?;
        Ok(Response::new(T::default()))
    }
}

#[async_trait]
impl DeviceMapperService for Recorder {
    async fn register_device(
        &self,
        request: Request<RegisterDeviceRequest>,
    ) -> Result<Response<RegisterDeviceResponse>, Status> {
        let device = request.into_inner().device.unwrap();
        if device.name == "bad" {
            return Err(Status::invalid_argument("no such register"));
        }
        self.note(Called::Register(device))
    }

    async fn remove_device(
        &self,
        request: Request<RemoveDeviceRequest>,
    ) -> Result<Response<RemoveDeviceResponse>, Status> {
        let request = request.into_inner();
        self.note(Called::Remove(request.device_namespace, request.device_name))
    }

    async fn update_device(
        &self,
        request: Request<UpdateDeviceRequest>,
    ) -> Result<Response<UpdateDeviceResponse>, Status> {
        self.note(Called::Update(request.into_inner().device.unwrap()))
    }

    async fn create_device_model(
        &self,
        request: Request<CreateDeviceModelRequest>,
    ) -> Result<Response<CreateDeviceModelResponse>, Status> {
        self.note(Called::CreateModel(request.into_inner().model.unwrap()))
    }

    async fn remove_device_model(
        &self,
        request: Request<RemoveDeviceModelRequest>,
    ) -> Result<Response<RemoveDeviceModelResponse>, Status> {
        let request = request.into_inner();
        self.note(Called::RemoveModel(request.model_namespace, request.model_name))
    }

    async fn update_device_model(
        &self,
        request: Request<UpdateDeviceModelRequest>,
    ) -> Result<Response<UpdateDeviceModelResponse>, Status> {
        self.note(Called::UpdateModel(request.into_inner().model.unwrap()))
    }

    async fn get_device(&self, _request: Request<GetDeviceRequest>) -> Result<Response<GetDeviceResponse>, Status> {
        Err(Status::unimplemented("the edge never asks"))
    }
}
