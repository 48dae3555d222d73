//! The WebSocket of taosAdapter, by the crate `taos`.
//!
//! It is held at 0.11: from 0.12 on, the crate panics on every connection with a current `tokio`. It never recovers once its
//! connection is closed, so each error of its own, in contrast to an answer of TDengine's, ends the sink's connection.

use async_trait::async_trait;
use taos::{AsyncQueryable, AsyncTBuilder, Dsn, RawError, Taos, TaosBuilder, taos_query::Address};

use super::{Exec, Failure};

/// Where the codes begin that `taos` makes itself: `0xE000` and more, and `0xFFFF` for what has no code.
const OWN_CODES: i32 = 0xE000;

/// Statements over a WebSocket, which is opened with the first one.
pub(super) struct WebSocket {
    taos: Taos,
}

impl WebSocket {
    /// To `host:port`. The parts are handed over one by one: a password in a URL would have to be escaped.
    pub(super) async fn new(address: &str, username: &str, password: &str) -> Result<Self, Failure> {
        let dsn = Dsn {
            driver: "ws".to_owned(),
            username: Some(username.to_owned()),
            password: Some(password.to_owned()),
            addresses: vec![Address::from_host(address)],
            ..Dsn::default()
        };
        let builder = TaosBuilder::from_dsn(dsn).map_err(failure)?;
        Ok(Self { taos: builder.build().await.map_err(failure)? })
    }
}

#[async_trait]
impl Exec for WebSocket {
    async fn exec(&self, sql: &str) -> Result<(), Failure> {
        self.taos.exec(sql).await.map(drop).map_err(failure)
    }
}

fn failure(error: RawError) -> Failure {
    let code: i32 = error.code().into();
    if code < OWN_CODES { Failure::answer(code.into(), error.message()) } else { Failure::Lost(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use crate::sink::SinkError;

    use super::*;

    #[test]
    fn an_error_of_the_client_is_a_lost_connection_and_an_answer_is_none() {
        for (code, lost) in [(0xE003, true), (0xE001, true), (0xFFFF, true), (0x2603, false), (0x0357, false)] {
            let error = SinkError::from(failure(RawError::new(code, "why")));
            assert_eq!(error.is_disconnected(), lost, "{code:#x}");
        }
    }
}
