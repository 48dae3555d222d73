//! tonic's server behind the adapter, called over a unix socket as edgecore calls.

use std::path::Path;

use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::server::UdsConnectInfo;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tower::service_fn;

use super::{SanitisedStream, SubstitutingStream, placeholder};
use crate::dmi::generated::device_mapper_service_client::DeviceMapperServiceClient;
use crate::dmi::generated::device_mapper_service_server::{DeviceMapperService, DeviceMapperServiceServer};
use crate::dmi::generated::{
    CreateDeviceModelRequest, CreateDeviceModelResponse, Device, GetDeviceRequest, GetDeviceResponse,
    RegisterDeviceRequest, RegisterDeviceResponse, RemoveDeviceModelRequest, RemoveDeviceModelResponse,
    RemoveDeviceRequest, RemoveDeviceResponse, UpdateDeviceModelRequest, UpdateDeviceModelResponse,
    UpdateDeviceRequest, UpdateDeviceResponse,
};

/// Answers `GetDevice` with the name it was asked for, provided that the socket's credentials came through.
struct Echo;

#[tonic::async_trait]
impl DeviceMapperService for Echo {
    async fn register_device(
        &self,
        _: Request<RegisterDeviceRequest>,
    ) -> Result<Response<RegisterDeviceResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn remove_device(&self, _: Request<RemoveDeviceRequest>) -> Result<Response<RemoveDeviceResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn update_device(&self, _: Request<UpdateDeviceRequest>) -> Result<Response<UpdateDeviceResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn create_device_model(
        &self,
        _: Request<CreateDeviceModelRequest>,
    ) -> Result<Response<CreateDeviceModelResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn remove_device_model(
        &self,
        _: Request<RemoveDeviceModelRequest>,
    ) -> Result<Response<RemoveDeviceModelResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn update_device_model(
        &self,
        _: Request<UpdateDeviceModelRequest>,
    ) -> Result<Response<UpdateDeviceModelResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_device(&self, request: Request<GetDeviceRequest>) -> Result<Response<GetDeviceResponse>, Status> {
        let peer = request.extensions().get::<UdsConnectInfo>().and_then(|info| info.peer_cred);
        peer.ok_or_else(|| Status::internal("no credentials of the peer"))?;
        let device = Device { name: request.into_inner().device_name, ..Device::default() };
        Ok(Response::new(GetDeviceResponse { device: Some(device) }))
    }
}

/// A server on a socket of its own, stopped when dropped.
struct Mapper {
    dir: TempDir,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Mapper {
    fn start(adapted: bool) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let incoming = UnixListenerStream::new(UnixListener::bind(dir.path().join("x.sock")).expect("a socket"));
        let router = Server::builder().add_service(DeviceMapperServiceServer::new(Echo));
        let server = if adapted {
            tokio::spawn(router.serve_with_incoming(incoming.map(|stream| stream.map(SanitisedStream::new))))
        } else {
            tokio::spawn(router.serve_with_incoming(incoming))
        };
        Self { dir, server }
    }

    fn socket(&self) -> String {
        self.dir.path().join("x.sock").to_str().expect("UTF-8").to_owned()
    }

    /// A client that sends `authority` as it stands.
    async fn client(&self, authority: &str) -> DeviceMapperServiceClient<Channel> {
        let (socket, raw) = (self.socket(), authority.to_owned());
        let connector = service_fn(move |_| connect(socket.clone(), raw.clone()));
        let endpoint = Endpoint::try_from(format!("http://{}", placeholder(authority))).expect("a legal authority");
        DeviceMapperServiceClient::new(endpoint.connect_with_connector(connector).await.expect("a connection"))
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn connect(socket: impl AsRef<Path>, raw: String) -> std::io::Result<TokioIo<SubstitutingStream<UnixStream>>> {
    let stream = UnixStream::connect(socket).await?;
    Ok(TokioIo::new(SubstitutingStream::new(stream, &placeholder(&raw), &raw)?))
}

async fn get_device(client: &mut DeviceMapperServiceClient<Channel>, name: &str) -> Result<Device, Status> {
    let request = GetDeviceRequest { device_name: name.to_owned(), ..GetDeviceRequest::default() };
    Ok(client.get_device(request).await?.into_inner().device.unwrap_or_default())
}

/// The forms that the two grpc-go versions give to a socket's path, and one that was always legal.
fn forms(socket: &str) -> [String; 3] {
    [socket.to_owned(), socket.replace('/', "%2F"), "localhost".to_owned()]
}

#[tokio::test]
async fn each_form_of_authority_gets_through_for_all_calls_of_a_connection() {
    let mapper = Mapper::start(true);
    for authority in forms(&mapper.socket()) {
        let mut client = mapper.client(&authority).await;
        for call in 1..=4 {
            let name = format!("device-{call}");
            let device = get_device(&mut client, &name).await;
            assert_eq!(device.map(|device| device.name).ok(), Some(name), "{authority}");
        }
    }
}

#[tokio::test]
async fn a_message_of_many_frames_gets_through() {
    let mapper = Mapper::start(true);
    let mut client = mapper.client(&mapper.socket()).await;
    let name = "x".repeat(1_000_000);
    assert_eq!(get_device(&mut client, &name).await.map(|device| device.name).ok(), Some(name));
}

/// The reason for this module. Should it fail, `h2` has changed its mind and the adapter may go.
#[tokio::test]
async fn without_the_adapter_h2_refuses_what_edgecore_sends() {
    let mapper = Mapper::start(false);
    for authority in &forms(&mapper.socket())[..2] {
        let refused = get_device(&mut mapper.client(authority).await, "device").await;
        let status = refused.expect_err("refused");
        assert_eq!(status.code(), Code::Internal, "{status}");
        assert!(status.message().contains("protocol error"), "{status}");
    }
}
