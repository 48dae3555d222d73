//! Calls to a mapper, as edgecore makes them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::{
    Status,
    transport::{Channel, Endpoint, Uri},
};
use tower::service_fn;

use super::{SendFailure, quirks::Authority};
use crate::dmi::{
    authority::{SubstitutingStream, placeholder},
    generated::{
        CreateDeviceModelRequest, Device, DeviceModel, RegisterDeviceRequest, RemoveDeviceModelRequest,
        RemoveDeviceRequest, UpdateDeviceModelRequest, UpdateDeviceRequest,
        device_mapper_service_client::DeviceMapperServiceClient,
    },
};

/// What a call has in all, the connecting included.
const DEADLINE: Duration = Duration::from_secs(10);

/// A call to a mapper.
#[derive(Clone, Debug)]
pub(super) enum MapperCall {
    RegisterDevice(Device),
    UpdateDevice(Device),
    RemoveDevice { namespace: String, name: String },
    CreateModel(DeviceModel),
    UpdateModel(DeviceModel),
    RemoveModel { namespace: String, name: String },
}

/// Connects afresh, calls once, and hangs up. Nothing is repeated.
pub(super) async fn call(socket: &Path, authority: Authority, call: MapperCall) -> Result<(), SendFailure> {
    let attempt = async {
        let channel = connect(socket, authority).await?;
        send(DeviceMapperServiceClient::new(channel), call).await.map_err(|status| refused(&status))
    };
    tokio::time::timeout(DEADLINE, attempt).await.unwrap_or(Err(SendFailure::Timeout))
}

async fn connect(socket: &Path, authority: Authority) -> Result<Channel, SendFailure> {
    let raw = authority.of(&socket.to_string_lossy());
    // No URI may hold what edgecore sends, so a placeholder stands for it until the bytes go out.
    let placeholder = placeholder(&raw);
    let endpoint = Endpoint::from_shared(format!("http://{placeholder}")).map_err(unreachable)?;
    let socket = socket.to_owned();
    let connector = service_fn(move |_: Uri| open(socket.clone(), placeholder.clone(), raw.clone()));
    endpoint.connect_with_connector(connector).await.map_err(unreachable)
}

async fn open(
    socket: PathBuf,
    placeholder: String,
    raw: String,
) -> io::Result<TokioIo<SubstitutingStream<UnixStream>>> {
    let stream = UnixStream::connect(socket).await?;
    Ok(TokioIo::new(SubstitutingStream::new(stream, &placeholder, &raw)?))
}

async fn send(mut mapper: DeviceMapperServiceClient<Channel>, call: MapperCall) -> Result<(), Status> {
    match call {
        MapperCall::RegisterDevice(device) => {
            mapper.register_device(RegisterDeviceRequest { device: Some(device) }).await.map(drop)
        }
        MapperCall::UpdateDevice(device) => {
            mapper.update_device(UpdateDeviceRequest { device: Some(device) }).await.map(drop)
        }
        MapperCall::RemoveDevice { namespace, name } => {
            let request = RemoveDeviceRequest { device_name: name, device_namespace: namespace };
            mapper.remove_device(request).await.map(drop)
        }
        MapperCall::CreateModel(model) => {
            mapper.create_device_model(CreateDeviceModelRequest { model: Some(model) }).await.map(drop)
        }
        MapperCall::UpdateModel(model) => {
            mapper.update_device_model(UpdateDeviceModelRequest { model: Some(model) }).await.map(drop)
        }
        MapperCall::RemoveModel { namespace, name } => {
            let request = RemoveDeviceModelRequest { model_name: name, model_namespace: namespace };
            mapper.remove_device_model(request).await.map(drop)
        }
    }
}

fn refused(status: &Status) -> SendFailure {
    SendFailure::Refused { code: format!("{:?}", status.code()), message: status.message().to_owned() }
}

fn unreachable(error: tonic::transport::Error) -> SendFailure {
    SendFailure::Unreachable(Arc::new(error))
}
