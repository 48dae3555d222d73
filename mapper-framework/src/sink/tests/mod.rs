//! The data plane with a sink that does what the test sets, and paused time.

mod clock;
mod delivery;
mod faults;
mod life;
mod puppet;
mod refusals;
mod room;
