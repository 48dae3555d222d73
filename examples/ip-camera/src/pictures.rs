//! Where a camera's frames come from.

use mapper_framework::DriverError;
use url::Url;

use crate::{
    config::{Config, Source},
    http::Http,
    onvif::Onvif,
    rtsp::Rtsp,
    snapshot::Snapshots,
};

/// Where the frames come from.
pub(crate) enum Pictures {
    Video(Rtsp),
    Snapshots(Snapshots),
}

impl Pictures {
    /// Where the manifest has the frames come from.
    pub(crate) async fn find(config: &Config, onvif: Option<&Onvif>, http: Http) -> Result<Self, DriverError> {
        let url = match (&config.url, onvif, config.source) {
            (Some(url), ..) => url.clone(),
            (None, Some(onvif), Source::Rtsp) => onvif.stream_uri(config.transport).await?,
            (None, Some(onvif), Source::Snapshot) => onvif.snapshot_uri().await?,
            (None, None, _) => return Err(Config::nowhere()),
        };
        if url.scheme() == "http" {
            return Ok(Self::Snapshots(Snapshots { http, url, every: config.interval() }));
        }
        Ok(Self::Video(Rtsp { url, login: http.login, transport: config.transport, patience: http.patience }))
    }

    /// Where they are.
    pub(crate) fn url(&self) -> &Url {
        match self {
            Self::Video(video) => &video.url,
            Self::Snapshots(snapshots) => &snapshots.url,
        }
    }
}
