//! The runtime against drivers that misbehave. Time is paused: hours pass in a moment, and to the millisecond.

mod contract;
mod desired;
mod faults;
mod fences;
mod health;
mod membership;
mod operations;
mod puppet;
mod reconnects;
mod recording;
mod reporting;
mod rig;
mod sinks;
mod streams;
mod updates;
mod watches;
mod writing;
mod writing_adverse;
mod writing_at_random;
