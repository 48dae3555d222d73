//! A mapper for IP cameras: video over RTSP.
//!
//! - `driver`: what the framework calls, an [`IpCamera`] that connects a [`Camera`] for each device
//! - `config`: what a user writes in a manifest, as [`Config`]
//! - `login`: user name and password, from the device's credentials
//! - `rtsp`: a camera's video over RTSP, from the question for it to the first packet
//! - `video`: from packets to frames
//! - `clock`: how far the camera's clock is ahead

mod clock;
mod config;
mod driver;
mod login;
mod rtsp;
mod video;

pub use config::Config;
pub use driver::{Camera, IpCamera, Visitor};
