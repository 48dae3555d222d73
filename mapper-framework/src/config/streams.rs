//! The section of streams.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `streams`: where the frames of devices are recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamsConfig {
    /// The folder below which files are recorded, in `NAMESPACE/NAME` of their device. Of this mapper alone; it is made when it is first
    /// needed. Empty, as by default, it becomes `<spool.dir>/recordings`, on the volume of the spool.
    ///
    /// What a property may take of the disk says its key `recordBytes`.
    pub dir: PathBuf,
}
