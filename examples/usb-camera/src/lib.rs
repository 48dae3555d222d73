//! A mapper for USB cameras, and a test card for machines without one.
//!
//! - `driver`: what the framework calls, a [`UsbCamera`] that opens a [`Camera`] for each device
//! - `config`, `words`: what a user writes in a manifest, as [`Config`]
//! - `visitor`: what a property shows, as [`Visitor`]
//! - `fourcc`: the formats, and the numbers that old manifests have for them
//! - `machine`: where cameras are found, a [`Machine`]
//! - `v4l2`: the calls of the kernel, behind the traits of [`v4l2`]
//! - `source`: where frames come from, a [`FrameSource`]: a camera, a test card, a folder of pictures, ffmpeg
//! - `capture`, `live`: the thread that takes them from there, and what a session knows of it
//! - `settings`, `control`: the thread that has the camera's settings, and these as properties
//! - `choice`: the format, the size and the rate that are nearest to what is wanted
//! - `yuyv`, `nv12`, `raw`, `jpeg`: raw pictures as JPEG, and what has to be known of JPEG
//! - `scaffold`: a model and a device from a camera

mod capture;
mod choice;
mod config;
mod control;
mod driver;
mod fourcc;
mod jpeg;
mod live;
mod machine;
mod nv12;
mod raw;
pub mod scaffold;
mod settings;
mod source;
pub mod v4l2;
mod visitor;
mod wait;
mod words;
mod yuyv;

pub use config::{Config, Source};
pub use driver::{Camera, UsbCamera};
pub use fourcc::FourCc;
pub use machine::Machine;
pub use source::{Captured, FrameSource};
pub use visitor::{Shows, Visitor};
