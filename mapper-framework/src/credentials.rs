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
/// 3. with `sinks.go_credentials` the environment variable `USERNAME`, `PASSWORD` or `TOKEN`, as the Go framework has it; the first two only
///    where the kind has neither a user name nor a password of its own, since the two belong together. Without that key they count for
///    nothing: such names are set for all kinds of programs, and would be shown to every kind of sink.
///
/// Where these may be sent to is not decided here, but by `sink::access`.
///
/// Files are read again while the mapper runs: a changed one is in force within seconds, on a new connection.
#[derive(Clone)]
pub(crate) struct CredentialSources {
    environment: HashMap<String, OsString>,
    /// The folder of files, for the kinds that have one.
    folders: HashMap<String, PathBuf>,
    /// Whether the names of the Go framework count.
    go_names: bool,
}

/// The names of the Go framework, which belong to no kind.
const GO_NAMES: [&str; 3] = ["USERNAME", "PASSWORD", "TOKEN"];

impl CredentialSources {
    /// Keeps those of the variables that may hold a credential. `folders` is by kind.
    pub(crate) fn new(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        folders: impl IntoIterator<Item = (String, PathBuf)>,
    ) -> Self {
        let is_ours = |name: &str| GO_NAMES.iter().any(|ending| name.ends_with(ending));
        let environment = environment.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| is_ours(name))?;
            (!value.is_empty()).then_some((name, value))
        });
        let folders = folders.into_iter().filter(|(_, folder)| !folder.as_os_str().is_empty());
        Self { environment: environment.collect(), folders: folders.collect(), go_names: false }
    }

    /// The same, with whether the names of the Go framework count, by default not.
    #[must_use]
    pub(crate) fn with_go_names(self, go_names: bool) -> Self {
        Self { go_names, ..self }
    }

    /// What is in force now for a kind.
    ///
    /// # Errors
    ///
    /// A file cannot be read or is not UTF-8. One that does not exist is no error.
    pub(crate) fn read(&self, kind: &str) -> Result<Credentials, CredentialsError> {
        let (username, password) = (self.own(kind, "username")?, self.own(kind, "password")?);
        // A user of one source and a password of another do not belong together.
        let (username, password) = match (username, password) {
            (None, None) => (self.go("USERNAME")?, self.go("PASSWORD")?),
            own => own,
        };
        let token = self.own(kind, "token")?.map_or_else(|| self.go("TOKEN"), |token| Ok(Some(token)))?;
        Ok(credentials(username, password, token))
    }

    /// The names of the Go framework that are set, count for nothing, and would count if it were asked for, since the kind seems to have
    /// nothing of its own. Reads no file.
    pub(crate) fn ignored_go_names(&self, kind: &str) -> Vec<&'static str> {
        let has_own = |name: &str| self.environment.contains_key(&variable_of(kind, name));
        if self.go_names
            || self.folders.contains_key(kind)
            || ["username", "password", "token"].into_iter().any(has_own)
        {
            return Vec::new();
        }
        GO_NAMES.into_iter().filter(|name| self.environment.contains_key(*name)).collect()
    }

    /// What is meant for this kind alone: the file, or else the variable.
    fn own(&self, kind: &str, name: &str) -> Result<Option<String>, CredentialsError> {
        if let Some(folder) = self.folders.get(kind)
            && let Some(text) = read_file(&folder.join(name))?
        {
            return Ok(Some(text));
        }
        self.variable(&variable_of(kind, name))
    }

    fn go(&self, name: &str) -> Result<Option<String>, CredentialsError> {
        if self.go_names { self.variable(name) } else { Ok(None) }
    }

    fn variable(&self, name: &str) -> Result<Option<String>, CredentialsError> {
        let Some(value) = self.environment.get(name) else { return Ok(None) };
        let text = value.to_str().ok_or_else(|| CredentialsError(format!("{name} is not UTF-8")))?;
        Ok(Some(text.to_owned()))
    }
}

/// What is in a folder of files, and nothing else.
///
/// # Errors
///
/// A file cannot be read or is not UTF-8. One that does not exist is no error.
pub(crate) fn in_folder(folder: &Path) -> Result<Credentials, CredentialsError> {
    let read = |name| read_file(&folder.join(name));
    Ok(credentials(read("username")?, read("password")?, read("token")?))
}

fn credentials(username: Option<String>, password: Option<String>, token: Option<String>) -> Credentials {
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
    credentials
}

/// The environment variable of a kind, such as `REDIS_PASSWORD`.
fn variable_of(kind: &str, name: &str) -> String {
    format!("{kind}_{name}").replace('-', "_").to_uppercase()
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
        let variables = [("PASSWORD", "go"), ("REDIS_PASSWORD", "redis"), ("MYSQL_PASSWORD", "mysql"), ("TOKEN", "t")];
        let sources = sources(&variables, folder.path()).with_go_names(true);
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
        let variables = [("USERNAME", "go"), ("PASSWORD", "go"), ("REDIS_PASSWORD", "redis")];
        let sources = sources(&variables, folder.path()).with_go_names(true);
        assert_eq!(sources.read("redis").unwrap(), Credentials::none().with_password("redis"));
        assert_eq!(sources.read("mysql").unwrap(), Credentials::none().with_username("go").with_password("go"));
    }

    #[test]
    fn the_names_of_the_go_framework_count_only_where_that_is_asked_for_and_their_loss_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("USERNAME", "go"), ("PASSWORD", "go"), ("TOKEN", "go"), ("MYSQL_PASSWORD", "own")];
        let sources = sources(&variables, folder.path());
        assert_eq!(sources.read("http").unwrap(), Credentials::none());
        assert_eq!(sources.ignored_go_names("http"), ["USERNAME", "PASSWORD", "TOKEN"]);
        assert!(sources.ignored_go_names("mysql").is_empty(), "it has a password of its own");
        assert!(sources.ignored_go_names("redis").is_empty(), "it has a folder of its own");
        let sources = sources.with_go_names(true);
        assert_eq!(sources.read("http").unwrap().token().map(crate::model::Secret::expose), Some("go"));
        assert!(sources.ignored_go_names("http").is_empty());
    }

    #[test]
    fn a_folder_of_a_target_is_read_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("password"), "its own\n").unwrap();
        assert_eq!(in_folder(folder.path()).unwrap(), Credentials::none().with_password("its own"));
        assert_eq!(in_folder(&folder.path().join("none")).unwrap(), Credentials::none());
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
