//! Where a desired value stands, and what its twin says of it.

use std::sync::Arc;

pub(crate) use crate::watch::DesiredPhase as Phase;

/// What a twin says of the desired value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Echo {
    /// Where it stands; `None` if there is none.
    pub(crate) phase: Option<Phase>,
    /// The last one that the device was found to have.
    pub(crate) acknowledged: Option<Arc<str>>,
}
