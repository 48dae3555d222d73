//! A mapper for USB cameras, and a test card for machines without one.
//!
//! - `driver`: what the framework calls, a [`UsbCamera`] that opens a [`Camera`] for each device
//! - `config`: what a user writes in a manifest, as [`Config`]
//! - `fourcc`: the formats, and the numbers that old manifests have for them
//! - `source`: where frames come from, a [`FrameSource`]: V4L2, a test card, a folder of pictures
//! - `capture`: the thread that takes them from there
//! - `choice`: the size and the rate that are nearest to what is wanted
//! - `yuyv`: raw pictures as JPEG

mod capture;
mod choice;
mod config;
mod driver;
mod fourcc;
mod source;
mod yuyv;

pub use config::{Config, Source};
pub use driver::{Camera, UsbCamera};
pub use fourcc::FourCc;
pub use source::{Captured, FrameSource};
