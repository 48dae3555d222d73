//! The mapper's side of DMI: turns each call into a [`Command`], and its answer into a gRPC status. No logic of its own.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use futures_util::StreamExt;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, transport::Server};

use crate::{
    model::{DeviceId, ModelId, Sample},
    telemetry::{Telemetry, devices::MessageInvalid},
};

use super::{
    authority::SanitisedStream,
    command::{Command, DeviceReport, Refusal, Reply},
    convert::{self, Invalid},
    generated::{
        self as pb,
        device_mapper_service_server::{DeviceMapperService, DeviceMapperServiceServer},
    },
    severable::Severable,
    socket::{Socket, incoming},
};

/// The largest request that is read. A device with 10,000 properties takes about 2 MB.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The longest message of a status, in bytes. It travels in a header, percent-encoded; a client drops the call whose headers are
/// larger than it takes, which is 16 KiB with some.
const MAX_MESSAGE: usize = 4000;

/// How long calls that are under way may take when the server stops. Then their connections are cut, and those of clients that
/// have opened one and say nothing.
const LAST_CALLS: Duration = Duration::from_millis(500);

/// Serves DMI and gRPC reflection on `socket` until `stop`, then lets calls under way finish.
pub(crate) async fn serve(
    socket: Socket,
    commands: mpsc::Sender<Command>,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let cut = CancellationToken::new();
    let severed = cut.clone();
    let service = DeviceMapperServiceServer::new(Service { commands, telemetry })
        .max_decoding_message_size(MAX_REQUEST)
        .max_encoding_message_size(MAX_REQUEST);
    let connections = incoming(Arc::new(socket))
        .map(move |stream| stream.map(|stream| Severable::new(SanitisedStream::new(stream), severed.clone())));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(include_bytes!("generated/descriptors.bin"))
    };
    const SOUND: &str = "the descriptors are checked in with the code that is generated from them";
    let serving = Server::builder()
        .add_service(service)
        .add_service(reflection().build_v1().expect(SOUND))
        .add_service(reflection().build_v1alpha().expect(SOUND))
        .serve_with_incoming_shutdown(connections, stop.clone().cancelled_owned());
    let cutting = async {
        stop.cancelled().await;
        sleep(LAST_CALLS).await;
        cut.cancel();
    };
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => served,
        () = cutting => serving.await,
    }
}

struct Service {
    commands: mpsc::Sender<Command>,
    telemetry: Telemetry,
}

impl Service {
    /// Hands a command to the owner of the devices, who answers without waiting for any device.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Status> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Status::from(Refusal::Stopping))?;
        answer.await.map_err(|_| Status::from(Refusal::Stopping))?.map_err(Status::from)
    }

    /// Logs what the caller gets as an answer: edgecore does not try again, and its log is seldom read.
    fn read<T>(&self, converted: Result<T, Invalid>) -> Result<T, Status> {
        converted.map_err(|invalid| {
            self.telemetry.emit(MessageInvalid { reason: &invalid });
            invalid.into()
        })
    }

    async fn upsert_device(&self, device: Option<pb::Device>) -> Result<DeviceId, Status> {
        let instance = self.read(convert::instance(device))?;
        let id = instance.id.clone();
        self.ask(|reply| Command::UpsertDevice(Box::new(instance), reply)).await?;
        Ok(id)
    }

    async fn upsert_model(&self, model: Option<pb::DeviceModel>) -> Result<ModelId, Status> {
        let model = self.read(convert::model(model))?;
        let id = model.id.clone();
        self.ask(|reply| Command::UpsertModel(model, reply)).await?;
        Ok(id)
    }
}

#[tonic::async_trait]
impl DeviceMapperService for Service {
    async fn register_device(
        &self,
        request: Request<pb::RegisterDeviceRequest>,
    ) -> Result<Response<pb::RegisterDeviceResponse>, Status> {
        let id = self.upsert_device(request.into_inner().device).await?;
        Ok(Response::new(pb::RegisterDeviceResponse {
            device_name: id.name().to_owned(),
            device_namespace: id.namespace().to_owned(),
        }))
    }

    async fn remove_device(
        &self,
        request: Request<pb::RemoveDeviceRequest>,
    ) -> Result<Response<pb::RemoveDeviceResponse>, Status> {
        let request = request.into_inner();
        let id = DeviceId::new(&request.device_namespace, &request.device_name);
        self.ask(|reply| Command::RemoveDevice(id, reply)).await?;
        Ok(Response::new(pb::RemoveDeviceResponse {}))
    }

    async fn update_device(
        &self,
        request: Request<pb::UpdateDeviceRequest>,
    ) -> Result<Response<pb::UpdateDeviceResponse>, Status> {
        self.upsert_device(request.into_inner().device).await?;
        Ok(Response::new(pb::UpdateDeviceResponse {}))
    }

    async fn create_device_model(
        &self,
        request: Request<pb::CreateDeviceModelRequest>,
    ) -> Result<Response<pb::CreateDeviceModelResponse>, Status> {
        let id = self.upsert_model(request.into_inner().model).await?;
        Ok(Response::new(pb::CreateDeviceModelResponse {
            device_model_name: id.name().to_owned(),
            device_model_namespace: id.namespace().to_owned(),
        }))
    }

    async fn remove_device_model(
        &self,
        request: Request<pb::RemoveDeviceModelRequest>,
    ) -> Result<Response<pb::RemoveDeviceModelResponse>, Status> {
        let request = request.into_inner();
        let id = ModelId::new(&request.model_namespace, &request.model_name);
        self.ask(|reply| Command::RemoveModel(id, reply)).await?;
        Ok(Response::new(pb::RemoveDeviceModelResponse {}))
    }

    async fn update_device_model(
        &self,
        request: Request<pb::UpdateDeviceModelRequest>,
    ) -> Result<Response<pb::UpdateDeviceModelResponse>, Status> {
        self.upsert_model(request.into_inner().model).await?;
        Ok(Response::new(pb::UpdateDeviceModelResponse {}))
    }

    async fn get_device(
        &self,
        request: Request<pb::GetDeviceRequest>,
    ) -> Result<Response<pb::GetDeviceResponse>, Status> {
        let request = request.into_inner();
        let id = DeviceId::new(&request.device_namespace, &request.device_name);
        let report = self.ask(|reply| Command::GetDevice(id, reply)).await?;
        Ok(Response::new(pb::GetDeviceResponse { device: Some(device(&report)) }))
    }
}

/// The device as it was sent, with what was last read of it.
fn device(report: &DeviceReport) -> pb::Device {
    let mut device = convert::device(&report.instance);
    let twins = report.reported.iter().map(|(sample, acknowledged)| twin(sample, acknowledged));
    device.status.get_or_insert_default().twins = twins.collect();
    device
}

fn twin(sample: &Sample, acknowledged: &str) -> pb::Twin {
    let millis = sample.timestamp.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let metadata = [("type", sample.property.data_type().to_string()), ("timestamp", millis.to_string())];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value)).into();
    pb::Twin {
        property_name: sample.property.name().to_owned(),
        observed_desired: Some(pb::TwinProperty { value: acknowledged.to_owned(), ..Default::default() }),
        reported: Some(pb::TwinProperty { value: sample.value.to_string(), metadata }),
    }
}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        Self::invalid_argument(cut(invalid.to_string()))
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(message) => Self::invalid_argument(cut(message)),
            Refusal::NotFound(message) => Self::not_found(cut(message)),
            Refusal::Stopping => Self::unavailable(refusal.to_string()),
        }
    }
}

fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|&end| message.is_char_boundary(end)).unwrap_or_default();
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests;
