//! A camera's services by ONVIF: what it is, where its video and its snapshots are, and its clock.

mod clock;
pub(crate) mod discovery;
mod ptz;
mod soap;
mod xml;

use mapper_framework::DriverError;
use quick_xml::escape::escape;
use url::Url;

pub(crate) use ptz::Vector;

use self::{
    clock::{DeviceClock, ahead_now},
    soap::{SoapError, ask, content},
    xml::Element,
};
use crate::{config::Transport, http::Http, login::shown};

/// A camera that has been asked for its services and profiles.
#[derive(Debug)]
pub(crate) struct Onvif {
    http: Http,
    /// The address in the manifest.
    device: Url,
    media: Url,
    /// Where it can be moved.
    ptz: Option<Url>,
    /// The token of the profile, escaped.
    profile: String,
    /// For the time of tokens.
    clock: DeviceClock,
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
        let clock = DeviceClock::measure(&http, device).await?;
        let (media, profile_token) = (device.clone(), String::new());
        let mut camera = Self { http, device: device.clone(), media, ptz: None, profile: profile_token, clock };
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
        ahead_now(&self.http, &self.device).await
    }

    /// Asks with the login. Where the camera refuses that after one of the clocks was set, asks again with its new time. A login that is
    /// wrong by itself is sent once: cameras lock out who sends it often.
    async fn ask(&self, service: &Url, request: &str) -> Result<Element, DriverError> {
        match ask(&self.http, service, request, Some(self.clock.now())).await {
            Err(SoapError::Login(refusal)) => {
                // A clock that cannot be asked for explains nothing.
                let is_set =
                    self.http.login.is_some() && self.clock.was_set(&self.http, &self.device).await.unwrap_or(false);
                if !is_set {
                    return Err(refusal);
                }
                Ok(ask(&self.http, service, request, Some(self.clock.now())).await?)
            }
            answer => Ok(answer?),
        }
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
        DriverError::failed(format_args!("{}: {what}", shown(&self.device)))
    }
}
