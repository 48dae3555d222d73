//! A camera's services by ONVIF: what it is, where its video and its snapshots are, and its clock.

pub(crate) mod discovery;
mod ptz;
mod soap;
mod xml;

use std::time::{Duration, SystemTime};

use mapper_framework::DriverError;
use quick_xml::escape::escape;
use url::Url;

pub(crate) use ptz::Vector;

use self::{
    soap::{ask, content},
    xml::Element,
};
use crate::{clock, config::Transport, http::Http};

/// A camera that has been asked for its services and profiles.
#[derive(Clone, Debug)]
pub(crate) struct Onvif {
    http: Http,
    /// The address in the manifest.
    device: Url,
    media: Url,
    /// Where it can be moved.
    ptz: Option<Url>,
    /// The token of the profile, escaped.
    profile: String,
    /// By how many milliseconds its clock was ahead when it was connected to.
    ahead: i64,
}

/// What a camera is.
#[derive(Clone, Debug)]
pub(crate) struct Information {
    pub(crate) manufacturer: String,
    pub(crate) model: String,
    pub(crate) firmware: String,
    pub(crate) serial: String,
}

impl Onvif {
    /// Asks a camera for its services and its profiles, and takes the profile of this name or token, or else the first one.
    ///
    /// # Errors
    ///
    /// It does not answer as ONVIF has it, wants another login, or has no such profile.
    pub(crate) async fn connect(http: Http, device: &Url, profile: Option<&str>) -> Result<Self, DriverError> {
        // Tokens are good for seconds only, and many cameras have no right time.
        let ahead = clock_of(&http, device).await?;
        let (media, profile_token) = (device.clone(), String::new());
        let mut camera = Self { http, device: device.clone(), media, ptz: None, profile: profile_token, ahead };
        let answer =
            camera.ask(device, "<tds:GetCapabilities><tds:Category>All</tds:Category></tds:GetCapabilities>").await?;
        let service = |name| content(&answer).and_then(|it| it.text(&["Capabilities", name, "XAddr"]));
        let media = service("Media").ok_or_else(|| camera.odd("it has no media service"))?;
        let (media, ptz) =
            (camera.at_home(media, "http")?, service("PTZ").map(|it| camera.at_home(it, "http")).transpose()?);
        (camera.media, camera.ptz) = (media, ptz);
        camera.profile = camera.find(profile).await?;
        Ok(camera)
    }

    /// The token of the profile of this name or token, or else of the first one.
    async fn find(&self, wanted: Option<&str>) -> Result<String, DriverError> {
        let answer = self.ask(&self.media, "<trt:GetProfiles/>").await?;
        let profiles = || content(&answer).into_iter().flat_map(|it| it.children("Profiles"));
        let token = |profile: &Element| profile.attribute("token").unwrap_or_default().to_owned();
        let is_wanted = |profile: &&Element| {
            wanted.is_none_or(|wanted| token(profile) == wanted || profile.text(&["Name"]) == Some(wanted))
        };
        let found = profiles().find(is_wanted).map(|profile| escape(token(profile)).into_owned());
        found.ok_or_else(|| {
            let names: Vec<_> = profiles().filter_map(|it| it.text(&["Name"])).take(16).collect();
            self.odd(&format!("there is no profile {:?}, but {}", wanted.unwrap_or_default(), names.join(", ")))
        })
    }

    /// Where the video of the profile is.
    pub(crate) async fn stream_uri(&self, transport: Transport) -> Result<Url, DriverError> {
        let protocol = match transport {
            Transport::Tcp => "RTSP",
            Transport::Udp => "UDP",
        };
        let request = format!(
            "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>{protocol}</tt:Protocol>\
             </tt:Transport></trt:StreamSetup><trt:ProfileToken>{}</trt:ProfileToken></trt:GetStreamUri>",
            self.profile
        );
        self.uri(&request, "rtsp").await
    }

    /// Where a picture of the profile is.
    pub(crate) async fn snapshot_uri(&self) -> Result<Url, DriverError> {
        let token = &self.profile;
        let request = format!("<trt:GetSnapshotUri><trt:ProfileToken>{token}</trt:ProfileToken></trt:GetSnapshotUri>");
        self.uri(&request, "http").await
    }

    async fn uri(&self, request: &str, scheme: &str) -> Result<Url, DriverError> {
        let answer = self.ask(&self.media, request).await?;
        let uri = content(&answer).and_then(|it| it.text(&["MediaUri", "Uri"]));
        self.at_home(uri.ok_or_else(|| self.odd("it has no address of that"))?, scheme)
    }

    /// What the camera is.
    pub(crate) async fn information(&self) -> Result<Information, DriverError> {
        let answer = self.ask(&self.device, "<tds:GetDeviceInformation/>").await?;
        let text = |name| content(&answer).and_then(|it| it.text(&[name])).unwrap_or_default().to_owned();
        Ok(Information {
            manufacturer: text("Manufacturer"),
            model: text("Model"),
            firmware: text("FirmwareVersion"),
            serial: text("SerialNumber"),
        })
    }

    /// By how many milliseconds the camera's clock is ahead now. It says whole seconds.
    pub(crate) async fn ahead(&self) -> Result<i64, DriverError> {
        clock_of(&self.http, &self.device).await
    }

    async fn ask(&self, service: &Url, request: &str) -> Result<Element, DriverError> {
        let now = SystemTime::now();
        let shift = Duration::from_millis(self.ahead.unsigned_abs());
        let theirs = if self.ahead < 0 { now.checked_sub(shift) } else { now.checked_add(shift) };
        ask(&self.http, service, request, Some(theirs.unwrap_or(now))).await
    }

    /// An address that the camera gives, on the host of the manifest: a camera behind a router does not know it, and the password goes to no
    /// other one.
    fn at_home(&self, address: &str, scheme: &str) -> Result<Url, DriverError> {
        let unusable = |why: &str| self.odd(&format!("an address that it gives cannot be used: {why}"));
        let mut url = Url::parse(address).map_err(|error| unusable(&error.to_string()))?;
        if url.scheme() != scheme {
            return Err(unusable(&format!("it is of {:?} and not of {scheme:?}", url.scheme())));
        }
        let host = self.device.host_str();
        let is_set = url.set_host(host).is_ok() && url.set_username("").is_ok() && url.set_password(None).is_ok();
        if is_set { Ok(url) } else { Err(unusable("it has no host")) }
    }

    fn odd(&self, what: &str) -> DriverError {
        DriverError::failed(format_args!("{}: {what}", self.device))
    }
}

/// By how many milliseconds a camera's clock is ahead. Needs no login.
async fn clock_of(http: &Http, device: &Url) -> Result<i64, DriverError> {
    let sent = SystemTime::now();
    let answer = ask(http, device, "<tds:GetSystemDateAndTime/>", None).await?;
    let now = SystemTime::now();
    let between = now.duration_since(sent).map_or(now, |took| sent + took / 2);
    let utc = content(&answer).and_then(|it| it.at(&["SystemDateAndTime", "UTCDateTime"]));
    let unknown =
        || DriverError::failed(format_args!("{device}: its answer to GetSystemDateAndTime has no time in UTC"));
    Ok(clock::ahead(utc.and_then(time).ok_or_else(unknown)?, between))
}

/// A time in parts, in the middle of its second.
fn time(utc: &Element) -> Option<SystemTime> {
    let part = |kind, name| utc.text(&[kind, name])?.parse::<u16>().ok();
    let (year, month, day) = (part("Date", "Year")?, part("Date", "Month")?, part("Date", "Day")?);
    let (hour, minute, second) = (part("Time", "Hour")?, part("Time", "Minute")?, part("Time", "Second")?);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.5Z");
    humantime::parse_rfc3339(&text).ok()
}
