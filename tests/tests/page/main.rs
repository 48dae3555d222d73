//! The page of the HTTP server, in a real browser.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod browser;
mod connection;
mod everybody;
mod pictures;
mod plant;
mod rig;
mod size;
mod stream;
mod views;
mod writes;
