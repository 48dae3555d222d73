//! A session with a server, and the task that keeps it alive.

use std::{path::Path, pin::pin, sync::Arc, time::Duration};

use futures_util::StreamExt;
use mapper_framework::DriverError;
use tokio::{sync::watch, task::AbortHandle, time::timeout};
use ua::{
    client::{
        ClientBuilder, ClientConfig, Session, SessionActivity, SessionBuilder, SessionEventLoop, SessionPollResult,
        transport::TcpConnector,
    },
    types::{EndpointDescription, MessageSecurityMode, StatusCode},
};

use crate::{login::Login, pki::Certificates, status};

/// How the mapper calls itself; its certificate holds the same URI.
pub(crate) const APPLICATION_NAME: &str = "KubeEdge OPC UA mapper";
pub(crate) const APPLICATION_URI: &str = "urn:kubeedge:mapper:opcua";

/// How long a server keeps a session that was lost, and its subscriptions.
const SESSION_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest list, text and message that are taken of a server. A longer one ends the session.
const LONGEST_LIST: usize = 1 << 20;
const LONGEST_TEXT: usize = 16 << 20;
const LONGEST_MESSAGE: usize = 64 << 20;
/// The most parts of a message. Most servers send parts of 64 KiB, and none may send any below 8 KiB.
const MOST_CHUNKS: usize = LONGEST_MESSAGE / (8 << 10);

/// Whether a session is there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Opening,
    Open,
    Over(StatusCode),
}

/// An activated session. Dropped, it ends without a word to the server.
pub(crate) struct Link {
    session: Arc<Session>,
    state: watch::Receiver<State>,
    task: AbortHandle,
    within: Duration,
}

/// What the client library is to do, which never reconnects by itself: that is the framework's part.
pub(crate) fn client_config(within: Duration) -> ClientConfig {
    ClientBuilder::new()
        .application_name(APPLICATION_NAME)
        .application_uri(APPLICATION_URI)
        .product_uri(APPLICATION_URI)
        .session_name(APPLICATION_NAME)
        .request_timeout(within)
        .keep_alive_interval(within)
        .session_timeout(SESSION_TIMEOUT.as_millis() as u32)
        .session_retry_limit(0)
        .recreate_subscriptions(false)
        .max_array_length(LONGEST_LIST)
        .max_string_length(LONGEST_TEXT)
        .max_byte_string_length(LONGEST_TEXT)
        .max_message_size(LONGEST_MESSAGE)
        .max_chunk_count(MOST_CHUNKS)
        // `true` would shift all times of the server's by the difference.
        .ignore_clock_skew(false)
        .into_config()
}

impl Link {
    /// Opens a session at an endpoint.
    ///
    /// # Errors
    ///
    /// The server does not answer in time, or does not want the mapper. The message names the cure.
    pub(crate) async fn open(
        config: &ClientConfig,
        endpoint: EndpointDescription,
        login: &Login,
        certificates: Certificates,
        within: Duration,
    ) -> Result<Self, DriverError> {
        let url = endpoint.endpoint_url.to_string();
        let is_protected = endpoint.security_mode != MessageSecurityMode::None;
        let own = is_protected.then(|| certificates.read().own_certificate_path());
        let refused = |error| status::of_request(format_args!("no session with {url}"), error);
        let builder = SessionBuilder::new(config).connect_to_endpoint_directly(endpoint).map_err(refused)?;
        let (session, events) = builder.user_identity_token(login.token()).build(certificates).map_err(refused)?;
        session.disable_reconnects();
        let (sender, mut state) = watch::channel(State::Opening);
        let task = tokio::spawn(watch_over(events, sender)).abort_handle();
        let mut link = Self { session, state: state.clone(), task, within };
        let opened = timeout(within, state.wait_for(|state| *state != State::Opening)).await;
        match opened.map(|state| state.map(|state| *state)) {
            Ok(Ok(State::Open)) => Ok(link),
            Ok(Ok(State::Over(code))) => Err(refusal(&url, code, login, own.as_deref())),
            Ok(_) => Err(link.lost().await),
            Err(_) => Err(DriverError::disconnected(format_args!("{url} opens no session within {within:?}"))),
        }
    }

    /// The session, for requests.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Waits until the session is over, and returns why. Safe to cancel.
    pub(crate) async fn lost(&mut self) -> DriverError {
        let over = self.state.wait_for(|state| matches!(state, State::Over(_))).await;
        match over.as_deref() {
            Ok(State::Over(StatusCode::BadTimeout)) => {
                DriverError::disconnected(format_args!("the server does not answer within {:?}", self.within))
            }
            Ok(State::Over(code)) => {
                DriverError::disconnected(format_args!("the connection is lost: {}", status::words(*code)))
            }
            _ => DriverError::disconnected("the connection is lost"),
        }
    }

    /// Closes session and connection.
    pub(crate) async fn close(self) {
        // A server that is gone needs no farewell.
        drop(timeout(self.within, self.session.disconnect()).await);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a server gives no session. `own` is the file of the mapper's certificate, if that was shown.
fn refusal(url: &str, code: StatusCode, login: &Login, own: Option<&Path>) -> DriverError {
    // Some servers end the connection of whom they do not trust without a word, and node-opcua with another number in the place of the code.
    if let Some(own) = own.filter(|_| code == StatusCode::BadConnectionClosed || !code.is_bad()) {
        return DriverError::refused(format_args!(
            "no session with {url}: the server ends the connection: perhaps it has to trust the mapper's certificate, {}",
            own.display()
        ));
    }
    let cure = match (code, own) {
        (
            StatusCode::BadIdentityTokenInvalid
            | StatusCode::BadIdentityTokenRejected
            | StatusCode::BadUserAccessDenied
            | StatusCode::BadUserSignatureInvalid,
            _,
        ) => login.cure(),
        (
            StatusCode::BadSecurityChecksFailed
            | StatusCode::BadCertificateInvalid
            | StatusCode::BadCertificateUntrusted
            | StatusCode::BadCertificateUriInvalid
            | StatusCode::BadCertificateUseNotAllowed,
            Some(own),
        ) => format!("have the server trust the mapper's certificate, {}", own.display()),
        (StatusCode::BadTooManySessions, _) => "it has no session left: close others, or raise its limit".to_owned(),
        _ => return DriverError::disconnected(format_args!("no session with {url}: {}", status::words(code))),
    };
    DriverError::refused(format_args!("no session with {url}: {code}: {cure}"))
}

/// Carries the session on until it is over. A keep-alive without an answer ends it.
async fn watch_over(events: SessionEventLoop<TcpConnector>, state: watch::Sender<State>) {
    let mut events = pin!(events.enter());
    let code = loop {
        match events.next().await {
            Some(Ok(SessionPollResult::Reconnected(_))) => drop(state.send_replace(State::Open)),
            Some(Ok(SessionPollResult::SessionActivity(SessionActivity::KeepAliveFailed(code))))
                if code != StatusCode::BadServerHalted =>
            {
                break code;
            }
            Some(
                Ok(SessionPollResult::ConnectionLost(code) | SessionPollResult::ReconnectFailed(code)) | Err(code),
            ) => {
                break code;
            }
            Some(Ok(_)) => {}
            None => break StatusCode::BadConnectionClosed,
        }
    };
    state.send_replace(State::Over(code));
}
