//! edgecore's event bus: Mosquitto, and a responder in Python that answers as edgecore does.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod responder;
mod rig;
