//! Twins and states over the event bus: a mapper, Mosquitto, and a responder in Python that answers as edgecore does. Beside it stands
//! an edgecore in this process, which brings the devices over DMI and takes reports there.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod access;
mod asking;
mod auto;
mod counters;
mod delivery;
mod faults;
mod log;
mod refusals;
mod responder;
mod rig;
mod word;
