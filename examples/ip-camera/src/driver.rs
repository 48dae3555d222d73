//! What the framework calls.

use mapper_framework::{Device, Driver, DriverError, FrameSender, Property, Reading, Session};
use serde::Deserialize;

use crate::{
    clock::Clock,
    config::Config,
    login::Login,
    rtsp::{Described, Source},
};

/// Connects to cameras.
#[derive(Clone, Copy, Debug, Default)]
pub struct IpCamera;

/// `visitors.configData` of a property that is not of the stream: what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "shows", rename_all = "camelCase")]
pub enum Visitor {
    /// Where the video is.
    StreamUri,
    /// By how many milliseconds the camera's clock is ahead of this machine's.
    ClockDifference,
}

/// A camera.
pub struct Camera {
    source: Source,
    /// What the camera has said already, until it is used or old.
    described: Option<Described>,
    clock: Clock,
}

impl Driver for IpCamera {
    type Config = Config;
    type Session = Camera;

    /// Asks for the streams, so that an address or a password that is wrong is the device's state, whether or not it has a stream.
    async fn connect(&self, device: &Device, config: Config) -> Result<Camera, DriverError> {
        let source = Source {
            url: config.url()?.clone(),
            login: Login::of(device),
            transport: config.transport,
            patience: config.timeout,
        };
        let described = Some(source.describe().await?);
        Ok(Camera { source, described, clock: Clock::default() })
    }
}

impl Session for Camera {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        match property.visitor() {
            Visitor::StreamUri => Ok(self.source.url.as_str().into()),
            Visitor::ClockDifference => {
                let none = "the camera has not sent its time: a sender report of RTCP has it, while the stream is on";
                self.clock.ahead().map(Reading::from).ok_or_else(|| DriverError::failed(none))
            }
        }
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        let described = match self.described.take().filter(Described::is_fresh) {
            Some(described) => described,
            None => self.source.describe().await?,
        };
        let video = self.source.play(described, self.clock.clone()).await?;
        // Ends with the frames: when the session ends or the stream is stopped.
        tokio::spawn(video.send(frames));
        Ok(())
    }
}
