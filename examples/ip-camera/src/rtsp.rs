//! A camera's video over RTSP, from the question for it to the first packet.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use mapper_framework::DriverError;
use retina::{
    client::{self, Credentials, Demuxed, PlayOptions, SessionOptions, SetupOptions, UdpTransportOptions},
    codec::FrameFormat,
};
use tokio::time::timeout;
use url::Url;

use crate::{
    clock::Clock,
    config::Transport,
    login::{Login, shown},
    video::{Codec, Video},
};

/// How long a description may lie before it is used. Cameras close connections on which nothing happens.
const FRESH: Duration = Duration::from_secs(5);

/// Where a stream is, and how to get at it.
#[derive(Clone, Debug)]
pub(crate) struct Rtsp {
    pub(crate) url: Url,
    pub(crate) login: Option<Login>,
    pub(crate) transport: Transport,
    /// For each answer.
    pub(crate) patience: Duration,
}

/// What the camera has said about its stream, on a connection that waits for the stream to begin.
pub(crate) struct Described {
    session: client::Session<client::Described>,
    /// Which of the streams is the video.
    index: usize,
    codec: Codec,
    since: Instant,
}

impl Described {
    /// Whether the camera still holds the connection, as far as can be known.
    pub(crate) fn is_fresh(&self) -> bool {
        self.since.elapsed() < FRESH
    }
}

impl Rtsp {
    /// Asks the camera for its streams, and finds the video.
    ///
    /// # Errors
    ///
    /// It cannot be reached, does not answer in time, wants another login, or has no video that can be taken.
    pub(crate) async fn describe(&self) -> Result<Described, DriverError> {
        let credentials = self.login.as_ref().map(|login| Credentials {
            username: login.username.clone(),
            password: login.password.expose().to_owned(),
        });
        let options = SessionOptions::default().creds(credentials);
        let session = self.within("DESCRIBE", client::Session::describe(self.url.clone(), options)).await?;
        let streams = || session.streams().iter().enumerate();
        let video = streams().find_map(|(index, stream)| Some((index, Codec::of(stream)?)));
        let Some((index, codec)) = video else {
            let found: Vec<_> = streams().map(|(_, stream)| stream.encoding_name()).collect();
            let cure = "choose one of these in the camera's settings";
            let found = found.join(", ");
            return Err(self.lost(format_args!("it has no video of H.264, H.265 or JPEG, but {found:?}: {cure}")));
        };
        Ok(Described { session, index, codec, since: Instant::now() })
    }

    /// Has the video begin.
    ///
    /// # Errors
    ///
    /// The camera refuses it, or does not answer in time.
    pub(crate) async fn play(&self, described: Described, clock: Clock) -> Result<Video, DriverError> {
        let Described { mut session, index, codec, .. } = described;
        let transport = match self.transport {
            Transport::Tcp => client::Transport::default(),
            Transport::Udp => client::Transport::Udp(UdpTransportOptions::default()),
        };
        // Start codes, and what a decoder has to know before each key frame.
        let setup = SetupOptions::default().transport(transport).frame_format(FrameFormat::SIMPLE);
        self.within("SETUP", session.setup(index, setup)).await?;
        let play = async { session.play(PlayOptions::default()).await.and_then(client::Session::demuxed) };
        let packets: Demuxed = self.within("PLAY", play).await?;
        Ok(Video::new(packets, index, codec, self.transport, clock))
    }

    async fn within<T>(
        &self,
        request: &str,
        answer: impl Future<Output = Result<T, retina::Error>>,
    ) -> Result<T, DriverError> {
        match timeout(self.patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.refused(request, &error)),
            Err(_) => Err(self.lost(format_args!("no answer to {request} within {:?}", self.patience))),
        }
    }

    /// In words what a camera's answer means.
    fn refused(&self, request: &str, error: &retina::Error) -> DriverError {
        match error.status_code() {
            Some(401 | 403) => self.lost(Login::cure(self.login.as_ref())),
            Some(404) => self.lost("it has no stream of this path: look into its manual for the path"),
            Some(461) => self.lost(format_args!("it does not send by {}: try the other `transport`", self.transport)),
            Some(453 | 503) => self.lost(format_args!("it has no stream to spare ({request}): close other viewers")),
            _ => self.lost(first_line(error)),
        }
    }

    /// An error that names the camera.
    fn lost(&self, why: impl std::fmt::Display) -> DriverError {
        DriverError::disconnected(format_args!("{}: {why}", shown(&self.url)))
    }
}

/// What the library says without its remarks for those who read the packets, too.
pub(crate) fn first_line(error: &retina::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
}
