//! What the server shows: the running mapper, and how it was configured.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::SystemTime,
};

use tokio::{sync::Semaphore, time::Instant};

use crate::{
    config::{Config, Package},
    runtime::Handle,
    twin::{Outbox, Pacer},
};

use super::{
    Bound, HttpError,
    access::{Access, Peer},
    api::Replay,
};

/// The most streams at a time, of events and of pictures. A connection each, and a queue of events or one picture.
pub(super) const MAX_STREAMS: usize = 64;

/// What is shown.
pub(crate) struct Sources {
    pub(crate) handle: Handle,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) pacer: Arc<Pacer>,
    pub(crate) config: Config,
    pub(crate) package: Package,
}

/// A mapper that can be looked into. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Site(Arc<Inner>);

struct Inner {
    sources: Sources,
    access: Access,
    /// Names this run of the mapper, so that numbers of events of another one are not taken for its own.
    run: String,
    started: (SystemTime, Instant),
    /// Those over TCP, and those of the command line.
    streams: [Arc<Semaphore>; 2],
    replay: Arc<Replay>,
}

impl Site {
    /// # Errors
    ///
    /// A file that the config names cannot be used.
    pub(crate) fn new(sources: Sources, bound: &Bound) -> Result<Self, HttpError> {
        let http = &sources.config.http;
        let is_loopback = bound.address.ip().is_loopback();
        let access = Access::new(http, is_loopback);
        access.check_tokens().map_err(HttpError::File)?;
        #[cfg(feature = "_tls")]
        super::tls::check(&http.tls).map_err(HttpError::File)?;
        if !is_loopback && !http.tls.is_on() && !http.token.as_os_str().is_empty() {
            tracing::warn!(
                address = %bound.address,
                "tokens for the HTTP server go over the network in the clear: set http.tls.cert_file and http.tls.key_file, or \
                 common.address to 127.0.0.1"
            );
        }
        let run = format!("{:08x}", RandomState::new().hash_one(SystemTime::now()) as u32);
        let replay = Arc::new(Replay::new(sources.handle.clone()));
        Ok(Self(Arc::new(Inner {
            sources,
            access,
            run,
            started: (SystemTime::now(), Instant::now()),
            streams: [MAX_STREAMS, MAX_STREAMS].map(|most| Arc::new(Semaphore::new(most))),
            replay,
        })))
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.0.sources.handle
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.0.sources.outbox
    }

    pub(super) fn pacer(&self) -> &Pacer {
        &self.0.sources.pacer
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.sources.config
    }

    pub(super) fn package(&self) -> Package {
        self.0.sources.package
    }

    pub(super) fn access(&self) -> &Access {
        &self.0.access
    }

    pub(super) fn run(&self) -> &str {
        &self.0.run
    }

    pub(super) fn started(&self) -> (SystemTime, Instant) {
        self.0.started
    }

    /// The places for streams of a kind of client.
    pub(super) fn streams(&self, peer: &Peer) -> &Arc<Semaphore> {
        &self.0.streams[usize::from(*peer == Peer::Socket)]
    }

    pub(super) fn replay(&self) -> &Arc<Replay> {
        &self.0.replay
    }
}
