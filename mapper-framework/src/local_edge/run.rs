//! One run of the edge: from the socket's creation to its end.

use std::{fs, io, os::unix::ffi::OsStrExt, os::unix::fs::FileTypeExt, path::Path, sync::Arc};

use tokio::net::UnixListener;
use tokio_stream::{StreamExt, wrappers::UnixListenerStream};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::transport::Server;

use super::{LocalEdgeError, core::Core, event::EdgeEvent, service::Service};
use crate::dmi::{
    generated::device_manager_service_server::DeviceManagerServiceServer, severable::Severable, socket::MAX_SOCKET_PATH,
};

/// The largest message that a grpc-go server takes, unless it is configured otherwise, and edgecore does not configure it.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// A run. Dropping it cuts its connections.
#[derive(Debug)]
pub(super) struct Run {
    token: CancellationToken,
    /// Ends by itself once the token is cancelled.
    server: AbortOnDropHandle<()>,
    /// Edgecore at the event bus. Ends by itself once the token is cancelled.
    #[cfg(feature = "eventbus")]
    bus: Option<AbortOnDropHandle<()>>,
}

impl Run {
    /// Creates the socket anew and serves it.
    pub(super) fn start(core: &Arc<Core>) -> Result<Self, LocalEdgeError> {
        let token = CancellationToken::new();
        let listener = bind(&core.socket)?;
        core.change(|state| {
            state.run = Some(token.clone());
            state.crashed = None;
        });
        #[cfg(feature = "eventbus")]
        let bus = super::bus::connect(core, &token);
        core.emit(EdgeEvent::Started { socket: core.socket.clone() });
        let server = tokio::spawn(serve(Arc::clone(core), listener, token.clone()));
        Ok(Self {
            token,
            server: AbortOnDropHandle::new(server),
            #[cfg(feature = "eventbus")]
            bus,
        })
    }

    /// Cuts the connections, removes the socket, and waits until nothing is left.
    pub(super) async fn stop(mut self, core: &Core) {
        let was_running = core.change(|state| state.run.take()).is_some();
        self.token.cancel();
        if let Err(error) = (&mut self.server).await {
            tracing::error!(%error, "the server of the local edge has panicked");
        }
        #[cfg(feature = "eventbus")]
        if let Some(bus) = self.bus.as_mut()
            && let Err(error) = bus.await
        {
            tracing::error!(%error, "the event bus of the local edge has panicked");
        }
        remove_socket(&core.socket);
        if was_running {
            core.emit(EdgeEvent::Stopped);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

fn bind(socket: &Path) -> Result<UnixListener, LocalEdgeError> {
    if socket.as_os_str().as_bytes().len() > MAX_SOCKET_PATH {
        return Err(LocalEdgeError::SocketPathTooLong { path: socket.to_owned() });
    }
    remove_stale(socket).and_then(|()| UnixListener::bind(socket)).map_err(|error| LocalEdgeError::io(socket, error))
}

/// Removes the socket of an earlier run, but no file that is something else.
fn remove_stale(socket: &Path) -> io::Result<()> {
    match fs::symlink_metadata(socket) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(socket),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the socket's file, if it is still there.
pub(super) fn remove_socket(socket: &Path) {
    if let Err(error) = remove_stale(socket) {
        tracing::warn!(socket = %socket.display(), %error, "the socket of the local edge cannot be removed");
    }
}

async fn serve(core: Arc<Core>, listener: UnixListener, token: CancellationToken) {
    let service = Service::new(Arc::clone(&core), token.clone());
    let service = DeviceManagerServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE);
    let cut = token.clone();
    let connections =
        UnixListenerStream::new(listener).map(move |stream| stream.map(|stream| Severable::new(stream, cut.clone())));
    let served = Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(connections, token.clone().cancelled_owned())
        .await;
    if let Err(error) = served {
        core.crash(&token, &format!("the server has failed: {error}"));
    }
}
