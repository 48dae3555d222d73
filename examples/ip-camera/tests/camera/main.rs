//! The mapper with its own manifests, between an edgecore in this process and real servers: RTSP that ffmpeg publishes to, and a
//! double of ONVIF's services.
//! `cargo xtask test -- -p ip-camera` installs these and runs this.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod bed;
mod check;
mod discover;
mod double;
mod onvif;
mod rtsp;
mod trouble;
