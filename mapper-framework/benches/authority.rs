//! What the adapter that makes edgecore's `:authority` acceptable costs a client that needs no such thing.
//!
//! Run it with `cargo xtask bench authority`. It takes a few seconds.
//!
//! The adapter is private, and stays so: its sources are compiled into this program, which costs the library neither a feature nor
//! a public name.

mod common;

/// The adapter and the messages, from the library's own sources.
#[path = "../src/dmi"]
#[allow(dead_code, unused_imports, reason = "the library uses more of it")]
mod dmi {
    pub(crate) mod authority;
    #[rustfmt::skip]
    #[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, rust_2018_idioms, reason = "it is generated")]
    #[path = "generated/v1beta1.rs"]
    pub(crate) mod generated;
}

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use common::table::Table;
use dmi::{
    authority::SanitisedStream,
    generated::{
        self as pb, device_mapper_service_client::DeviceMapperServiceClient,
        device_mapper_service_server::DeviceMapperServiceServer,
    },
};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::{StreamExt, wrappers::UnixListenerStream};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server},
};
use tower::service_fn;

/// Calls on one connection, and calls with a connection each, as edgecore makes them. To each of the two servers.
const CALLS: usize = 40_000;
const DIALS: usize = 10_000;

/// The first of them do not count.
const WARM_UP: usize = 1_000;

/// By how much the adapter may slow a call down.
const GOAL: f64 = 0.10;

fn main() -> Result<()> {
    if !common::is_wanted() {
        return Ok(());
    }
    // One thread: the time between threads would be the largest part of a call, and the least constant one.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let (bare, adapted) = (folder.path().join("bare.sock"), folder.path().join("adapted.sock"));
        serve_bare(&bare)?;
        serve_adapted(&adapted)?;
        let table = Table::new("authority: a unary call with a legal authority, medians of interleaved calls");
        let mut clients = [connect(&bare).await?, connect(&adapted).await?];
        let mut times = [Vec::with_capacity(CALLS), Vec::with_capacity(CALLS)];
        for _ in 0..CALLS {
            for (client, times) in clients.iter_mut().zip(&mut times) {
                let begun = Instant::now();
                call(client).await?;
                times.push(begun.elapsed());
            }
        }
        judge(&table, "a call on an open connection", times);
        let mut times = [Vec::with_capacity(DIALS), Vec::with_capacity(DIALS)];
        for _ in 0..DIALS {
            for (socket, times) in [&bare, &adapted].into_iter().zip(&mut times) {
                let begun = Instant::now();
                call(&mut connect(socket).await?).await?;
                times.push(begun.elapsed());
            }
        }
        judge(&table, "a call with a connection of its own", times);
        Ok(())
    })
}

fn judge(table: &Table, what: &str, times: [Vec<Duration>; 2]) {
    let [bare, adapted] = times.map(|times| median(times).as_secs_f64() * 1e6);
    let more = adapted / bare - 1.0;
    table.tell(&format!("{what}, bare tonic"), format!("{bare:.1} µs"));
    table.tell(&format!("{what}, adapted"), format!("{adapted:.1} µs"));
    table.judge("  the adapter adds", format!("{:+.1} %", more * 100.0), "≤ +10 %", more <= GOAL);
}

fn median(mut times: Vec<Duration>) -> Duration {
    let times = &mut times[WARM_UP..];
    let middle = times.len() / 2;
    *times.select_nth_unstable(middle).1
}

fn serve_bare(socket: &Path) -> Result<()> {
    let incoming = UnixListenerStream::new(UnixListener::bind(socket)?);
    let server = Server::builder().add_service(DeviceMapperServiceServer::new(Mapper));
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok(())
}

fn serve_adapted(socket: &Path) -> Result<()> {
    let incoming = UnixListenerStream::new(UnixListener::bind(socket)?);
    let server = Server::builder().add_service(DeviceMapperServiceServer::new(Mapper));
    tokio::spawn(server.serve_with_incoming(incoming.map(|stream| stream.map(SanitisedStream::new))));
    Ok(())
}

async fn connect(socket: &Path) -> Result<DeviceMapperServiceClient<Channel>> {
    let socket = socket.to_owned();
    let connector = service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await?;
    Ok(DeviceMapperServiceClient::new(channel))
}

async fn call(client: &mut DeviceMapperServiceClient<Channel>) -> Result<()> {
    let request = pb::GetDeviceRequest { device_name: "boiler".to_owned(), device_namespace: "default".to_owned() };
    let answer = client.get_device(request).await?.into_inner();
    anyhow::ensure!(answer.device.is_some(), "the server gives the device back");
    Ok(())
}

/// Answers at once, so that a call is all transport.
struct Mapper;

#[tonic::async_trait]
impl pb::device_mapper_service_server::DeviceMapperService for Mapper {
    async fn get_device(
        &self,
        request: Request<pb::GetDeviceRequest>,
    ) -> Result<Response<pb::GetDeviceResponse>, Status> {
        let device = pb::Device { name: request.into_inner().device_name, ..pb::Device::default() };
        Ok(Response::new(pb::GetDeviceResponse { device: Some(device) }))
    }

    async fn register_device(
        &self,
        _: Request<pb::RegisterDeviceRequest>,
    ) -> Result<Response<pb::RegisterDeviceResponse>, Status> {
        Err(unused())
    }

    async fn remove_device(
        &self,
        _: Request<pb::RemoveDeviceRequest>,
    ) -> Result<Response<pb::RemoveDeviceResponse>, Status> {
        Err(unused())
    }

    async fn update_device(
        &self,
        _: Request<pb::UpdateDeviceRequest>,
    ) -> Result<Response<pb::UpdateDeviceResponse>, Status> {
        Err(unused())
    }

    async fn create_device_model(
        &self,
        _: Request<pb::CreateDeviceModelRequest>,
    ) -> Result<Response<pb::CreateDeviceModelResponse>, Status> {
        Err(unused())
    }

    async fn remove_device_model(
        &self,
        _: Request<pb::RemoveDeviceModelRequest>,
    ) -> Result<Response<pb::RemoveDeviceModelResponse>, Status> {
        Err(unused())
    }

    async fn update_device_model(
        &self,
        _: Request<pb::UpdateDeviceModelRequest>,
    ) -> Result<Response<pb::UpdateDeviceModelResponse>, Status> {
        Err(unused())
    }
}

fn unused() -> Status {
    Status::unimplemented("not part of the benchmark")
}
