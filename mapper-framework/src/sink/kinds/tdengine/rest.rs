//! The REST interface of taosAdapter: `POST /rest/sql` with a statement as the body.

use async_trait::async_trait;
use reqwest::{Client, StatusCode, header::HeaderMap};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value as Json;

use crate::model::Secret;

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
    pub(super) fn new(client: Client, address: &str, username: &str, password: &str) -> Self {
        let (username, password) = (username.to_owned(), Secret::new(password));
        Self { client, url: format!("{address}/rest/sql"), username, password }
    }

    /// The rows that a statement gives.
    pub(super) async fn query(&self, sql: &str) -> Result<Vec<Vec<Json>>, Failure> {
        self.call(sql, web::HISTORY).await
    }

    /// Sends a statement, and reads so much of the answer at most.
    async fn call<R: Rows>(&self, sql: &str, most: usize) -> Result<R, Failure> {
        let request = self.client.post(&self.url).basic_auth(&self.username, Some(self.password.expose()));
        let response = request.body(sql.to_owned()).send().await.map_err(|error| lost(&web::unanswered(error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        // Of an error the beginning will do.
        let body = if status.is_success() {
            web::whole(response, most).await.map_err(|error| lost(&error))?
        } else {
            web::body(response).await
        };
        web::parsed(body, move |body| read(status, &headers, body)).await.map_err(|error| lost(&error))?
    }
}

#[async_trait]
impl Exec for RestClient {
    async fn exec(&self, sql: &str) -> Result<(), Failure> {
        self.call::<IgnoredAny>(sql, web::STATEMENT).await.map(drop)
    }
}

/// What is made of the rows of an answer.
trait Rows: DeserializeOwned + Default + Send + 'static {}

impl<R: DeserializeOwned + Default + Send + 'static> Rows for R {}

/// The body of an answer.
#[derive(Deserialize)]
#[serde(bound = "R: Rows")]
struct Answer<R> {
    code: i64,
    #[serde(default)]
    desc: String,
    #[serde(default)]
    data: R,
}

/// Reads an answer. taosAdapter gives it with the status 200 whatever has become of the statement, or with another one if its
/// `httpCodeServerError` is on, and so the body comes first.
fn read<R: Rows>(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<R, Failure> {
    match serde_json::from_slice(body) {
        Ok(Answer { code: 0, data, .. }) => Ok(data),
        Ok(Answer { code, desc, .. }) => Err(Failure::answer(code, desc)),
        Err(_) if !status.is_success() => Err(Failure::Http { status, body: web::excerpt(headers, body) }),
        Err(error) => Err(Failure::Lost(format!("this is no answer of TDengine's REST interface: {error}"))),
    }
}

fn lost(error: &SinkError) -> Failure {
    Failure::Lost(error.to_string())
}

#[cfg(test)]
mod tests {
    use crate::{config::SinksConfig, sink::Access};

    use super::*;

    fn read_rows(status: StatusCode, body: &str) -> Result<Vec<Vec<Json>>, Failure> {
        read(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn an_answer_tells_rows_or_the_error_whatever_its_status() {
        let body = r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[1]],"rows":1}"#;
        assert_eq!(read_rows(StatusCode::OK, body).unwrap(), [[Json::from(1)]]);
        for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
            let refused = read_rows(status, r#"{"code":9728,"desc":"syntax error near \"x\""}"#).unwrap_err();
            assert_eq!(refused.to_string(), r#"TDengine answers 0x2600: syntax error near "x""#);
        }
    }

    #[test]
    fn what_is_no_answer_is_a_lost_connection_or_the_word_of_a_proxy() {
        for body in ["", "<html>", r#"{"status":"succ"}"#] {
            assert!(SinkError::from(read_rows(StatusCode::OK, body).unwrap_err()).is_disconnected(), "{body}");
        }
        let refused = read_rows(StatusCode::NOT_FOUND, " <html>\n").unwrap_err();
        assert_eq!(refused.to_string(), "the server answers 404 Not Found: <html>");
    }

    #[test]
    fn the_password_is_in_no_error() {
        let client = Access::new(&SinksConfig::default()).client("tdengine", None).unwrap();
        let rest = RestClient::new(client, "http://127.0.0.1:1", "root", "hunter2");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failure = runtime.block_on(rest.query("SELECT SERVER_STATUS()")).unwrap_err();
        let shown = format!("{failure} {failure:?}");
        assert!(SinkError::from(failure).is_disconnected());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
