//! A mapper for IP cameras: video over RTSP, and the rest over ONVIF.
//!
//! - `driver`: what the framework calls, an [`IpCamera`] that connects a [`Camera`] for each device
//! - `config`: what a user writes in a manifest, as [`Config`]; `visitor`: what a property stands for, as [`Visitor`]
//! - `login`: user name and password, from the device's credentials
//! - `pictures`: where the frames come from
//! - `rtsp`: a camera's video over RTSP, from the question for it to the first packet
//! - `video`: from packets to frames
//! - `decoder`: key frames as JPEG, by a child `ffmpeg`
//! - `snapshot`: pictures that are fetched one by one
//! - `clock`: how far the camera's clock is ahead
//! - `onvif`: a camera's services, with `soap`, `xml`, `clock`, `ptz` and `discovery`
//! - `search`: the cameras of the network, for `ip-camera discover`
//! - `http`: HTTP with the login that the camera asks for

mod clock;
mod config;
mod decoder;
mod driver;
mod http;
mod login;
mod onvif;
mod pictures;
mod rtsp;
mod search;
mod snapshot;
mod video;
mod visitor;

pub use config::Config;
pub use driver::{Camera, IpCamera};
pub use visitor::Visitor;
