//! Where the credentials for what the mapper connects to come from: its sinks, and the broker of the event bus.

use std::{
    collections::HashMap,
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::model::Credentials;

/// A credential cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CredentialsError(String);

/// Where the credentials of the kinds of sink, and of `eventbus`, come from.
///
/// For each of `username`, `password` and `token` the first of these that is there counts:
///
/// 1. the file of that name in the folder `sinks.<kind>.credentials`, or `report.eventbus.credentials`, which is how Kubernetes mounts a Secret;
/// 2. the environment variable `<KIND>_USERNAME`, `<KIND>_PASSWORD` or `<KIND>_TOKEN`, such as `REDIS_PASSWORD`;
/// 3. the environment variable `USERNAME`, `PASSWORD` or `TOKEN`, as the Go framework has it; the first two only where the kind has
///    neither a user name nor a password of its own, since the two belong together.
///
/// Files are read again while the mapper runs: a changed one is in force within seconds, on a new connection.
#[derive(Clone)]
pub(crate) struct CredentialSources {
    environment: HashMap<String, OsString>,
    /// The folder of files, for the kinds that have one.
    folders: HashMap<String, PathBuf>,
}

impl CredentialSources {
    /// Keeps those of the variables that may hold a credential. `folders` is by kind.
    pub(crate) fn new(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        folders: impl IntoIterator<Item = (String, PathBuf)>,
    ) -> Self {
        let is_ours = |name: &str| ["USERNAME", "PASSWORD", "TOKEN"].iter().any(|ending| name.ends_with(ending));
        let environment = environment.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| is_ours(name))?;
            (!value.is_empty()).then_some((name, value))
        });
        let folders = folders.into_iter().filter(|(_, folder)| !folder.as_os_str().is_empty());
        Self { environment: environment.collect(), folders: folders.collect() }
    }

    /// What is in force now.
    ///
    /// # Errors
    ///
    /// A file cannot be read or is not UTF-8. One that does not exist is no error.
    pub(crate) fn read(&self, kind: &str) -> Result<Credentials, CredentialsError> {
        let (username, password) = (self.own(kind, "username")?, self.own(kind, "password")?);
        // A user of one source and a password of another do not belong together.
        let (username, password) = match (username, password) {
            (None, None) => (self.variable("USERNAME")?, self.variable("PASSWORD")?),
            own => own,
        };
        let token = self.own(kind, "token")?.map_or_else(|| self.variable("TOKEN"), |token| Ok(Some(token)))?;
        let mut credentials = Credentials::none();
        if let Some(username) = username {
            credentials = credentials.with_username(username);
        }
        if let Some(password) = password {
            credentials = credentials.with_password(password);
        }
        if let Some(token) = token {
            credentials = credentials.with_token(token);
        }
        Ok(credentials)
    }

    /// What is meant for this kind alone: the file, or else the variable.
    fn own(&self, kind: &str, name: &str) -> Result<Option<String>, CredentialsError> {
        if let Some(folder) = self.folders.get(kind)
            && let Some(text) = read_file(&folder.join(name))?
        {
            return Ok(Some(text));
        }
        self.variable(&format!("{kind}_{name}").replace('-', "_").to_uppercase())
    }

    fn variable(&self, name: &str) -> Result<Option<String>, CredentialsError> {
        let Some(value) = self.environment.get(name) else { return Ok(None) };
        let text = value.to_str().ok_or_else(|| CredentialsError(format!("{name} is not UTF-8")))?;
        Ok(Some(text.to_owned()))
    }
}

/// The names only.
impl fmt::Debug for CredentialSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSources")
            .field("environment", &self.environment.keys())
            .field("folders", &self.folders)
            .finish()
    }
}

/// The text of a file without the line's end that editors leave there; `None` if it does not exist or is empty.
fn read_file(path: &Path) -> Result<Option<String>, CredentialsError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let text = text.trim_end_matches(['\r', '\n']);
            Ok((!text.is_empty()).then(|| text.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CredentialsError(format!("the credentials in {} cannot be read: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(variables: &[(&str, &str)], folder: &Path) -> CredentialSources {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        CredentialSources::new(variables, [("redis".to_owned(), folder.to_owned())])
    }

    #[test]
    fn a_file_wins_over_the_kinds_variable_and_that_over_the_one_of_the_go_framework() {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(
            &[("PASSWORD", "go"), ("REDIS_PASSWORD", "redis"), ("MYSQL_PASSWORD", "mysql"), ("TOKEN", "t")],
            folder.path(),
        );
        let password = |kind| sources.read(kind).unwrap().password().map(|secret| secret.expose().to_owned());
        assert_eq!(password("redis").as_deref(), Some("redis"));
        assert_eq!(password("mysql").as_deref(), Some("mysql"));
        assert_eq!(password("mqtt").as_deref(), Some("go"));
        assert_eq!(sources.read("mqtt").unwrap().username(), None);
        fs::write(folder.path().join("password"), "mounted\n").unwrap();
        assert_eq!(password("redis").as_deref(), Some("mounted"), "a file is read each time");
        fs::write(folder.path().join("password"), "").unwrap();
        assert_eq!(password("redis").as_deref(), Some("redis"), "an empty file is an absent one");
    }

    #[test]
    fn a_user_of_one_source_is_not_joined_with_a_password_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(&[("USERNAME", "go"), ("PASSWORD", "go"), ("REDIS_PASSWORD", "redis")], folder.path());
        assert_eq!(sources.read("redis").unwrap(), Credentials::none().with_password("redis"));
        assert_eq!(sources.read("mysql").unwrap(), Credentials::none().with_username("go").with_password("go"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("token")).unwrap();
        let error = sources(&[], folder.path()).read("redis").unwrap_err().to_string();
        assert!(error.contains("token") && error.contains("cannot be read"), "{error}");
    }

    #[test]
    fn neither_credentials_nor_their_sources_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(&[("REDIS_PASSWORD", "hunter2"), ("REDIS_TOKEN", "hunter2")], folder.path());
        let shown = format!("{sources:?} {:?}", sources.read("redis").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
