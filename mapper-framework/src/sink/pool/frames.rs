//! Where the frames of a stream go, by the same rules, credentials and certificates as samples.

use std::sync::Arc;

use crate::{
    credentials::CredentialSources,
    model::{Credentials, Device, Property},
};

use super::{
    super::{Access, Endpoint, RouteError, SinkError, frames::FrameRoute, registry::routes},
    Sinks,
};

/// The kind under which media servers stand in `sinks.targets`, and in the names of the variables with their credentials.
const RTSP: &str = crate::config::RTSP_KIND;

impl Sinks {
    /// Where the frames of a property are pushed, and what is wrong with where its manifest wants them.
    pub(crate) fn frame_routes(&self, device: &Device, property: &Property) -> (Vec<FrameRoute>, Vec<RouteError>) {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for kind in &self.0.frame_kinds {
            match routes(&**kind, &self.0.access, device, property) {
                Ok(routes) => found.extend(routes.into_iter().map(|route| {
                    let dialer = self.dialer(Arc::clone(kind), route.target());
                    FrameRoute::new(dialer, route, device.id(), property, self.0.config.backoff_max)
                })),
                Err(problem) => problems.push(problem),
            }
        }
        (found, problems)
    }

    /// What it takes to publish to a media server.
    pub(crate) fn media_server(&self, endpoint: Endpoint) -> MediaServer {
        let (access, sources) = (Arc::clone(&self.0.access), Arc::clone(&self.0.credentials));
        MediaServer { endpoint, access, sources }
    }
}

/// A media server, and where its credentials are. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct MediaServer {
    endpoint: Endpoint,
    access: Arc<Access>,
    sources: Arc<CredentialSources>,
}

impl MediaServer {
    /// The credentials that it may be sent, as they are now.
    ///
    /// # Errors
    ///
    /// They cannot be read, or are held back from this host. The error names the key that would let them go.
    pub(crate) fn credentials(&self) -> Result<Credentials, SinkError> {
        self.access.credentials(RTSP, Some(&self.endpoint), &self.sources)
    }
}
