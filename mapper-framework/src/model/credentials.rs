//! User names, passwords, tokens, certificates and keys, which never stand in a manifest or in the config.

use std::{collections::BTreeMap, fmt};

use super::Secret;

/// The key of a device's `configData` that names its credentials.
pub(crate) const CREDENTIALS_KEY: &str = "credentials";

/// What a device or a sink wants to see before it lets the mapper in. Each part may be absent. `Debug` shows the user's name and the
/// names of the files, and nothing that is secret.
///
/// A device's credentials come from a folder of files, see [`Device::credentials`](super::Device::credentials), and a sink's from
/// a folder or the environment, see [`SinkKind::open`](crate::sink::SinkKind::open).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    username: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Credentials {
    /// No credentials, for tests; the setters add some.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The same with this user name.
    #[must_use]
    pub fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The same with this password.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Secret::new(password));
        self
    }

    /// The same with this token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Secret::new(token));
        self
    }

    /// The same with a file of this name, such as `tls.key`.
    #[must_use]
    pub fn with_file(mut self, name: impl Into<String>, contents: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.into(), contents.into());
        self
    }

    /// Whether there is a password or a token: whoever sees that can use it.
    pub(crate) fn has_secret(&self) -> bool {
        self.password.is_some() || self.token.is_some()
    }

    /// The user's name, from the file `username`.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password, from the file `password`.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The token, from the file `token`.
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// The mapper's own certificate, from the file `tls.crt`, as a Secret of the type `kubernetes.io/tls` has it. Only devices have files.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.file("tls.crt")
    }

    /// The private key of the certificate, from the file `tls.key`. It is secret: hand it to the library that needs it, and to nothing else.
    pub fn private_key(&self) -> Option<&[u8]> {
        self.file("tls.key")
    }

    /// The certificates of the authorities that the device's certificate is held against, from the file `ca.crt`.
    pub fn authorities(&self) -> Option<&[u8]> {
        self.file("ca.crt")
    }

    /// The contents of any other file, byte for byte. They may be secret.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &self.password)
            .field("token", &self.token)
            .field("files", &self.files.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let credentials = Credentials::none()
            .with_username("mapper")
            .with_password("hunter2")
            .with_token("hunter2")
            .with_file("tls.key", "hunter2");
        let shown = format!("{credentials:?} {credentials:#?}");
        assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
        assert!(shown.contains("mapper") && shown.contains("tls.key"), "{shown}");
    }
}
