//! The private, dyn-compatible mirror of the contract, so that kinds of different types stand in one list.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{Device, Property};

use super::{
    Credentials, Endpoint, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError, SinkKind, Target,
    frames::PushedFrame,
};

/// A [`SinkKind`] of any type.
#[async_trait]
pub(crate) trait ErasedKind: Send + Sync {
    fn name(&self) -> &str;
    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError>;
    fn endpoint(&self, target: &Target) -> Option<Endpoint>;

    fn visitor_keys(&self) -> &[&str] {
        &[]
    }

    fn keeps_history(&self) -> bool {
        false
    }

    fn bulk_records(&self) -> usize {
        0
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<Box<dyn ErasedSink>, SinkError>;
}

/// A [`Sink`] of any type, or a connection for frames, of which nothing else is asked.
#[async_trait]
pub(crate) trait ErasedSink: Send {
    async fn write(&mut self, _: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        Err(SinkError::unsupported("this connection is for frames only"))
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        Err(SinkError::unsupported("this connection is for frames only"))
    }

    async fn query(&mut self, _: &Query) -> Result<Vec<Point>, SinkError> {
        Err(SinkError::unsupported("this connection is for frames only"))
    }

    /// Pushes one frame, and waits until it has arrived.
    async fn write_frame(&mut self, _: &PushedFrame) -> Result<(), SinkError> {
        Err(SinkError::unsupported("this connection is for samples only"))
    }

    async fn close(self: Box<Self>);
}

/// Hides a kind's type.
pub(crate) fn erase(kind: impl SinkKind) -> Arc<dyn ErasedKind> {
    Arc::new(Typed(kind))
}

/// Carries the methods of a kind or of a sink, which have the names of the mirror's.
struct Typed<T>(T);

#[async_trait]
impl<K: SinkKind> ErasedKind for Typed<K> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        self.0.routes(device, property)
    }

    fn visitor_keys(&self) -> &[&str] {
        self.0.visitor_keys()
    }

    fn keeps_history(&self) -> bool {
        self.0.keeps_history()
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        self.0.endpoint(target)
    }

    fn bulk_records(&self) -> usize {
        self.0.bulk_records()
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<Box<dyn ErasedSink>, SinkError> {
        Ok(Box::new(Typed(self.0.open(target, credentials).await?)))
    }
}

#[async_trait]
impl<S: Sink> ErasedSink for Typed<S> {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        self.0.write(batch).await
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        self.0.health().await
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        self.0.query(query).await
    }

    async fn close(self: Box<Self>) {
        self.0.close().await;
    }
}
