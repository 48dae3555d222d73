//! The command line's side of the mapper's HTTP API: it asks the mapper that runs, over the unix socket beside that of edgecore's calls.
//!
//! `health` belongs to each build with the server, so that an image without a shell can be probed. All else is part of the command line.

mod client;
mod error;
#[cfg(feature = "cli")]
mod events;
#[cfg(feature = "cli")]
mod explain;
#[cfg(feature = "cli")]
mod get;
pub(crate) mod health;
#[cfg(feature = "cli")]
mod history;
#[cfg(feature = "cli")]
mod lists;
#[cfg(feature = "cli")]
mod orders;
#[cfg(feature = "cli")]
mod status;
#[cfg(feature = "cli")]
mod style;
#[cfg(feature = "cli")]
mod table;
mod target;
#[cfg(feature = "cli")]
mod top;
#[cfg(feature = "cli")]
mod words;

pub(crate) use client::Client;
pub(crate) use error::RemoteError;
#[cfg(feature = "cli")]
pub(crate) use style::Style;
pub(crate) use target::Target;
#[cfg(feature = "cli")]
pub(crate) use top::{Lines, Top};

#[cfg(feature = "cli")]
pub(crate) use asking::run;

#[cfg(feature = "cli")]
use asking::device_path;

#[cfg(feature = "cli")]
mod asking;
