//! A recorded session of a mapper: what its driver was asked, what it answered, and when. docs/recording-a-session.md has the format.

/// What a driver that stands before another one leaves to that.
macro_rules! left_to_the_driver {
    () => {
        fn unread_config(&self, device: &$crate::model::Device) -> Vec<String> {
            self.driver.unread_config(device)
        }

        fn unread_visitor(&self, property: &$crate::model::Property) -> Vec<String> {
            self.driver.unread_visitor(property)
        }

        fn review(&self, device: &$crate::model::Device, property: &$crate::model::Property) -> $crate::driver::Review {
            self.driver.review(device, property)
        }

        fn longest_wait(&self, device: &$crate::model::Device) -> Option<std::time::Duration> {
            self.driver.longest_wait(device)
        }

        fn discover_args(&self) -> &'static [(&'static str, &'static str)] {
            self.driver.discover_args()
        }
    };
}

mod entry;
mod manifests;
mod reader;
mod recorder;
mod recording;
mod replay;
mod sessions;

#[cfg(test)]
mod tests;

use std::{io, path::PathBuf};

pub(crate) use reader::Tape;
pub(crate) use recorder::Recorder;
pub(crate) use recording::recording;
pub(crate) use replay::replaying;

/// What a recording calls itself.
const FORMAT: &str = "mapper-framework recording";

/// The version that is written. One that is newer is not read.
const VERSION: u32 = 1;

/// The most bytes of a line. One that is longer is not written, and ends what is read.
const LONGEST: usize = 64 << 20;

/// Why a session cannot be recorded or replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TapeError {
    #[error("{}: cannot be written: {source}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("{}: exists, and is left as it is: name another file, or remove it", .0.display())]
    Exists(PathBuf),
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: is no recording of a mapper: name a file that `record` has written", .0.display())]
    NoTape(PathBuf),
    #[error("{}: has version {found} of the format, and this mapper reads up to {VERSION}: update it, or take the mapper that has recorded it", path.display())]
    Newer { path: PathBuf, found: u32 },
    #[error("{}: is of the protocol {found:?}, and this mapper serves {served:?}: replay it with the mapper that has recorded it", path.display())]
    Foreign { path: PathBuf, found: String, served: String },
    #[error("{}: has more than {most} entries: record for a shorter time", path.display())]
    TooLong { path: PathBuf, most: usize },
    #[error("{}: holds no device: the mapper has connected to none while it was recorded", .0.display())]
    Empty(PathBuf),
}
