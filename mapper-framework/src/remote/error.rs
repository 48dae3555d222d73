//! Why a running mapper could not be asked, or has refused.

use std::{io, path::PathBuf, time::Duration};

use super::Target;

/// Why a running mapper could not be asked, or has refused. The texts name the cure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error(
        "no mapper listens on {0}: see that it runs with http.enabled; --socket-path or --config-file name the socket of another one, and \
         --url the address of its HTTP server"
    )]
    NobodyListens(String),
    #[error(
        "{0} cannot be opened: it belongs to the user that the mapper runs as; run this command as that user, or as root"
    )]
    Denied(Target),
    #[error("{target} cannot be asked: {source}")]
    Connect { target: Target, source: io::Error },
    #[error("{0} has not answered within {1:?}")]
    Late(Target, Duration),
    #[error("the connection to {target} broke: {source}")]
    Broken { target: Target, source: hyper::Error },
    /// A problem document.
    #[error("{0}")]
    Refused(String),
    /// An answer that is no problem document.
    #[error("{target} has answered {status}: is a mapper what listens there?")]
    Foreign { target: Target, status: hyper::StatusCode },
    #[error("the answer is not understood, as if it came from another version of mapper-framework: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("--url {url:?}: {why}")]
    Url { url: String, why: &'static str },
    #[error("--token-file {}: {source}", path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error("--token-file {}: there is no token in it", .0.display())]
    NoToken(PathBuf),
    #[error("{0}")]
    NoValue(String),
    #[error("the mapper has ended the stream of events")]
    StreamEnded,
    #[error("cannot print the answer: {0}")]
    Print(#[from] io::Error),
    #[cfg(feature = "cli")]
    #[error("`top` needs a terminal: `status`, `get` and `events` print lines")]
    NoTerminal,
    #[cfg(feature = "cli")]
    #[error("the terminal cannot be set up: {0}")]
    Terminal(io::Error),
}

impl RemoteError {
    /// Whether the command line is what has to be corrected.
    pub(crate) fn is_of_usage(&self) -> bool {
        match self {
            Self::Url { .. } | Self::TokenFile { .. } | Self::NoToken(_) => true,
            #[cfg(feature = "cli")]
            Self::NoTerminal => true,
            _ => false,
        }
    }
}
