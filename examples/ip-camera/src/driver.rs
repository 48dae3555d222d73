//! What the framework calls.

use std::{path::PathBuf, sync::Arc, time::Duration};

use mapper_framework::{
    Call, DataType, Device, DeviceState, Discovery, Driver, DriverError, FrameSender, Property, Reading, Reads,
    Session, Value,
};

use crate::{
    clock::Clock,
    config::{Config, Decode},
    decoder::Decoder,
    http::Http,
    login::{Login, shown},
    onvif::{Information, Onvif, Vector},
    pictures::Pictures,
    rtsp::Described,
    search,
    visitor::{Speed, Visitor, as_number},
};

/// Connects to cameras.
#[derive(Clone, Debug)]
pub struct IpCamera {
    /// The program that decodes, where a manifest asks for that.
    ffmpeg: PathBuf,
}

/// With the `ffmpeg` on the path.
impl Default for IpCamera {
    fn default() -> Self {
        Self { ffmpeg: PathBuf::from("ffmpeg") }
    }
}

impl IpCamera {
    /// Takes another `ffmpeg` than the one on the path.
    #[must_use]
    pub fn ffmpeg(mut self, program: impl Into<PathBuf>) -> Self {
        self.ffmpeg = program.into();
        self
    }
}

/// A camera.
pub struct Camera {
    /// Where it is asked for what is no video.
    onvif: Option<Onvif>,
    source: Pictures,
    /// What the camera has said of its streams already, until it is used or old.
    described: Option<Described>,
    clock: Clock,
    /// What decodes key frames, where the manifest asks for that.
    ffmpeg: Option<PathBuf>,
    /// What `continuousMove` does where its call does not say it.
    speed: Speed,
    /// What has been asked for in this round of reads.
    round: Round,
    /// Whether its services have not answered lately, though the video may go on.
    is_silent: bool,
}

/// One question answers for several properties, and a camera that does not answer is asked once.
#[derive(Default)]
struct Round {
    information: Option<Information>,
    position: Option<Vector>,
    failure: Option<DriverError>,
}

impl Driver for IpCamera {
    type Config = Config;
    type Session = Camera;

    const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = search::ARGS;

    /// Asks for the streams, so that an address or a password that is wrong is the device's state, whether or not it has a stream.
    async fn connect(&self, device: &Device, config: Config) -> Result<Camera, DriverError> {
        let http = Http { login: Login::of(device), patience: config.timeout };
        let onvif = match &config.onvif {
            Some(address) => Some(Onvif::connect(http.clone(), address, config.profile.as_deref()).await?),
            None => None,
        };
        let source = Pictures::find(&config, onvif.as_ref(), http).await?;
        let mut described = None;
        match &source {
            Pictures::Video(video) => described = Some(video.describe().await?),
            Pictures::Snapshots(snapshots) => drop(snapshots.fetch().await?),
        }
        let (clock, speed, round) = (Clock::default(), Speed::default(), Round::default());
        let ffmpeg = (config.decode == Decode::KeyFrames).then(|| self.ffmpeg.clone());
        Ok(Camera { onvif, source, described, clock, ffmpeg, speed, round, is_silent: false })
    }

    fn longest_wait(config: &Config) -> Option<Duration> {
        Some(config.longest())
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        search::search(discovery).await
    }
}

impl Session for Camera {
    type Visitor = Visitor;

    fn check(property: &Property<Visitor>) -> Result<(), DriverError> {
        let is_text = matches!(
            property.visitor(),
            Visitor::Manufacturer | Visitor::Model | Visitor::Firmware | Visitor::Serial | Visitor::StreamUri
        );
        if is_text && property.data_type() != DataType::String {
            return Err(DriverError::refused("it is a text: give it the type STRING in the model"));
        }
        Ok(())
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(match property.visitor() {
            Visitor::Manufacturer => self.information().await?.manufacturer.into(),
            Visitor::Model => self.information().await?.model.into(),
            Visitor::Firmware => self.information().await?.firmware.into(),
            Visitor::Serial => self.information().await?.serial.into(),
            Visitor::StreamUri => shown(self.source.url()).into(),
            Visitor::ClockDifference => self.clock_difference().await?.into(),
            Visitor::Pan => known(self.position().await?.pan)?.into(),
            Visitor::Tilt => known(self.position().await?.tilt)?.into(),
            Visitor::Zoom => known(self.position().await?.zoom)?.into(),
            Visitor::PanSpeed => self.speed.pan.into(),
            Visitor::TiltSpeed => self.speed.tilt.into(),
            Visitor::ZoomSpeed => self.speed.zoom.into(),
            Visitor::MoveFor => self.speed.seconds.into(),
        })
    }

    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        for (index, property) in reads.properties().iter().enumerate() {
            let result = self.read(property).await;
            if let Err(error) = &result
                && error.is_retryable()
            {
                self.round.failure = Some(error.clone());
            }
            reads.set_at(index, result);
        }
        let Round { information, position, failure } = std::mem::take(&mut self.round);
        if failure.is_some() || information.is_some() || position.is_some() {
            self.is_silent = failure.is_some();
        }
        Ok(())
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        Ok(if self.is_silent { DeviceState::Unhealthy } else { DeviceState::Online })
    }

    /// Turns the camera to a position, or notes how fast it is to be turned.
    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let number = as_number(value).ok_or_else(|| DriverError::refused("expected a number"))?;
        let visitor = *property.visitor();
        match visitor {
            Visitor::Pan => self.turn(Vector { pan: Some(number), ..Vector::default() }).await,
            Visitor::Tilt => self.turn(Vector { tilt: Some(number), ..Vector::default() }).await,
            Visitor::Zoom => self.turn(Vector { zoom: Some(number), ..Vector::default() }).await,
            _ => self.speed.set(visitor, number),
        }
    }

    /// Turns the camera. A call ends when the camera has taken it, and not when it looks there.
    async fn call(&mut self, call: &Call<'_, Visitor>) -> Result<Vec<Value>, DriverError> {
        self.round = Round::default();
        let number = |wanted| {
            let mut arguments = call.arguments();
            arguments.find(|(property, _)| *property.visitor() == wanted).and_then(|(_, value)| as_number(value))
        };
        match call.method().name.as_str() {
            "absoluteMove" => {
                let (pan, tilt, zoom) = (number(Visitor::Pan), number(Visitor::Tilt), number(Visitor::Zoom));
                self.turn(Vector { pan, tilt, zoom }).await?;
            }
            "continuousMove" => {
                let mut speed = self.speed;
                for visitor in [Visitor::PanSpeed, Visitor::TiltSpeed, Visitor::ZoomSpeed, Visitor::MoveFor] {
                    number(visitor).map_or(Ok(()), |number| speed.set(visitor, number))?;
                }
                let Speed { pan, tilt, zoom, seconds } = speed;
                let vector = Vector { pan: Some(pan), tilt: Some(tilt), zoom: Some(zoom) };
                self.onvif()?.move_at(vector, seconds).await?;
            }
            "stopMoving" => self.onvif()?.halt().await?,
            other => {
                let known = "absoluteMove, continuousMove and stopMoving";
                return Err(DriverError::unsupported(format_args!(
                    "{other:?} is no method of a camera's: there are {known}"
                )));
            }
        }
        Ok(Vec::new())
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        // Each task ends with its frames: when the session ends or the stream is stopped.
        match &self.source {
            Pictures::Snapshots(snapshots) => drop(tokio::spawn(snapshots.clone().send(frames))),
            Pictures::Video(video) => {
                let described = match self.described.take().filter(Described::is_fresh) {
                    Some(described) => described,
                    None => video.describe().await?,
                };
                let video = video.play(described, self.clock.clone()).await?;
                match self.ffmpeg.as_ref().filter(|_| video.is_encoded()) {
                    None => drop(tokio::spawn(video.send(frames))),
                    Some(ffmpeg) => {
                        let frames = Arc::new(frames);
                        let decoder = Decoder::new(ffmpeg, Arc::clone(&frames)).await?;
                        tokio::spawn(async move { video.decode(&frames, decoder).await });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Camera {
    /// The camera's services, unless they have not answered in this round.
    fn onvif(&self) -> Result<&Onvif, DriverError> {
        if let Some(failure) = &self.round.failure {
            return Err(failure.clone());
        }
        let needed = "this needs ONVIF: write the address of the camera's device service as protocol.configData.onvif";
        self.onvif.as_ref().ok_or_else(|| DriverError::unsupported(needed))
    }

    async fn turn(&mut self, target: Vector) -> Result<(), DriverError> {
        self.round = Round::default();
        self.onvif()?.move_to(target).await
    }

    async fn information(&mut self) -> Result<Information, DriverError> {
        if let Some(known) = &self.round.information {
            return Ok(known.clone());
        }
        let information = self.onvif()?.information().await?;
        self.round.information = Some(information.clone());
        Ok(information)
    }

    async fn position(&mut self) -> Result<Vector, DriverError> {
        if let Some(known) = self.round.position {
            return Ok(known);
        }
        let position = self.onvif()?.position().await?;
        self.round.position = Some(position);
        Ok(position)
    }

    /// As the video's reports have it, to the millisecond; else as ONVIF has it, to the second.
    async fn clock_difference(&self) -> Result<i64, DriverError> {
        if let Some(ahead) = self.clock.ahead() {
            return Ok(ahead);
        }
        if self.onvif.is_some() {
            return self.onvif()?.ahead().await;
        }
        // Says nothing of the connection.
        let none = "the camera has not sent its time: a sender report of RTCP has it, while the stream is on";
        Err(DriverError::refused(none))
    }
}

/// A part of the position, if the camera says it.
fn known(part: Option<f64>) -> Result<f64, DriverError> {
    part.ok_or_else(|| DriverError::unsupported("the camera does not say where it looks"))
}
