//! Who may read, and who may write.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::config::{HttpConfig, ReadWithoutToken};

use super::{
    Site, hosts,
    problem::Problem,
    tokens::{Tokens, Unusable},
};

/// How a request came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// By the unix socket, which its owner alone can open.
    Socket,
    /// By TCP, perhaps with a certificate that was checked, by the name in it.
    Tcp { certificate: Option<String> },
}

/// Who asks, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Anybody,
    /// Who it is, for the audit, and how that is known.
    Known {
        name: String,
        by: Means,
        may_write: bool,
    },
}

/// How a caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Socket,
    /// A token that a program sends.
    Bearer,
    /// What a browser sends by itself, whatever page asks for it.
    Browser,
}

/// Who may read and write on the server's address.
#[derive(Debug)]
pub(super) struct Access {
    config: HttpConfig,
    tokens: Tokens,
    is_loopback: bool,
}

impl Access {
    pub(super) fn new(config: &HttpConfig, is_loopback: bool) -> Self {
        Self { config: config.clone(), tokens: Tokens::new(&config.token), is_loopback }
    }

    /// Checks that the file of tokens can be used, if there is one.
    pub(super) fn check_tokens(&self) -> Result<(), String> {
        self.tokens.check()
    }

    /// Whether there is a way to write over TCP.
    pub(super) fn is_writable(&self) -> bool {
        self.tokens.is_set() || self.config.tls.knows_clients()
    }

    /// Whether `GET`s of the Go framework write.
    pub(super) fn go_writes(&self) -> bool {
        self.config.go_writes
    }

    fn is_open(&self) -> bool {
        match self.config.read_without_token {
            ReadWithoutToken::Loopback => self.is_loopback,
            ReadWithoutToken::Always => true,
            ReadWithoutToken::Never => false,
        }
    }

    /// Finds out who asks.
    async fn caller(&self, peer: &Peer, headers: &HeaderMap) -> Result<Caller, Problem> {
        let known = |name, by, may_write| Ok(Caller::Known { name, by, may_write });
        match peer {
            Peer::Socket => return known("command line".to_owned(), Means::Socket, true),
            Peer::Tcp { certificate: Some(name) } => return known(format!("certificate {name}"), Means::Browser, true),
            Peer::Tcp { certificate: None } => {}
        }
        let Some((shown, by)) = shown_token(headers) else { return Ok(Caller::Anybody) };
        if !self.tokens.is_set() {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, NO_TOKENS));
        }
        match self.tokens.find(&shown).await {
            Ok(Some(token)) => known(format!("token {}", token.name), by, token.may_write),
            Ok(None) => Err(Problem::new(StatusCode::UNAUTHORIZED, "this token is not one of those in http.token")),
            Err(Unusable) => {
                let detail = "the mapper cannot read its file of tokens: its log says why";
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
            }
        }
    }
}

const NO_TOKENS: &str = "this mapper takes no tokens: set http.token to a file that holds one";

/// Lets a request through if its caller may do what it asks for.
pub(super) async fn guard(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or(Peer::Tcp { certificate: None });
    let access = site.access();
    let caller = match access.caller(&peer, request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return challenge(problem),
    };
    if caller == Caller::Anybody {
        if !hosts::is_allowed(&request, &access.config.hosts) {
            let detail = "this name is not one of the mapper's: ask by its IP address, or set http.hosts";
            return Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response();
        }
        if !access.is_open() {
            return challenge(Problem::new(
                StatusCode::UNAUTHORIZED,
                "reads need a token here: one of those in http.token",
            ));
        }
    }
    // A page of another site has no use for the API, be it only to have a device read again and again.
    if request.uri().path().starts_with("/api/") && hosts::comes_from_elsewhere(&request) {
        let detail = "a page of another site has made this request: it is not carried out";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD)
        && let Err(refusal) = may_write(access, &caller)
    {
        return refusal;
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Whether a caller may write by a `GET`, which any page can have a browser make, with what the browser knows of this server: only who is
/// known by what no browser sends by itself.
pub(super) fn may_write_by_get(access: &Access, caller: &Caller) -> Result<(), Response> {
    may_write(access, caller)?;
    match caller {
        Caller::Known { by: Means::Socket | Means::Bearer, .. } => Ok(()),
        Caller::Known { .. } | Caller::Anybody => {
            let detail = "a GET that writes needs `Authorization: Bearer`, which no browser sends by itself";
            Err(Problem::new(StatusCode::FORBIDDEN, detail).into_response())
        }
    }
}

/// Whether a caller may write.
pub(super) fn may_write(access: &Access, caller: &Caller) -> Result<(), Response> {
    match caller {
        Caller::Known { may_write: true, .. } => Ok(()),
        Caller::Known { may_write: false, .. } => {
            let detail = "this token may only read: its line in http.token ends with `read`";
            Err(Problem::new(StatusCode::FORBIDDEN, detail).into_response())
        }
        Caller::Anybody if access.is_writable() => {
            Err(challenge(Problem::new(StatusCode::UNAUTHORIZED, "writes need a token: one of those in http.token")))
        }
        Caller::Anybody => {
            let detail =
                "nobody can write over HTTP: set http.token to a file that holds a token, or use the command line";
            Err(Problem::new(StatusCode::FORBIDDEN, detail).into_response())
        }
    }
}

fn challenge(problem: Problem) -> Response {
    let challenges =
        [r#"Bearer realm="mapper""#, r#"Basic realm="mapper: the token is the password", charset="UTF-8""#];
    let mut response = problem.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        for challenge in challenges {
            response.headers_mut().append(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
        }
    }
    response
}

/// The token that a request shows: `Bearer`, or the password of `Basic`, which is how browsers ask.
fn shown_token(headers: &HeaderMap) -> Option<(String, Means)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((rest.trim().to_owned(), Means::Bearer));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| (password.to_owned(), Means::Browser))
}
