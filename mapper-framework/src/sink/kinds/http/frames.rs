//! Frames of a stream: each is a POST whose body is the bytes of the frame, as they are.
//!
//! | header | what it is |
//! | --- | --- |
//! | `Content-Type` | that of the frame, such as `image/jpeg` |
//! | `X-Sequence`, `X-Timestamp` | its number, and its time in seconds since 1970, as a snapshot has them |
//! | `X-Width`, `X-Height` | its size, where it is known |
//! | `X-Namespace`, `X-Device` | whose it is |
//!
//! URL, headers of the config, credentials and deadline are those of samples. Frames are not compressed, which they are already.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;

use crate::{
    config::SinksConfig,
    model::{Device, Property},
    sink::{
        Access, Credentials, Endpoint, ErasedKind, ErasedSink, Route, RouteError, SinkError, SinkKind, Target,
        frames::PushedFrame,
    },
};

use super::{Http, HttpSink, NAME};

/// POSTs frames to web servers.
pub(in super::super) struct HttpFrames(Http);

impl HttpFrames {
    pub(in super::super) fn new(config: &SinksConfig, access: &Arc<Access>) -> Self {
        Self(Http::new(config, access))
    }
}

#[async_trait]
impl ErasedKind for HttpFrames {
    fn name(&self) -> &str {
        NAME
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        self.0.routes(device, property)
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        self.0.endpoint(target)
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<Box<dyn ErasedSink>, SinkError> {
        Ok(Box::new(HttpFrameLine(self.0.open(target, credentials).await?)))
    }
}

/// An address to post frames to.
struct HttpFrameLine(HttpSink);

#[async_trait]
impl ErasedSink for HttpFrameLine {
    async fn write_frame(&mut self, pushed: &PushedFrame) -> Result<(), SinkError> {
        let PushedFrame { frame, device, .. } = pushed;
        let request = self.0.client.post(self.0.url.clone());
        let request = request.header(CONTENT_TYPE, frame.content_type().as_str());
        let request = request.header("x-sequence", frame.sequence().unwrap_or_default());
        let request = request.header("x-timestamp", frame.timestamp());
        let request = request.header("x-namespace", device.namespace()).header("x-device", device.name());
        let request = match (frame.width(), frame.height()) {
            (Some(width), Some(height)) => request.header("x-width", width).header("x-height", height),
            _ => request,
        };
        let sent = self.0.send(request.body(frame.bytes().clone()), self.0.deadline).await?;
        sent.map_err(|refusal| refusal.into_error(NAME))
    }

    async fn close(self: Box<Self>) {}
}
