//! What edgecore asks of the mapper, freed from the wire.

use std::fmt;

use tokio::sync::oneshot;

use crate::model::{DeviceId, DeviceInstance, DeviceModel, ModelId};

/// Where the answer to a command goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// A call of edgecore's, on its way to the owner of the devices.
#[derive(Debug)]
pub(crate) enum Command {
    /// RegisterDevice and UpdateDevice: either may come first, and either may be repeated.
    UpsertDevice(Box<DeviceInstance>, Reply<()>),
    RemoveDevice(DeviceId, Reply<()>),
    /// CreateDeviceModel and UpdateDeviceModel.
    UpsertModel(DeviceModel, Reply<()>),
    RemoveModel(ModelId, Reply<()>),
    GetDevice(DeviceId, Reply<DeviceReport>),
}

/// The answer to `GetDevice`.
#[derive(Debug)]
pub(crate) struct DeviceReport {
    pub(crate) instance: DeviceInstance,
    /// What was last read, each with the last desired value that the device was found to have.
    pub(crate) reported: Vec<(crate::model::Sample, String)>,
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Something is wrong with what was sent; what was good of it is in force.
    Invalid(String),
    NotFound(String),
    /// The mapper is stopping.
    Stopping,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(message) | Self::NotFound(message) => f.write_str(message),
            Self::Stopping => f.write_str("the mapper is stopping"),
        }
    }
}
