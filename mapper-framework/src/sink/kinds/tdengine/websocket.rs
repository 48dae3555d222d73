//! The WebSocket of taosAdapter, by the crate `taos`.
//!
//! It is held at 0.11: from 0.12 on, the crate panics on every connection with a current `tokio`. It never recovers once its
//! connection is closed, so each error of its own, in contrast to an answer of TDengine's, ends the sink's connection.
//!
//! A statement takes about 40 ms more than over REST: the client frees each result by a message that has no answer, and what it sends
//! next waits until that is acknowledged. It also wakes a hundred times a second. Neither can be set.

use async_trait::async_trait;
use taos::{AsyncQueryable, AsyncTBuilder, Dsn, RawError, Taos, TaosBuilder, taos_query::Address};

use super::{Exec, Failure, sql::HEALTH};

/// Where the codes begin that `taos` makes itself: `0xE000` and more, and `0xFFFF` for what has no code.
const OWN_CODES: i32 = 0xE000;

/// Statements over a WebSocket.
pub(super) struct WebSocket {
    taos: Taos,
}

impl WebSocket {
    /// Connects to `host:port` and logs in. The parts are handed over one by one: in a URL, a password would have to be escaped.
    pub(super) async fn open(address: &str, username: &str, password: &str) -> Result<Self, Failure> {
        let dsn = Dsn {
            driver: "ws".to_owned(),
            username: Some(username.to_owned()),
            password: Some(password.to_owned()),
            addresses: vec![Address::from_host(address)],
            ..Dsn::default()
        };
        let taos = TaosBuilder::from_dsn(dsn)?.build().await?;
        // The client connects with the first statement.
        taos.exec(HEALTH).await?;
        Ok(Self { taos })
    }
}

#[async_trait]
impl Exec for WebSocket {
    async fn exec(&self, sql: &str) -> Result<(), Failure> {
        self.taos.exec(sql).await?;
        Ok(())
    }
}

impl From<RawError> for Failure {
    fn from(error: RawError) -> Self {
        let code: i32 = error.code().into();
        if code < OWN_CODES {
            return Self::answer(code.into(), error.message());
        }
        let said = error.to_string();
        // What the library says of a port that ends the connection at once, as TDengine's own protocol does.
        if said.contains("Handshake not finished") {
            return Self::Lost(format!("{said}: this port is not taosAdapter's, which is 6041 unless it is set"));
        }
        Self::Lost(said)
    }
}

#[cfg(test)]
mod tests {
    use crate::sink::SinkError;

    use super::*;

    #[test]
    fn an_error_of_the_client_is_a_lost_connection_and_an_answer_is_none() {
        for (code, lost) in [(0xE003, true), (0xE001, true), (0xFFFF, true), (0x2603, false), (0x0503, false)] {
            let error = SinkError::from(Failure::from(RawError::new(code, "why")));
            assert_eq!(error.is_disconnected(), lost, "{code:#x}");
        }
    }
}
