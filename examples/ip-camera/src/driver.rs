//! What the framework calls.

use mapper_framework::{
    Call, DataType, Device, DeviceState, Driver, DriverError, FrameSender, Property, Reading, Reads, Session, Value,
};
use serde::Deserialize;
use url::Url;

use crate::{
    clock::Clock,
    config::{Config, Source},
    http::Http,
    login::Login,
    onvif::{Information, Onvif, Vector},
    rtsp::{Described, Rtsp},
    snapshot::Snapshots,
};

/// The longest time that a camera is turned for, in seconds.
const LONGEST_MOVE: f64 = 60.0;

/// Connects to cameras.
#[derive(Clone, Copy, Debug, Default)]
pub struct IpCamera;

/// `visitors.configData` of a property that is not of the stream: what it shows, or what it says when a method is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "shows", rename_all = "camelCase")]
pub enum Visitor {
    /// Who has made the camera.
    Manufacturer,
    /// What the camera is called.
    Model,
    /// The version of its firmware.
    Firmware,
    /// Its serial number.
    Serial,
    /// Where the video is.
    StreamUri,
    /// By how many milliseconds the camera's clock is ahead of this machine's.
    ClockDifference,
    /// Where it looks from left to right.
    Pan,
    /// Where it looks from bottom to top.
    Tilt,
    /// How near it looks.
    Zoom,
    /// How fast `continuousMove` turns it to the right, where the call does not say it.
    PanSpeed,
    /// How fast `continuousMove` turns it upwards, where the call does not say it.
    TiltSpeed,
    /// How fast `continuousMove` zooms in, where the call does not say it.
    ZoomSpeed,
    /// For how many seconds `continuousMove` turns it, where the call does not say it.
    MoveFor,
}

/// A camera.
pub struct Camera {
    /// Where it is asked for what is no video.
    onvif: Option<Onvif>,
    source: Pictures,
    /// What the camera has said of its streams already, until it is used or old.
    described: Option<Described>,
    clock: Clock,
    /// What `continuousMove` does where its call does not say it.
    speed: Speed,
    /// What has been asked for in this round of reads.
    round: Round,
    /// Whether its services have not answered lately, though the video may go on.
    is_silent: bool,
}

/// Where the frames come from.
enum Pictures {
    Video(Rtsp),
    Snapshots(Snapshots),
}

/// How fast the camera is turned, and for how many seconds.
#[derive(Clone, Copy, Debug)]
struct Speed {
    pan: f64,
    tilt: f64,
    zoom: f64,
    seconds: f64,
}

impl Default for Speed {
    fn default() -> Self {
        Self { pan: 0.0, tilt: 0.0, zoom: 0.0, seconds: 1.0 }
    }
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

    /// Asks for the streams, so that an address or a password that is wrong is the device's state, whether or not it has a stream.
    async fn connect(&self, device: &Device, config: Config) -> Result<Camera, DriverError> {
        let http = Http { login: Login::of(device), patience: config.timeout };
        let onvif = match &config.onvif {
            Some(address) => Some(Onvif::connect(http.clone(), address, config.profile.as_deref()).await?),
            None => None,
        };
        let source = pictures(&config, onvif.as_ref(), http).await?;
        let mut described = None;
        match &source {
            Pictures::Video(video) => described = Some(video.describe().await?),
            Pictures::Snapshots(snapshots) => drop(snapshots.fetch().await?),
        }
        let (clock, speed, round) = (Clock::default(), Speed::default(), Round::default());
        Ok(Camera { onvif, source, described, clock, speed, round, is_silent: false })
    }
}

/// Where the manifest has the frames come from.
async fn pictures(config: &Config, onvif: Option<&Onvif>, http: Http) -> Result<Pictures, DriverError> {
    let url = match (&config.url, onvif, config.source) {
        (Some(url), ..) => url.clone(),
        (None, Some(onvif), Source::Rtsp) => onvif.stream_uri(config.transport).await?,
        (None, Some(onvif), Source::Snapshot) => onvif.snapshot_uri().await?,
        (None, None, _) => return Err(Config::nowhere()),
    };
    if url.scheme() == "http" {
        return Ok(Pictures::Snapshots(Snapshots { http, url, every: config.interval() }));
    }
    Ok(Pictures::Video(Rtsp { url, login: http.login, transport: config.transport, patience: http.patience }))
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
            Visitor::StreamUri => self.source.url().as_str().into(),
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
                tokio::spawn(video.send(frames));
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

impl Speed {
    /// Sets what a property stands for.
    fn set(&mut self, visitor: Visitor, number: f64) -> Result<(), DriverError> {
        match visitor {
            Visitor::PanSpeed => self.pan = number,
            Visitor::TiltSpeed => self.tilt = number,
            Visitor::ZoomSpeed => self.zoom = number,
            // What nobody stops stops by itself.
            Visitor::MoveFor if (0.0..=LONGEST_MOVE).contains(&number) => self.seconds = number,
            Visitor::MoveFor => {
                let bounds = format_args!("found {number}, expected seconds from 0 to {LONGEST_MOVE}").to_string();
                return Err(DriverError::refused(bounds));
            }
            _ => return Err(DriverError::unsupported("this can only be read")),
        }
        Ok(())
    }
}

impl Pictures {
    fn url(&self) -> &Url {
        match self {
            Self::Video(video) => &video.url,
            Self::Snapshots(snapshots) => &snapshots.url,
        }
    }
}

/// A part of the position, if the camera says it.
fn known(part: Option<f64>) -> Result<f64, DriverError> {
    part.ok_or_else(|| DriverError::unsupported("the camera does not say where it looks"))
}

fn as_number(value: &Value) -> Option<f64> {
    match *value {
        Value::Double(number) => Some(number),
        Value::Float(number) => Some(f64::from(number)),
        Value::Int(number) => Some(number as f64),
        _ => None,
    }
}
