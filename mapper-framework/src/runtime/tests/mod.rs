//! The runtime against drivers that misbehave. Time is paused: hours pass in a moment, and to the millisecond.

mod desired;
mod faults;
mod fences;
mod health;
mod membership;
mod operations;
mod puppet;
mod rig;
mod sinks;
mod updates;
