//! Where a running mapper is asked.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use super::RemoteError;
use crate::http::api_socket;

/// The end of the name of the socket that serves the API.
const API_SOCKET: &str = ".api.sock";

/// The port of a URL without one.
const HTTP_PORT: u16 = 80;

/// Where a running mapper is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The unix socket of the API.
    Socket(PathBuf),
    /// The HTTP server.
    Tcp(Server),
}

/// The HTTP server of a mapper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Host and port.
    pub(super) authority: String,
    /// The file with the token, for whoever has one.
    pub(super) token_file: Option<PathBuf>,
    /// The socket that was looked for first, and is not there.
    pub(super) instead_of: Option<PathBuf>,
}

impl Target {
    /// The API beside a mapper's socket, which may be named itself as well.
    pub(crate) fn socket(path: &Path) -> Self {
        let is_api = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(API_SOCKET));
        Self::Socket(if is_api { path.to_owned() } else { api_socket(path) })
    }

    /// The server at a URL such as `http://127.0.0.1:7777`.
    pub(crate) fn url(url: &str, token_file: Option<PathBuf>) -> Result<Self, RemoteError> {
        let wrong = |why| RemoteError::Url { url: url.to_owned(), why };
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err(wrong("the command line has no TLS: ask over the mapper's socket instead"));
            }
            Some(_) => return Err(wrong("write http://HOST:PORT")),
            None => url,
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return Err(wrong("write http://HOST:PORT, and nothing behind it"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:{HTTP_PORT}") };
        Ok(Self::Tcp(Server { authority, token_file, instead_of: None }))
    }

    /// This socket, or the server on a port of this machine where there is no such socket, as for a standalone run.
    pub(crate) fn or_port(self, port: u16, token_file: Option<PathBuf>) -> Self {
        match self {
            Self::Socket(path) if port != 0 && !path.exists() => {
                Self::Tcp(Server { authority: format!("127.0.0.1:{port}"), token_file, instead_of: Some(path) })
            }
            found => found,
        }
    }

    /// Where a mapper was looked for.
    pub(super) fn sought(&self) -> String {
        match self {
            Self::Tcp(Server { instead_of: Some(path), .. }) => format!("{}, nor on {self}", path.display()),
            only => only.to_string(),
        }
    }
}

impl Server {
    /// The token of the file: the last word of its first line that has one, as the server reads it.
    pub(super) fn token(&self) -> Result<Option<String>, RemoteError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = fs::read_to_string(path).map_err(|source| RemoteError::TokenFile { path: path.clone(), source })?;
        let token = text.lines().find_map(|line| line.split_whitespace().last());
        token.map(|token| Some(token.to_owned())).ok_or_else(|| RemoteError::NoToken(path.clone()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp(server) => write!(f, "http://{}", server.authority),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_s_socket_lies_beside_that_of_edgecore_and_may_be_named_itself() {
        for path in ["/run/m.sock", "/run/m.api.sock"] {
            assert_eq!(Target::socket(Path::new(path)), Target::Socket("/run/m.api.sock".into()));
        }
    }

    #[test]
    fn a_url_is_a_host_with_or_without_a_port() {
        for (url, expected) in [
            ("http://127.0.0.1:7777", "http://127.0.0.1:7777"),
            ("http://mapper/", "http://mapper:80"),
            ("localhost:1", "http://localhost:1"),
            ("http://[::1]:7777", "http://[::1]:7777"),
            ("http://[::1]", "http://[::1]:80"),
        ] {
            assert_eq!(Target::url(url, None).unwrap().to_string(), expected);
        }
        for url in ["https://a", "ftp://a", "http://", "http://a/b", "http://u@a"] {
            assert!(Target::url(url, None).unwrap_err().is_of_usage(), "{url}");
        }
    }

    #[test]
    fn a_server_stands_in_for_a_socket_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.api.sock");
        let target = Target::socket(&path).or_port(7777, None);
        assert_eq!(target.sought(), format!("{}, nor on http://127.0.0.1:7777", path.display()));
        fs::write(&path, "").unwrap();
        assert_eq!(Target::socket(&path).or_port(7777, None), Target::Socket(path));
    }

    #[test]
    fn the_token_is_the_last_word_of_the_first_line_that_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let server = Server { authority: String::new(), token_file: Some(path.clone()), instead_of: None };
        assert!(server.token().unwrap_err().to_string().contains("--token-file"));
        fs::write(&path, "\nanna 0123456789abcdef\nother\n").unwrap();
        assert_eq!(server.token().unwrap().as_deref(), Some("0123456789abcdef"));
        fs::write(&path, "\n").unwrap();
        assert!(server.token().is_err());
    }
}
