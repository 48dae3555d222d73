//! The REST interface of taosAdapter: `POST /rest/sql` with a statement as the body.

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{model::Secret, tls::TlsSection};

use super::{
    super::super::{SinkError, web},
    Exec, Failure,
};

/// Statements over HTTP. Cloning is cheap, and clones share their connections.
#[derive(Clone)]
pub(super) struct RestClient {
    client: Client,
    url: String,
    username: String,
    password: Secret,
}

impl RestClient {
    /// Below this address, which ends without a slash.
    ///
    /// # Errors
    ///
    /// A file of the TLS config cannot be used.
    pub(super) fn new(tls: &TlsSection, address: &str, username: &str, password: &str) -> Result<Self, SinkError> {
        let (username, password) = (username.to_owned(), Secret::new(password));
        Ok(Self { client: web::client(tls)?, url: format!("{address}/rest/sql"), username, password })
    }

    /// The rows that a statement gives.
    pub(super) async fn query(&self, sql: &str) -> Result<Vec<Vec<Json>>, Failure> {
        let request = self.client.post(&self.url).basic_auth(&self.username, Some(self.password.expose()));
        let response = request.body(sql.to_owned()).send().await.map_err(lost)?;
        let status = response.status();
        read(status, &response.text().await.map_err(lost)?)
    }
}

#[async_trait]
impl Exec for RestClient {
    async fn exec(&self, sql: &str) -> Result<(), Failure> {
        self.query(sql).await.map(drop)
    }
}

/// The body of an answer.
#[derive(Deserialize)]
struct Answer {
    code: i64,
    #[serde(default)]
    desc: String,
    #[serde(default)]
    data: Vec<Vec<Json>>,
}

/// The most characters of a body that are repeated when it is no answer.
const EXCERPT: usize = 300;

/// Reads an answer. taosAdapter gives it with the status 200 whatever has become of the statement, or with another one if its
/// `httpCodeServerError` is on, and so the body comes first.
fn read(status: StatusCode, body: &str) -> Result<Vec<Vec<Json>>, Failure> {
    match serde_json::from_str(body) {
        Ok(Answer { code: 0, data, .. }) => Ok(data),
        Ok(Answer { code, desc, .. }) => Err(Failure::answer(code, desc)),
        Err(_) if !status.is_success() => {
            Err(Failure::Http { status, body: body.trim().chars().take(EXCERPT).collect() })
        }
        Err(error) => Err(Failure::Lost(format!("this is no answer of TDengine's REST interface: {error}"))),
    }
}

fn lost(error: reqwest::Error) -> Failure {
    Failure::Lost(SinkError::from(error).to_string())
}

#[cfg(test)]
mod tests {
    use crate::config::TlsConfig;

    use super::*;

    #[test]
    fn an_answer_tells_rows_or_the_error_whatever_its_status() {
        let body = r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[1]],"rows":1}"#;
        assert_eq!(read(StatusCode::OK, body).unwrap(), [[Json::from(1)]]);
        for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
            let refused = read(status, r#"{"code":9728,"desc":"syntax error near \"x\""}"#).unwrap_err();
            assert_eq!(refused.to_string(), r#"TDengine answers 0x2600: syntax error near "x""#);
        }
    }

    #[test]
    fn what_is_no_answer_is_a_lost_connection_or_the_word_of_a_proxy() {
        for body in ["", "<html>", r#"{"status":"succ"}"#] {
            assert!(SinkError::from(read(StatusCode::OK, body).unwrap_err()).is_disconnected(), "{body}");
        }
        let refused = read(StatusCode::NOT_FOUND, " <html>\n").unwrap_err();
        assert_eq!(refused.to_string(), "the server answers 404 Not Found: <html>");
    }

    #[test]
    fn the_password_is_in_no_error() {
        let rest = RestClient::new(
            &TlsSection::new("sinks.tls", &TlsConfig::default()),
            "http://127.0.0.1:1",
            "root",
            "hunter2",
        )
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failure = runtime.block_on(rest.query("SELECT SERVER_STATUS()")).unwrap_err();
        let shown = format!("{failure} {failure:?}");
        assert!(SinkError::from(failure).is_disconnected());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
