//! A search for devices, as a driver sees it.

mod found;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::{
    model::{CREDENTIALS_KEY, ConfigData, Credentials},
    typed::{self, Misfit},
};

use super::DriverError;

pub use found::Found;

/// The most devices that one search keeps: anybody in a network may answer.
const MOST: usize = 4096;

/// A search for devices, which [`Driver::discover`](super::Driver::discover) is given: what to look for, and where to put what is found.
///
/// Cloning it is cheap, and all clones are the same search, so that several tasks can look at once.
///
/// # Example
///
/// ```
/// use mapper_framework::{DataType, Discovery, DriverError, Found, Property};
/// use serde::{Deserialize, Serialize};
///
/// /// The arguments of `my-mapper discover host=192.0.2.7 last=16`.
/// #[derive(Deserialize)]
/// struct Args {
///     host: String,
///     #[serde(default = "last")]
///     last: u8,
/// }
///
/// fn last() -> u8 {
///     8
/// }
///
/// /// The driver's own types, which it reads from manifests as well.
/// #[derive(Serialize)]
/// struct Config<'a> {
///     host: &'a str,
///     unit: u8,
/// }
/// #[derive(Serialize)]
/// struct Visitor {
///     register: u16,
/// }
///
/// async fn discover(discovery: &Discovery) -> Result<(), DriverError> {
///     let Args { host, last } = discovery.args()?;
///     for unit in 1..=last {
///         discovery.progress(format_args!("unit {unit} of {last}"));
///         // Here the device would be asked what it is.
///         let level = Property::builder("level", DataType::Double).unit("m").visitor(Visitor { register: 7 });
///         discovery.add(Found::new(format!("tank {unit}")).config(Config { host: &host, unit }).property(level));
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let discovery = Discovery::new([("host", "192.0.2.7")]);
/// discover(&discovery).await.unwrap();
/// assert_eq!(discovery.found().len(), 8);
/// # }
/// ```
#[derive(Clone)]
pub struct Discovery(Arc<Search>);

struct Search {
    args: ConfigData,
    credentials: Credentials,
    /// A lock that is held to push one element, or to take all.
    found: Mutex<Vec<Found>>,
    progress: watch::Sender<String>,
}

impl Discovery {
    /// A search with these arguments; made by the framework, and by the tests of a driver.
    pub fn new<K: Into<String>, V: Into<String>>(args: impl IntoIterator<Item = (K, V)>) -> Self {
        let args = args.into_iter().map(|(key, value)| (key.into(), serde_json::Value::String(value.into()))).collect();
        let (credentials, progress) = (Credentials::none(), watch::Sender::default());
        Self(Arc::new(Search { args, credentials, found: Mutex::default(), progress }))
    }

    /// The same arguments with credentials, in a search that has found nothing yet.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        let args = self.0.args.clone();
        Self(Arc::new(Search { args, credentials, found: Mutex::default(), progress: watch::Sender::default() }))
    }

    /// Reads the arguments as a type of the driver's, as a device's config is read: each argument is a key, and a number, a switch or a list
    /// may be written as text. The argument `credentials` is the framework's, see [`credentials`](Self::credentials).
    ///
    /// # Errors
    ///
    /// An argument is missing, does not fit, or is none of the type. The error names it.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, DriverError> {
        let mut args = self.0.args.clone();
        args.remove(CREDENTIALS_KEY);
        // A driver that takes no arguments reads unit, or a struct without fields.
        if args.is_empty()
            && let Ok(none) = serde_json::from_value(serde_json::Value::Null)
        {
            return Ok(none);
        }
        if let Some(unknown) = typed::unread_keys::<T>(&args).first() {
            return Err(DriverError::refused(format_args!("there is no argument `{unknown}`: leave it out")));
        }
        typed::read_keys(&args).map_err(|misfits| {
            let messages: Vec<_> = misfits.into_iter().map(message).collect();
            DriverError::refused(messages.join("; "))
        })
    }

    /// What the argument `credentials=NAME` names: the files of a folder of this name in `driver.credentials`, as for a
    /// [device](crate::Device::credentials). None by default. What is found has the same key in its config, and no secret.
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// Adds a device. What is added stays, however the search ends. One that is added again, with the same config and the same properties,
    /// is passed over, and so is what comes after the first 4,096.
    pub fn add(&self, found: Found) {
        let mut all = self.lock();
        if all.len() < MOST && !all.contains(&found) {
            all.push(found);
        }
    }

    /// Shows the user where the search is: an address, a number of a whole. The latest one counts.
    pub fn progress(&self, what: impl fmt::Display) {
        self.0.progress.send_replace(what.to_string());
    }

    /// What has been added, in that order.
    #[must_use]
    pub fn found(&self) -> Vec<Found> {
        self.lock().clone()
    }

    /// The latest progress, and those that follow.
    pub(crate) fn watch_progress(&self) -> watch::Receiver<String> {
        self.0.progress.subscribe()
    }

    /// The argument `credentials`, as it is written.
    pub(crate) fn credentials_name(&self) -> Option<&str> {
        self.0.args.get(CREDENTIALS_KEY).and_then(serde_json::Value::as_str)
    }

    /// The arguments as they are written.
    pub(crate) fn raw_args(&self) -> &ConfigData {
        &self.0.args
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Found>> {
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn message(Misfit { path, message, is_missing }: Misfit) -> String {
    match (path.as_str(), is_missing) {
        ("", true) => format!("{message}: add it, as KEY=VALUE"),
        ("", false) => message,
        (path, _) => format!("the argument {path}: {message}"),
    }
}

/// Without the values of the arguments, which may be anything.
impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<_> = self.0.args.keys().collect();
        f.debug_struct("Discovery").field("args", &args).field("found", &self.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Args {
        host: String,
        #[serde(default)]
        port: u16,
    }

    fn read<T: DeserializeOwned>(args: &[(&str, &str)]) -> Result<T, String> {
        Discovery::new(args.iter().copied()).args().map_err(|error: DriverError| error.to_string())
    }

    #[test]
    fn arguments_are_read_as_a_type() {
        let Args { host, port } = read(&[("host", "plc"), ("port", "502"), ("credentials", "plc")]).unwrap();
        assert_eq!((host.as_str(), port), ("plc", 502));
        assert_eq!(read::<()>(&[]), Ok(()));
        assert_eq!(read::<()>(&[("credentials", "plc")]), Ok(()));
    }

    #[test]
    fn an_argument_that_does_not_fit_is_named() {
        let error = read::<Args>(&[("host", "plc"), ("port", "seven")]).unwrap_err();
        assert_eq!(error, "the argument port: found \"seven\", expected a whole number from 0 to 65535");
        assert_eq!(read::<Args>(&[]).unwrap_err(), "the key `host` is missing: add it, as KEY=VALUE");
        assert_eq!(
            read::<Args>(&[("host", "plc"), ("prot", "1")]).unwrap_err(),
            "there is no argument `prot`: leave it out"
        );
        assert!(read::<()>(&[("host", "plc")]).is_err());
    }

    #[test]
    fn what_is_added_twice_is_there_once_and_there_is_an_end() {
        let discovery = Discovery::new::<&str, &str>([]);
        let task = discovery.clone();
        task.add(Found::new("a"));
        task.add(Found::new("a"));
        assert_eq!(discovery.found().len(), 1);
        (0..2 * MOST).for_each(|number| task.add(Found::new(number.to_string())));
        assert_eq!(discovery.found().len(), MOST);
    }

    #[test]
    fn no_argument_is_shown() {
        let discovery =
            Discovery::new([("password", "hunter2")]).with_credentials(Credentials::none().with_password("hunter2"));
        let shown = format!("{discovery:?}");
        assert!(shown.contains("password") && !shown.contains("hunter2"), "{shown}");
    }
}
