//! `ip-camera discover`: the cameras of the network.

use std::{net::SocketAddr, time::Duration};

use mapper_framework::{DataType, Discovery, DriverError, Found, Property, model::PropertyBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::onvif::discovery::{Camera, EVERYBODY, ask};

/// The arguments, for `--help`.
pub(crate) const ARGS: &[(&str, &str)] = &[
    ("at", "Address and port that are asked [default: 239.255.255.250:3702]"),
    ("wait", "How many milliseconds answers are waited for [default: 3000]"),
];

/// The arguments.
#[derive(Deserialize)]
#[serde(default)]
struct Args {
    /// Who is asked.
    at: SocketAddr,
    /// How long answers are waited for, in milliseconds.
    wait: u32,
}

impl Default for Args {
    fn default() -> Self {
        Self { at: EVERYBODY, wait: 3000 }
    }
}

/// Asks for cameras. What a camera can do besides, such as turn, is not asked: that takes a login.
pub(crate) async fn search(discovery: &Discovery) -> Result<(), DriverError> {
    let Args { at, wait } = discovery.args()?;
    let mut count = 0;
    let progress = |count| discovery.progress(format_args!("asking {at} for {wait} ms: {count} found"));
    progress(count);
    let asked = ask(at, Duration::from_millis(wait.into()), |camera| {
        discovery.add(found(&camera));
        count += 1;
        progress(count);
    });
    asked.await.map_err(|error| {
        DriverError::failed(format_args!("the network cannot be asked: {error}: is there a route for {}?", at.ip()))
    })
}

fn found(camera: &Camera) -> Found {
    let Camera { address, name, hardware } = camera;
    let name = if name.is_empty() { hardware } else { name };
    let text = |name: &str| Property::builder(name, DataType::String);
    // edgecore drops texts with a blank, as such names have.
    let shows =
        |property: PropertyBuilder, what: &str| property.visitor(json!({"shows": what, "reportIllegal": "replace"}));
    let stream = |property: PropertyBuilder, what: &str| property.visitor(json!({"stream": what}));
    let properties: [Property<Value>; 8] = [
        stream(text("state").description("Whether frames come"), "state"),
        stream(text("format").description("The encoding and size of the video"), "format"),
        stream(text("uri").description("The path of the live stream on the mapper's HTTP server"), "uri"),
        shows(text("streamUri").description("Where the camera has its video"), "streamUri"),
        shows(text("manufacturer").description("Who has made the camera"), "manufacturer"),
        shows(text("model").description("What the camera is called"), "model"),
        shows(text("firmware").description("The version of its firmware"), "firmware"),
        shows(text("serial").description("Its serial number"), "serial"),
    ];
    let found = Found::new(name).model("ip-camera-found").description(format!("{name} {hardware}"));
    properties.into_iter().fold(found.config(json!({"onvif": address})), Found::property)
}
