//! What a camera wants to see before it shows anything.

use mapper_framework::{Device, model::Secret};
use url::{Position, Url};

/// A user name and a password, from the files of the device's credentials. `Debug` does not show the password.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

impl Login {
    /// What the device's credentials hold, if they hold a user name.
    pub(crate) fn of(device: &Device) -> Option<Self> {
        let credentials = device.credentials();
        let username = credentials.username()?.to_owned();
        // Some cameras are delivered with a user who has none.
        let password = credentials.password().cloned().unwrap_or_else(|| Secret::new(""));
        Some(Self { username, password })
    }

    /// What to do when the camera refuses what it was given.
    pub(crate) fn cure(login: Option<&Self>) -> String {
        match login {
            None => "it wants a login: name one by protocol.configData.credentials, see driver.credentials".to_owned(),
            Some(Self { username, .. }) => {
                format!(
                    "it refuses the login of {username:?}: correct the files `username` and `password` of its credentials"
                )
            }
        }
    }
}

/// An address as errors and twins have it: without its query, in which some cameras take the password.
pub(crate) fn shown(address: &Url) -> &str {
    &address[..Position::AfterPath]
}
