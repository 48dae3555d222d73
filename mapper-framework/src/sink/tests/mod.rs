//! The data plane with a sink that does as it is told, and paused time.

mod delivery;
mod faults;
mod life;
mod puppet;
