//! `tdengine`: TDengine 3, by taosAdapter, over REST or over a WebSocket.
//!
//! # Transport
//!
//! | `addr` | how |
//! | --- | --- |
//! | `host`, `host:port`, `http://…`, `https://…` | the REST interface of taosAdapter, below a path if the address has one |
//! | `ws://…` | its WebSocket, by the crate `taos`; needs the Cargo feature `sink-tdengine-ws` |
//! | `wss://…` | as `https://`: the WebSocket client's own TLS would not know `sinks.tls`, and one port serves both |
//!
//! Both ways carry the same statements to the same port, and give the same codes back. REST is the faster one, by some 40 ms for each
//! batch, and needs no crate of its own; so it is what an address without a scheme means. The port is 6041 unless the address names
//! one. History is read over REST in any case: the rows of a WebSocket come in a binary form of their own.
//!
//! There is no package of TDengine to test against: the tests run against a double, which is as strict about SQL as the real one.
//!
//! # Tables
//!
//! The database `dbName` is written in lower case, as TDengine reads a name without quotes. It holds a supertable for each type of
//! value:
//!
//! | supertable | `value` | holds |
//! | --- | --- | --- |
//! | `mapper_int` | `BIGINT` | `INT` |
//! | `mapper_double` | `DOUBLE` | `FLOAT`, `DOUBLE` |
//! | `mapper_bool` | `BOOL` | `BOOLEAN` |
//! | `mapper_text` | `NCHAR(4000)` | `STRING`, and `STREAM` where it is text |
//! | `mapper_bytes` | `VARCHAR(16000)` | `BYTES`, and `STREAM` where it is bytes: URL-safe base64 without padding, so at most 12,000 bytes |
//!
//! Besides `value` there are the columns `ts` and `quality` (`good`, `uncertain` or `bad`), and the tags `namespace`, `device`,
//! `property`, `model` and `unit`. A record that does not fit is rejected with the reason.
//!
//! Each series has a subtable, named `t_` and a hash of its type and all its tags. A property whose unit or model changes so goes on
//! in another subtable, and what was measured in the old unit keeps it.
//!
//! # Delivery
//!
//! TDengine keeps one row for a time in a subtable, the one that came last. So a batch that comes again changes nothing, and of two
//! values of a property in the same millisecond the later one stays. TDengine refuses rows older than the database keeps
//! (`KEEP`, ten years by default).
//!
//! While more than a batch waits, up to 5,000 records go at once, since a statement costs as much as some thousand rows.
//!
//! A DOUBLE nearer to zero than 2.2e-308 is written as 0, since TDengine takes no subnormal numbers.
//!
//! What a batch misses is made, the database with a precision of milliseconds, and the batch is written again. A database that is
//! there keeps its precision, and a user who may make nothing can write where all is there.
//!
//! # Config
//!
//! `sinks.tdengine.keep` is the `KEEP` of a database that the sink makes. `sinks.tdengine.credentials`; without a user or a password TDengine's own defaults hold, `root` and `taosdata`. `sinks.tls` for
//! `https://` and `wss://`.

mod failure;
mod rest;
mod sql;
#[cfg(feature = "sink-tdengine-ws")]
mod websocket;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::{
    config::TdengineSinkConfig,
    model::{Address, Device, Property, PushMethod, TdenginePush},
};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError, SinkKind, Target,
    web,
};
use failure::Failure;
use rest::RestClient;
use sql::{BadName, Column, Database};

const NAME: &str = "tdengine";
const ADDR: &str = "pushMethod.dbMethod.TDEngine.TDEngineClientConfig.addr";
const DB_NAME: &str = "pushMethod.dbMethod.TDEngine.TDEngineClientConfig.dbName";

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// The port of taosAdapter.
const DEFAULT_PORT: u16 = 6041;

/// What a TDengine that nobody has configured lets in.
const DEFAULT_USER: (&str, &str) = ("root", "taosdata");

/// The kind of sink that writes to TDengine.
#[derive(Debug)]
pub(super) struct Tdengine {
    /// How many days a database that is made keeps its rows; 0 for what TDengine has for it.
    keep_days: u64,
    access: Arc<Access>,
}

/// What a target consists of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TdengineTarget {
    /// With scheme, host and port, and without a slash at the end. `ws` stands for the WebSocket, the others for REST.
    url: String,
    database: Database,
}

impl Tdengine {
    pub(super) fn new(config: &TdengineSinkConfig, access: &Arc<Access>) -> Self {
        Self { keep_days: config.keep.as_secs() / SECONDS_OF_A_DAY, access: Arc::clone(access) }
    }
}

impl SinkKind for Tdengine {
    type Sink = TdengineSink;

    fn name(&self) -> &str {
        NAME
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Tdengine(push) => Some(push),
            _ => None,
        });
        pushes.map(|push| Ok(Route::to(Target::new(NAME, &TdengineTarget::new(push)?)))).collect()
    }

    fn keeps_history(&self) -> bool {
        true
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        web::endpoint(&Url::parse(&target.settings::<TdengineTarget>().ok()?.url).ok()?, ADDR)
    }

    /// A statement costs TDengine as much as some thousand rows.
    fn bulk_records(&self) -> usize {
        5_000
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<TdengineSink, SinkError> {
        let TdengineTarget { url, database } = target.settings()?;
        let username = credentials.username().unwrap_or(DEFAULT_USER.0);
        let password = credentials.password().map_or(DEFAULT_USER.1, |password| password.expose());
        let client = self.access.client(NAME, self.endpoint(target).as_ref())?;
        let (rest, exec): (_, Box<dyn Exec>) = if let Some(address) = url.strip_prefix("ws://") {
            let rest = RestClient::new(client, &format!("http://{address}"), username, password);
            (rest, open_websocket(address, username, password).await?)
        } else {
            let rest = RestClient::new(client, &url, username, password);
            rest.exec(sql::HEALTH).await?;
            (rest.clone(), Box::new(rest))
        };
        Ok(TdengineSink { database, keep_days: self.keep_days, exec, rest })
    }
}

impl TdengineTarget {
    fn new(push: &TdenginePush) -> Result<Self, RouteError> {
        let address =
            Address::parse(&push.addr).and_then(Address::checked).map_err(|error| RouteError::of(ADDR, error))?;
        let path = address.path.trim_end_matches('/');
        let scheme = match address.scheme.as_deref() {
            None | Some("http") => "http",
            Some("https" | "wss") => "https",
            Some("ws") if cfg!(feature = "sink-tdengine-ws") => "ws",
            Some("ws") => return Err(RouteError::new(ADDR, NO_WEBSOCKET).with_cure(WITHOUT_WEBSOCKET)),
            Some(_) => {
                return Err(RouteError::of(ADDR, address.unknown_scheme("http, https, ws or wss, or none for http")));
            }
        };
        if path.contains(['?', '#']) {
            return Err(RouteError::new(ADDR, "has a query").with_cure("end it after the path"));
        }
        if scheme == "ws" && !path.is_empty() {
            let message = format_args!("has the path {path:?}, and the WebSocket of TDengine has none");
            return Err(RouteError::new(ADDR, message).with_cure("use http://"));
        }
        let database = Database::parse(&push.db_name)
            .map_err(|BadName { message, cure }| RouteError::new(DB_NAME, message).with_cure(cure))?;
        Ok(Self { url: format!("{scheme}://{}{path}", address.host_and_port(DEFAULT_PORT)), database })
    }
}

/// Why there is no WebSocket.
const NO_WEBSOCKET: &str = "begins with ws://, and this mapper is built without the WebSocket of TDengine";

/// What to do about it.
const WITHOUT_WEBSOCKET: &str = "write http://, which is the same port and faster, or enable the feature \"sink-tdengine-ws\" of \
                                 mapper-framework in the mapper's Cargo.toml";

#[cfg(feature = "sink-tdengine-ws")]
async fn open_websocket(address: &str, username: &str, password: &str) -> Result<Box<dyn Exec>, SinkError> {
    Ok(Box::new(websocket::WebSocket::open(address, username, password).await?))
}

/// What another build of the mapper has left in the spool may ask for it all the same.
#[cfg(not(feature = "sink-tdengine-ws"))]
async fn open_websocket(address: &str, _: &str, _: &str) -> Result<Box<dyn Exec>, SinkError> {
    Err(SinkError::failed(format_args!("the address {address} {NO_WEBSOCKET}: {WITHOUT_WEBSOCKET}")))
}

/// The way on which a statement that gives no rows goes to TDengine.
#[async_trait]
trait Exec: Send + Sync {
    async fn exec(&self, sql: &str) -> Result<(), Failure>;
}

/// A connection to one database. Neither of the two ways has anything to close that dropping does not.
pub(super) struct TdengineSink {
    database: Database,
    keep_days: u64,
    /// For writing.
    exec: Box<dyn Exec>,
    /// For reading.
    rest: RestClient,
}

impl Sink for TdengineSink {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let sql::Inserts { statements, outcomes } = sql::inserts(&self.database, batch);
        for statement in &statements {
            self.insert(statement).await?;
        }
        Ok(outcomes)
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        Ok(self.exec.exec(sql::HEALTH).await?)
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        let mut points = Vec::new();
        for column in Column::ALL {
            points.extend(self.points(column, query).await?);
        }
        points.sort_by_key(|point| point.timestamp_ms);
        points.drain(..points.len().saturating_sub(query.limit()));
        Ok(points)
    }
}

impl TdengineSink {
    /// Executes an `INSERT`, after making what it misses.
    async fn insert(&self, statement: &str) -> Result<(), SinkError> {
        match self.exec.exec(statement).await {
            Err(failure) if failure.is_missing() => {
                let denied = self.create_schema().await?;
                self.exec.exec(statement).await.map_err(|failure| match denied {
                    Some(denied) if failure.is_missing() => SinkError::misconfigured(format_args!(
                        "{failure}, and the user may not make it ({denied}): make it, or grant the right to"
                    )),
                    _ => failure.into(),
                })
            }
            done => Ok(done?),
        }
    }

    /// Makes the database and the supertables where there are none. A lacking right to do so is no error, as they may exist; it is
    /// returned.
    async fn create_schema(&self) -> Result<Option<Failure>, SinkError> {
        let mut denied = None;
        for statement in sql::schema(&self.database, self.keep_days) {
            match self.exec.exec(&statement).await {
                Ok(()) => {}
                Err(failure) if failure.is_denied() => denied = Some(failure),
                // A user who may not make the database, and so has no place for the tables.
                Err(failure) if failure.is_missing() && denied.is_some() => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(denied)
    }

    /// The points in one supertable, in any order.
    async fn points(&self, column: Column, query: &Query) -> Result<Vec<Point>, SinkError> {
        let Some(select) = sql::history(&self.database, column, query) else { return Ok(Vec::new()) };
        let rows = match self.rest.query(&select).await {
            Ok(rows) => rows,
            Err(failure) if failure.is_missing() => return Ok(Vec::new()),
            Err(failure) => return Err(failure.into()),
        };
        let mut points = Vec::with_capacity(rows.len());
        for row in &rows {
            let (timestamp_ms, value, property) = sql::read_row(column, row)?;
            let (Some(value), Some(series)) = (value, query.series_of(property)) else { continue };
            // A property whose type has changed may have values that the new type has no form for.
            let Ok(value) = value.conform(series.data_type()) else { continue };
            points.push(Point::new(property, value, timestamp_ms));
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::SinksConfig, model::DataType};

    use super::*;

    fn settings(addr: &str, db_name: &str) -> Result<(String, String), String> {
        let push = TdenginePush { addr: addr.into(), db_name: db_name.into() };
        let settings = TdengineTarget::new(&push).map_err(|error| error.to_string())?;
        Ok((settings.url, settings.database.to_string()))
    }

    #[test]
    fn the_scheme_chooses_the_transport() {
        for (addr, url) in [
            ("td", "http://td:6041"),
            ("127.0.0.1:1", "http://127.0.0.1:1"),
            ("[::1]", "http://[::1]:6041"),
            ("HTTP://td/", "http://td:6041"),
            ("https://td:443/taos/", "https://td:443/taos"),
            ("wss://td:443", "https://td:443"),
        ] {
            assert_eq!(settings(addr, "plant").map(|it| it.0), Ok(url.to_owned()), "{addr}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_with_the_cure() {
        for (addr, cure) in [
            ("mqtt://td", "use http, https, ws or wss"),
            ("http://td?token=1", "end it after the path"),
            ("root:taosdata@td", "mounted Secret"),
            ("", "write host:port"),
            ("td^x", "neither a name nor an IP address"),
            ("::1", "write [::1]:port"),
        ] {
            let error = settings(addr, "plant").unwrap_err();
            assert!(error.contains("TDEngineClientConfig.addr: ") && error.contains(cure), "{addr}: {error}");
        }
    }

    #[test]
    #[cfg(feature = "sink-tdengine-ws")]
    fn the_websocket_has_a_scheme_of_its_own_and_no_path() {
        assert_eq!(settings("WS://td/", "plant").map(|it| it.0), Ok("ws://td:6041".to_owned()));
        assert!(settings("ws://td/taos", "plant").unwrap_err().contains("use http://"));
    }

    #[test]
    #[cfg(not(feature = "sink-tdengine-ws"))]
    fn a_websocket_that_is_not_compiled_is_refused_with_the_feature_and_the_other_way() {
        let error = settings("ws://td", "plant").unwrap_err();
        assert!(error.contains("TDEngineClientConfig.addr: begins with ws://"), "{error}");
        assert!(error.contains("write http://") && error.contains("\"sink-tdengine-ws\""), "{error}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let left = Target::new(
            NAME,
            &TdengineTarget { url: "ws://td:6041".into(), database: Database::parse("plant").unwrap() },
        );
        let config = SinksConfig::default();
        let kind = Tdengine::new(&config.tdengine, &Arc::new(Access::new(&config)));
        let error = runtime.block_on(kind.open(&left, &Credentials::none())).err().expect("it cannot be opened");
        assert!(error.is_retryable() && error.to_string().contains("sink-tdengine-ws"), "what waits is kept: {error}");
    }

    #[test]
    fn a_database_is_named_like_an_identifier_and_in_lower_case() {
        assert_eq!(settings("td", "Plant_2").map(|it| it.1), Ok("plant_2".to_owned()));
        for name in ["", "2plant", "pl`ant", "plant.x", "größe", "a-b", "information_schema", &"x".repeat(65)] {
            let error = settings("td", name).unwrap_err();
            assert!(error.contains("TDEngineClientConfig.dbName: "), "{name}: {error}");
        }
    }

    #[test]
    fn properties_with_the_same_address_and_database_share_a_target() {
        let config = SinksConfig::default();
        let kind = Tdengine::new(&config.tdengine, &Arc::new(Access::new(&config)));
        let device = Device::builder("boiler").build();
        let routes = |name: &str, addr: &str, db_name: &str| {
            let push = TdenginePush { addr: addr.into(), db_name: db_name.into() };
            let property =
                Property::builder(name, DataType::Int).push_methods(vec![PushMethod::Tdengine(push)]).build();
            kind.routes(&device, &property).unwrap()
        };
        assert_eq!(routes("a", "td", "plant"), routes("b", "http://td:6041", "PLANT"));
        assert_ne!(routes("a", "td", "plant"), routes("a", "td", "other"));
        let none = Property::builder("p", DataType::Int).build();
        assert_eq!(kind.routes(&device, &none), Ok(vec![]));
    }

    #[test]
    fn a_target_shows_where_it_is() {
        let push = TdenginePush { addr: "td".into(), db_name: "plant".into() };
        let target = Target::new(NAME, &TdengineTarget::new(&push).unwrap());
        assert_eq!(target.to_string(), r#"tdengine {"database":"plant","url":"http://td:6041"}"#);
    }
}
