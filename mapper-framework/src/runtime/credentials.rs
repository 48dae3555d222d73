//! The credentials of devices, from folders of files as mounted Secrets are.

use std::{
    fs,
    future::pending,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::model::{CREDENTIALS_KEY as KEY, Credentials, Device};

/// How often the files are read again. The kubelet takes a minute or so to bring a changed Secret to its node.
const PERIOD: Duration = Duration::from_secs(5);

/// The most bytes of one device, as many as a Secret can hold.
const MOST_BYTES: u64 = 1 << 20;

/// Why a device's credentials cannot be read. The texts name the cure, and nothing that is secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("protocol.configData.{KEY} is no text: write the name of a folder in driver.credentials")]
    NotText,
    #[error(
        "protocol.configData.{KEY}: {0:?} is not the name of a folder: write the name alone, of letters, digits, `-`, `_` and `.`"
    )]
    NotAName(String),
    #[error(
        "protocol.configData.{KEY} is {0:?}, and the mapper has no folder of credentials: set driver.credentials to the folder in \
         which that one lies; in the chart, add it to deviceCredentials"
    )]
    NoFolder(String),
    #[error(
        "protocol.configData.{KEY} is {name:?}, and there is no folder {}: mount a Secret there, or correct the name",
        path.display()
    )]
    Missing { name: String, path: PathBuf },
    #[error("the credentials in {} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

/// The folder in which each device's credentials have a folder, if the mapper has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct CredentialsFolder(Option<Arc<Path>>);

impl CredentialsFolder {
    /// The folder at this path; none if it is empty.
    pub(crate) fn new(path: &Path) -> Self {
        Self((!path.as_os_str().is_empty()).then(|| path.into()))
    }

    /// What is in force for a device now. One that names no credentials, and has no folder of its own name, has none.
    pub(super) fn read(&self, device: &Device) -> Result<Credentials, CredentialsError> {
        let Some(name) = device.config().get(KEY) else {
            let own =
                self.0.as_ref().map(|root| root.join(format!("{}.{}", device.id().namespace(), device.id().name())));
            return own.filter(|own| own.is_dir()).map_or_else(|| Ok(Credentials::none()), |own| read_folder(&own));
        };
        self.named(name.as_str().ok_or(CredentialsError::NotText)?)
    }

    /// What lies in the folder of this name now.
    pub(crate) fn named(&self, name: &str) -> Result<Credentials, CredentialsError> {
        if !is_name(name) {
            return Err(CredentialsError::NotAName(name.to_owned()));
        }
        let root = self.0.as_ref().ok_or_else(|| CredentialsError::NoFolder(name.to_owned()))?;
        let path = root.join(name);
        if !path.is_dir() {
            return Err(CredentialsError::Missing { name: name.to_owned(), path });
        }
        read_folder(&path)
    }
}

/// Whether it names a folder right here: no path, and nothing that Kubernetes keeps for itself, such as `..data`.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
}

/// Reads the files of a folder, but of no folder below.
fn read_folder(folder: &Path) -> Result<Credentials, CredentialsError> {
    let fail = |path: &Path, reason: String| CredentialsError::Unreadable { path: path.to_owned(), reason };
    let failed = |error: io::Error| fail(folder, error.to_string());
    let mut credentials = Credentials::none();
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        // Follows links, since those are what a mounted Secret consists of.
        let file = fs::metadata(&path).map_err(|error| fail(&path, error.to_string()))?;
        if !file.is_file() {
            continue;
        }
        bytes += file.len();
        if bytes > MOST_BYTES {
            return Err(fail(
                folder,
                "more than a megabyte lies there, which no Secret holds: take out what does not belong".to_owned(),
            ));
        }
        let contents = fs::read(&path).map_err(|error| fail(&path, error.to_string()))?;
        credentials = with_file(credentials, name, contents)
            .ok_or_else(|| fail(&path, "it is not UTF-8: write it as plain text".to_owned()))?;
    }
    Ok(credentials)
}

/// The same with a file, which may be the user's name or a secret. `None` if such a one is no text.
fn with_file(credentials: Credentials, name: &str, contents: Vec<u8>) -> Option<Credentials> {
    if !["username", "password", "token"].contains(&name) {
        return Some(credentials.with_file(name, contents));
    }
    // Editors leave a line's end there.
    let text = String::from_utf8(contents).ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    Some(match name {
        _ if text.is_empty() => credentials,
        "username" => credentials.with_username(text),
        "password" => credentials.with_password(text),
        _ => credentials.with_token(text),
    })
}

/// What a device was connected to with, and whether that has changed since.
#[derive(Debug)]
pub(super) struct CredentialsWatch {
    folder: CredentialsFolder,
    /// What was read last; `None` while it could not be.
    known: Option<Credentials>,
    /// When the files are read again.
    due: Instant,
}

impl CredentialsWatch {
    pub(super) fn new(folder: CredentialsFolder) -> Self {
        Self { folder, known: None, due: Instant::now() }
    }

    /// The device with its credentials as they are now, to connect to it.
    pub(super) fn equip(&mut self, device: &Arc<Device>) -> Result<Arc<Device>, CredentialsError> {
        self.due = Instant::now() + PERIOD;
        self.known = None;
        let credentials = self.folder.read(device)?;
        self.known = Some(credentials.clone());
        if credentials == *device.credentials() {
            return Ok(Arc::clone(device));
        }
        Ok(Arc::new(Device { credentials: Arc::new(credentials), ..Device::clone(device) }))
    }

    /// Completes when the device is to be connected to with other credentials. Those that cannot be read any more change nothing for
    /// a device that is connected. Safe to cancel.
    pub(super) async fn changed(&mut self, device: &Device) {
        if self.folder.0.is_none() {
            return pending().await;
        }
        loop {
            sleep_until(self.due).await;
            self.due = Instant::now() + PERIOD;
            if let Ok(now) = self.folder.read(device)
                && self.known.as_ref() != Some(&now)
            {
                self.known = Some(now);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::timeout;

    use super::*;
    use crate::model::Secret;

    fn device(config: &serde_json::Value) -> Arc<Device> {
        Arc::new(Device::builder("boiler").config(config.as_object().cloned().unwrap()).build())
    }

    /// A folder of credentials with these files.
    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, CredentialsFolder) {
        let root = tempfile::tempdir().unwrap();
        for (path, contents) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        let folder = CredentialsFolder::new(root.path());
        (root, folder)
    }

    #[test]
    fn credentials_are_found_by_their_name_or_by_the_device() {
        let (_root, folder) = folder(&[
            ("login/username", "mapper\n"),
            ("login/password", "hunter2\n"),
            ("login/tls.key", "key\n"),
            ("login/..data/password", "not this one"),
            ("login/.hidden", "not this one"),
            ("default.boiler/token", "t"),
        ]);
        let named = folder.read(&device(&json!({"credentials": "login"}))).unwrap();
        assert_eq!(
            named,
            Credentials::none().with_username("mapper").with_password("hunter2").with_file("tls.key", "key\n")
        );
        assert_eq!(folder.read(&device(&json!({}))).unwrap(), Credentials::none().with_token("t"));
        let other = Device::builder("pump").build();
        assert_eq!(folder.read(&other).unwrap(), Credentials::none());
        assert_eq!(CredentialsFolder::default().read(&other).unwrap(), Credentials::none());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_cure() {
        let (root, folder) = folder(&[("login/password", "x")]);
        fs::create_dir(root.path().join("bytes")).unwrap();
        fs::write(root.path().join("bytes/password"), [0xff]).unwrap();
        fs::create_dir(root.path().join("large")).unwrap();
        fs::File::create(root.path().join("large/file")).unwrap().set_len(MOST_BYTES + 1).unwrap();
        let missing = root.path().join("logon");
        for (name, expected) in [
            (json!(7), "protocol.configData.credentials is no text: write the name of".to_owned()),
            (
                json!("logon"),
                format!("is \"logon\", and there is no folder {}: mount a Secret there", missing.display()),
            ),
            (json!("bytes"), "bytes/password cannot be read: it is not UTF-8: write it".to_owned()),
            (json!("large"), "large cannot be read: more than a megabyte lies there".to_owned()),
        ] {
            let error = folder.read(&device(&json!({"credentials": name}))).unwrap_err().to_string();
            assert!(error.contains(&expected), "{error}");
        }
        let error =
            CredentialsFolder::default().read(&device(&json!({"credentials": "login"}))).unwrap_err().to_string();
        assert!(error.contains("set driver.credentials to the folder"), "{error}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let (_root, folder) = folder(&[("login/password", "x")]);
        for name in ["..", ".", "", "../login", "login/..", "/etc", "login/", "a\\b", "..data", "a\0b", "lögin"] {
            let error = folder.read(&device(&json!({"credentials": name}))).unwrap_err();
            assert_eq!(error, CredentialsError::NotAName(name.to_owned()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_noticed_and_only_one() {
        let (root, folder) = folder(&[("login/password", "old"), ("other/password", "x")]);
        let device = device(&json!({"credentials": "login"}));
        let mut watch = CredentialsWatch::new(folder);
        let equipped = watch.equip(&device).unwrap();
        assert_eq!(equipped.credentials().password().map(Secret::expose), Some("old"));
        assert_eq!(equipped.id(), device.id());
        fs::write(root.path().join("other/password"), "y").unwrap();
        assert!(timeout(PERIOD * 3, watch.changed(&device)).await.is_err(), "another device's change is none");
        fs::remove_file(root.path().join("login/password")).unwrap();
        fs::write(root.path().join("login/password"), "new").unwrap();
        timeout(PERIOD * 2, watch.changed(&device)).await.unwrap();
        assert_eq!(watch.equip(&device).unwrap().credentials().password().map(Secret::expose), Some("new"));
        fs::remove_dir_all(root.path().join("login")).unwrap();
        assert!(timeout(PERIOD * 3, watch.changed(&device)).await.is_err(), "what is gone changes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_that_come_late_are_noticed() {
        let (root, folder) = folder(&[]);
        let device = device(&json!({"credentials": "login"}));
        let mut watch = CredentialsWatch::new(folder);
        assert!(watch.equip(&device).is_err());
        fs::create_dir(root.path().join("login")).unwrap();
        timeout(PERIOD * 2, watch.changed(&device)).await.unwrap();
    }
}
