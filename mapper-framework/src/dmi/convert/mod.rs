//! Between the wire and the model.
//!
//! Any field may be absent. What cannot be read of a property becomes a [`Problem`](crate::model::Problem) that costs that
//! property; only what leaves nothing to work with, such as a device without a name, is refused as a whole.

mod config_data;
mod device;
mod push;

pub(crate) use config_data::{from_config_data, to_config_data};
pub(crate) use device::{device, instance, model};

use std::fmt;

/// Why a part of a message cannot be read, and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) cure: &'static str,
}

impl Unreadable {
    fn new(message: impl Into<String>, cure: &'static str) -> Self {
        Self { message: message.into(), cure }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.cure)
    }
}

/// Why a message is refused as a whole. The text names the message, the field and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
