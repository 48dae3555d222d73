//! The mapper between an edgecore and cameras.

use std::{fs, net::SocketAddr};

use ip_camera::IpCamera;
use mapper_framework::{
    model::DeviceId,
    testing::{DEADLINE, TestBed},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const MODEL: &str = include_str!("../../devices/model.yaml");
const GATE: &str = include_str!("../../devices/gate.yaml");
pub(crate) const DOME: &str = include_str!("../../devices/dome.yaml");

/// A mapper with an HTTP server, and a folder of credentials.
pub(crate) struct Bed {
    pub(crate) bed: TestBed,
    address: SocketAddr,
    credentials: TempDir,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        Self::start_with(IpCamera::default()).await
    }

    pub(crate) async fn start_with(driver: IpCamera) -> Self {
        let credentials = tempfile::tempdir().unwrap();
        let folder = credentials.path().to_owned();
        let builder = TestBed::builder(driver, "ip-camera").config(move |config| {
            config.common.http_port = 0;
            config.http.enabled = true;
            config.driver.credentials = folder;
            config.driver.call_timeout = DEADLINE;
        });
        let bed = builder.start().await;
        let address = bed.handle().http_address().expect("it listens before it registers");
        Self { bed, address, credentials }
    }

    /// Puts a login into the folder of credentials, in the place of an earlier one.
    pub(crate) fn login(&self, name: &str, username: &str, password: &str) {
        let folder = self.credentials.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("username"), username).unwrap();
        fs::write(folder.join("password"), password).unwrap();
    }

    /// Serves these cameras.
    pub(crate) async fn apply(&self, cameras: &[String]) {
        self.bed.edge().apply(&manifests(cameras)).await.unwrap();
    }

    /// Waits until a twin has a value that fits.
    pub(crate) async fn until(&self, camera: &str, property: &str, fits: impl Fn(&str) -> bool) {
        let id = id(camera);
        let what = format!("{property} of {camera}");
        self.bed.until(&what, |edge| edge.twin(&id, property).is_some_and(|twin| fits(twin.value()))).await;
    }

    /// Waits until a twin has this value.
    pub(crate) async fn holds(&self, camera: &str, property: &str, value: &str) {
        self.until(camera, property, |it| it == value).await;
    }

    /// Waits until the camera is in a state whose reason has this in it, and returns the whole reason.
    pub(crate) async fn reason(&self, camera: &str, part: &str) -> String {
        self.bed.until_state(&id(camera), part, |_, reason| reason.contains(part)).await
    }

    /// The head of an answer, in lower case, and its body.
    pub(crate) async fn get(&self, path: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("it answers in time").unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("there is a head");
        (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), bytes.split_off(end + 4))
    }

    /// The size of the newest picture, which has to decode.
    pub(crate) async fn picture(&self, camera: &str) -> (u16, u16) {
        let (head, jpeg) = self.get(&format!("/api/v2/devices/default/{camera}/snapshot.jpg")).await;
        assert!(head.starts_with("http/1.1 200"), "{head} {}", String::from_utf8_lossy(&jpeg));
        let mut decoder = jpeg_decoder::Decoder::new(&jpeg[..]);
        decoder.decode().expect("it is a JPEG");
        let info = decoder.info().expect("it has a head");
        (info.width, info.height)
    }

    pub(crate) async fn stop(self) {
        self.bed.stop().await.unwrap();
    }
}

pub(crate) fn id(camera: &str) -> DeviceId {
    DeviceId::new("default", camera)
}

/// The model and these cameras.
pub(crate) fn manifests(cameras: &[String]) -> String {
    std::iter::once(MODEL.to_owned()).chain(cameras.iter().cloned()).collect::<Vec<_>>().join("\n---\n")
}

/// A camera like the gate, with this in its `configData`, in the form of flow YAML without the braces.
pub(crate) fn camera(name: &str, config: &str) -> String {
    with_config(&GATE.replace("name: gate", &format!("name: {name}")), config)
}

/// A camera like the dome, which is asked by ONVIF.
pub(crate) fn dome(name: &str, config: &str) -> String {
    with_config(&DOME.replace("name: dome", &format!("name: {name}")), config)
}

/// In more of a hurry, and with more patience: a machine that stands still for a while is none that does not answer.
fn with_config(manifest: &str, config: &str) -> String {
    let patience = if config.contains("timeout: ") { "" } else { ", timeout: 10000" };
    configured(manifest, &format!("{config}{patience}"))
        .replace("Cycle: 5000", "Cycle: 500")
        .replace("Cycle: 60000", "Cycle: 1000")
        .replace("Cycle: 10000", "Cycle: 500")
}

/// The manifest with this in its `configData`.
pub(crate) fn configured(manifest: &str, config: &str) -> String {
    let begin = manifest.find("    configData:\n      ").unwrap();
    let end = manifest.find("  properties:\n").unwrap();
    format!("{}    configData: {{{config}}}\n{}", &manifest[..begin], &manifest[end..])
}
