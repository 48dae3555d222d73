//! What becomes of samples when things break: real servers that are killed, frozen, slow, late and locked, a disk that is full, and a
//! mapper that is killed while it drains its spool. After each, every record is accounted for, and all that was not counted as lost
//! is at the target.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod disk;
mod mapper;
mod places;
mod servers;
mod settings;
