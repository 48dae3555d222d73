//! The two ways to talk to taosAdapter: its WebSocket, as the crate `taos` 0.11 uses it, and its REST interface.

use std::{future::pending, sync::Arc};

use axum::{
    Router,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use super::{Shared, SqlError, error, store::Answer};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ws", any(upgrade))
        .route("/rest/ws", any(upgrade))
        .route("/rest/sql", post(rest))
        .route("/rest/sql/{database}", post(rest_in_database))
        .with_state(shared)
}

async fn rest(State(shared): State<Arc<Shared>>, headers: HeaderMap, sql: String) -> Response {
    answer_rest(&shared, None, &headers, &sql).await
}

async fn rest_in_database(
    State(shared): State<Arc<Shared>>,
    Path(database): Path<String>,
    headers: HeaderMap,
    sql: String,
) -> Response {
    answer_rest(&shared, Some(&database), &headers, &sql).await
}

async fn answer_rest(shared: &Shared, database: Option<&str>, headers: &HeaderMap, sql: &str) -> Response {
    let login = headers.get(header::AUTHORIZATION).and_then(|value| basic(value.to_str().ok()?));
    let Some((user, password)) = login else { return StatusCode::UNAUTHORIZED.into_response() };
    let (status, body) = match shared.login(&user, &password) {
        Err(error) => (StatusCode::UNAUTHORIZED, rest_error(&error)),
        Ok(()) => {
            pause(shared).await;
            match shared.execute(database, sql) {
                Err(error) => (StatusCode::OK, rest_error(&error)),
                Ok(answer) => (StatusCode::OK, rest_rows(answer)),
            }
        }
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn basic(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn rest_error(error: &SqlError) -> Json {
    json!({ "code": error.code, "desc": error.message })
}

fn rest_rows(answer: Answer) -> Json {
    match answer {
        Answer::Affected(rows) => {
            json!({ "code": 0, "column_meta": [["affected_rows", "INT", 4]], "data": [[rows]], "rows": 1 })
        }
        Answer::Rows { columns, precision, rows } => {
            let meta = columns.iter().map(|(name, of_type)| json!([name, of_type.on_the_wire().0, of_type.bytes()]));
            let rows = rows.iter().map(|row| row.iter().map(|cell| cell.to_json(precision)).collect());
            let rows: Vec<Vec<Json>> = rows.collect();
            json!({ "code": 0, "column_meta": meta.collect::<Vec<_>>(), "rows": rows.len(), "data": rows })
        }
    }
}

async fn upgrade(State(shared): State<Arc<Shared>>, request: WebSocketUpgrade) -> Response {
    request.on_upgrade(|socket| talk(socket, shared))
}

/// Answers one message after the other until the client or [`Shared::cut`] ends the connection.
async fn talk(mut socket: WebSocket, shared: Arc<Shared>) {
    let mut cut = shared.cut.subscribe();
    let mut session = Session { shared, logged_in: false, database: None };
    loop {
        tokio::select! {
            // A client that writes after the cut gets no answer any more.
            biased;
            // Dropped without a word, as by a proxy that dies.
            _ = cut.changed() => return,
            more = session.answer_next(&mut socket) => if more.is_none() { return },
        }
    }
}

/// What the double knows of a client.
struct Session {
    shared: Arc<Shared>,
    logged_in: bool,
    database: Option<String>,
}

impl Session {
    /// Takes a message and answers it; `None` at the end.
    async fn answer_next(&mut self, socket: &mut WebSocket) -> Option<()> {
        let Message::Text(text) = socket.recv().await?.ok()? else { return Some(()) };
        let message: Json = serde_json::from_str(&text).ok()?;
        let action = message["action"].as_str()?;
        // The only message without an answer.
        if action == "free_result" {
            return Some(());
        }
        if action == "query" {
            pause(&self.shared).await;
        }
        let mut answer = self
            .answer(action, &message["args"])
            .unwrap_or_else(|error| json!({ "code": error.code, "message": error.message }));
        answer["action"] = action.into();
        answer["req_id"] = message["args"]["req_id"].as_u64().unwrap_or_default().into();
        socket.send(Message::Text(answer.to_string().into())).await.ok()
    }

    fn answer(&mut self, action: &str, args: &Json) -> Result<Json, SqlError> {
        let text = |name: &str| args[name].as_str().unwrap_or_default();
        match action {
            "version" => Ok(json!({ "code": 0, "message": "", "version": "3.0.5.0" })),
            "conn" => {
                self.shared.login(text("user"), text("password"))?;
                self.logged_in = true;
                self.database = Some(text("db").to_owned()).filter(|name| !name.is_empty());
                Ok(json!({ "code": 0, "message": "" }))
            }
            "query" if self.logged_in => {
                Ok(websocket_result(&self.shared.execute(self.database.as_deref(), text("sql"))?))
            }
            "query" => Err(error::wrong_password()),
            // The rows of a result come in a binary form that this double does not speak.
            _ => Err(SqlError { code: 0x0100, message: format!("the double does not know {action}") }),
        }
    }
}

fn websocket_result(answer: &Answer) -> Json {
    let common = |affected: usize, fields: usize| {
        json!({
            "code": 0, "message": "", "timing": 5, "id": 0, "is_update": fields == 0, "affected_rows": affected,
            "fields_count": fields, "fields_names": null, "fields_types": null, "fields_lengths": null, "precision": 0,
        })
    };
    match answer {
        Answer::Affected(rows) => common(*rows, 0),
        Answer::Rows { columns, .. } => {
            let mut result = common(0, columns.len());
            result["fields_names"] = columns.iter().map(|(name, _)| Json::from(name.as_str())).collect();
            result["fields_types"] = columns.iter().map(|(_, of_type)| Json::from(of_type.on_the_wire().1)).collect();
            result["fields_lengths"] = columns.iter().map(|(_, of_type)| Json::from(of_type.bytes())).collect();
            result
        }
    }
}

/// Never ends while the double hangs.
async fn pause(shared: &Shared) {
    if shared.hangs() {
        pending::<()>().await;
    }
}
