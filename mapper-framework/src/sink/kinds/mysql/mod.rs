//! The kind `mysql`: `pushMethod.dbMethod.mysql`, for MySQL and MariaDB.
//!
//! | layout | table | columns |
//! | --- | --- | --- |
//! | `single`, the default | `device_data`, or `sinks.mysql.table` | `namespace`, `device`, `property`, `ts`, `type`, `value_double`, `value_int`, `value_text`, `unit`, `quality` |
//! | `property`, as the Go framework has it | `<namespace>/<device>/<property>`, one for each property | `id`, `ts`, `field` |
//!
//! - `ts` is when the value was read, in UTC, to the millisecond. Go's tables have seconds, and local time.
//! - `value_text` and `field` hold the value as it stands in a twin. `value_double` holds numbers, and 1 and 0 for true and false;
//!   `value_int` holds integers, true and false exactly; both are NULL for what is no number.
//! - A record is a row of its property and its time, so that one that is delivered again changes nothing, and of two values in
//!   the same millisecond the later one stays. Names differ by case, but not by spaces at their end, which MySQL ignores.
//! - Tables that the Go framework has made lack the key for this: there a record that is delivered again gets a second row.
//! - The name of a table has 64 characters at most. A longer one, or one with characters that MySQL does not take, is cut and ends
//!   in `~` and 16 hexadecimal digits of its SHA-256. On a server that ignores the case of tables (`lower_case_table_names`) two
//!   properties whose names differ in nothing else share one; use the single layout there.
//!
//! The database and the tables are made when they are missed, for which the user needs CREATE; else INSERT, UPDATE and SELECT will
//! do. A batch is one transaction of prepared statements with many rows each, and up to 500 rows of one table are one statement.
//!
//! The user is the manifest's `userName`, or the `username` of the credentials. Keys of the config: `sinks.mysql.credentials`,
//! `layout`, `table`, `keep`, `tls` (with the certificates of `sinks.tls`).
//!
//! With `sinks.mysql.keep` rows that are older by the server's clock are deleted, 1,000 by a statement, over a second connection that is there for
//! as long as that takes: at most every ten minutes, and more often only where rows are kept for less than 100 minutes. It needs DELETE, and
//! INDEX where a table has no index on `ts`, which is added. Of the layout `property` these are the tables that have been written to since the
//! connection was made.

mod connection;
mod layout;
mod property;
mod retention;
mod single;

use std::sync::Arc;

use mysql_async::{from_row_opt, prelude::Queryable as _};
use serde::{Deserialize, Serialize};

use crate::{
    config::{MysqlLayout, MysqlSinkConfig},
    model::{Address, Device, MysqlPush, Property, PushMethod, Value},
    telemetry::Telemetry,
};

use super::super::{
    Access, Credentials, Endpoint, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError, SinkKind, Target,
    history::{ANSWER_BYTES, take},
};
use connection::{MysqlClient, is_missing_table, sink_error};
use layout::{Layout, MAX_NAME, Row, Tables};
use property::TablePerProperty;
use retention::{Keeper, Retention};
use single::SingleTable;

const KIND: &str = "mysql";
const DEFAULT_PORT: u16 = 3306;
const ADDR: &str = "pushMethod.dbMethod.mysql.mysqlClientConfig.addr";
const DATABASE: &str = "pushMethod.dbMethod.mysql.mysqlClientConfig.database";

/// The kind of sink.
pub(super) struct Mysql {
    config: MysqlSinkConfig,
    access: Arc<Access>,
    telemetry: Telemetry,
}

/// What a connection depends on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MysqlTarget {
    host: String,
    port: u16,
    database: String,
    /// Empty when the manifest names none.
    user: String,
}

impl Mysql {
    pub(super) fn new(config: &MysqlSinkConfig, access: &Arc<Access>, telemetry: &Telemetry) -> Self {
        Self { config: config.clone(), access: Arc::clone(access), telemetry: telemetry.clone() }
    }

    fn route(&self, push: &MysqlPush) -> Result<Route, RouteError> {
        let length = self.config.table.chars().count();
        if self.config.layout == MysqlLayout::Single && !(1..=MAX_NAME).contains(&length) {
            return Err(RouteError::new("sinks.mysql.table", format_args!("has {length} characters"))
                .with_cure(format_args!("use 1 to {MAX_NAME}, such as device_data")));
        }
        Ok(Route::to(Target::new(KIND, &settings(push)?)))
    }

    /// No address of MySQL says whether there is TLS, so the config does.
    fn endpoint_of(&self, settings: &MysqlTarget) -> Endpoint {
        let endpoint = Endpoint::new(&settings.host, settings.port).named_by(ADDR);
        let tls = self.config.tls || self.access.own_tls(KIND, &endpoint).is_some();
        endpoint.with_tls(tls)
    }

    fn layout(&self) -> Box<dyn Layout> {
        match self.config.layout {
            MysqlLayout::Single => Box::new(SingleTable::new(&self.config.table)),
            MysqlLayout::Property => Box::new(TablePerProperty),
        }
    }
}

impl SinkKind for Mysql {
    type Sink = MysqlSink;

    fn name(&self) -> &str {
        KIND
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Mysql(push) => Some(push),
            _ => None,
        });
        pushes.map(|push| self.route(push)).collect()
    }

    fn keeps_history(&self) -> bool {
        true
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        Some(self.endpoint_of(&target.settings().ok()?))
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<MysqlSink, SinkError> {
        let settings = target.settings()?;
        let endpoint = self.endpoint_of(&settings);
        let tls = endpoint.is_encrypted().then(|| self.access.tls_of(KIND, Some(&endpoint)));
        let connection = MysqlClient::open(&settings, tls, credentials).await?;
        let keeper = (!self.config.keep.is_zero()).then(|| {
            Keeper::start(Retention {
                options: connection.client.opts().clone(),
                keep: self.config.keep,
                target: target.to_string(),
                telemetry: self.telemetry.clone(),
                database: settings.database,
            })
        });
        Ok(MysqlSink { connection, layout: self.layout(), keeper })
    }
}

/// A connection to one database.
pub(super) struct MysqlSink {
    connection: MysqlClient,
    layout: Box<dyn Layout>,
    keeper: Option<Keeper>,
}

impl MysqlSink {
    /// The rows of a batch by their table, and the outcomes of all records once these rows are in.
    fn tables(&self, batch: &[Record]) -> (Tables, Vec<Outcome>) {
        let mut outcomes = Outcome::accepted(batch.len());
        let mut tables = Tables::new();
        for (record, outcome) in batch.iter().zip(&mut outcomes) {
            let row = Row::new(self.layout.row(record));
            match self.connection.refuses(&row) {
                Some(reason) => *outcome = Outcome::Refused(reason),
                None => tables.entry(self.layout.table(record)).or_default().push(row),
            }
        }
        (tables, outcomes)
    }
}

impl Sink for MysqlSink {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let (tables, outcomes) = self.tables(batch);
        if let Some(keeper) = &self.keeper {
            keeper.note(tables.keys());
        }
        let mut inserted = self.connection.insert(&*self.layout, tables).await;
        if inserted.as_ref().is_err_and(is_missing_table) {
            let (tables, _) = self.tables(batch);
            self.connection.create(&*self.layout, tables.keys().cloned().collect()).await?;
            inserted = self.connection.insert(&*self.layout, tables).await;
        }
        inserted.map_err(sink_error)?;
        Ok(outcomes)
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        self.connection.client.ping().await.map_err(sink_error)
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        let (mut points, mut room) = (Vec::new(), ANSWER_BYTES);
        for select in self.layout.selects(query) {
            let mut rows = match self.connection.client.exec_iter(select.statement, select.values).await {
                Err(error) if is_missing_table(&error) => continue,
                rows => rows.map_err(sink_error)?,
            };
            let mut of_table = Vec::new();
            while let Some(row) = rows.next().await.map_err(sink_error)? {
                let row: (String, Option<String>, i64) = from_row_opt(row).map_err(SinkError::failed)?;
                room = take(room, row.0.len() + row.1.as_ref().map_or(0, String::len))?;
                of_table.push(row);
            }
            points.extend(of_table.into_iter().rev().filter_map(|row| point(query, row)));
        }
        points.sort_by_key(|point| point.timestamp_ms);
        points.drain(..points.len().saturating_sub(query.limit()));
        Ok(points)
    }

    async fn close(self) {
        self.connection.close().await;
    }
}

fn settings(push: &MysqlPush) -> Result<MysqlTarget, RouteError> {
    let address = Address::parse(&push.addr).and_then(Address::checked).map_err(|error| RouteError::of(ADDR, error))?;
    if !matches!(address.scheme.as_deref(), None | Some("mysql")) {
        return Err(RouteError::of(ADDR, address.unknown_scheme("mysql, or none")));
    }
    if !matches!(address.path.as_str(), "" | "/") {
        let path = &address.path;
        return Err(RouteError::new(ADDR, format_args!("{path:?} follows the port"))
            .with_cure("write the name of the database in database"));
    }
    let length = push.database.chars().count();
    if !(1..=MAX_NAME).contains(&length) {
        return Err(RouteError::new(DATABASE, format_args!("has {length} characters"))
            .with_cure(format_args!("name the database, by 1 to {MAX_NAME}")));
    }
    Ok(MysqlTarget {
        host: address.host,
        port: address.port.unwrap_or(DEFAULT_PORT),
        database: push.database.clone(),
        user: push.user_name.clone(),
    })
}

/// The point in a row of a history; none if it is no value of the property's type.
fn point(query: &Query, (property, text, timestamp_ms): (String, Option<String>, i64)) -> Option<Point> {
    let series = query.series_of(&property)?;
    let value = Value::parse(&text?, series.data_type()).ok()?;
    Some(Point::new(property, value, timestamp_ms))
}

#[cfg(test)]
mod tests {
    use crate::{config::SinksConfig, model::DataType};

    use super::*;

    fn push(addr: &str, database: &str) -> MysqlPush {
        MysqlPush { addr: addr.to_owned(), database: database.to_owned(), user_name: "mapper".to_owned() }
    }

    #[test]
    fn an_address_with_and_without_a_scheme_leads_to_the_same_target() {
        let wanted = MysqlTarget { host: "m".into(), port: 3306, database: "plant".into(), user: "mapper".into() };
        for addr in ["m", "m:3306", "mysql://m", "mysql://m:3306/"] {
            assert_eq!(settings(&push(addr, "plant")).unwrap(), wanted, "{addr}");
        }
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused_with_its_field() {
        let long = "d".repeat(65);
        for (addr, database, field) in [
            ("", "plant", ADDR),
            ("http://m", "plant", ADDR),
            ("mysql://m/plant", "plant", ADDR),
            ("m", "", DATABASE),
            ("m", &long, DATABASE),
        ] {
            assert_eq!(settings(&push(addr, database)).unwrap_err().field, field, "{addr} {database}");
        }
    }

    #[test]
    fn a_table_without_a_name_is_refused_where_mysql_is_asked_for() {
        let config = MysqlSinkConfig { table: String::new(), ..MysqlSinkConfig::default() };
        let kind = Mysql::new(&config, &Arc::new(Access::new(&SinksConfig::default())), &Telemetry::default());
        let device = Device::builder("boiler").build();
        let plain = Property::builder("p", DataType::Int);
        assert_eq!(kind.routes(&device, &plain.clone().build()), Ok(vec![]));
        let asks = plain.push_methods(vec![PushMethod::Mysql(push("m", "plant"))]).build();
        let error = kind.routes(&device, &asks).unwrap_err().to_string();
        assert!(error.starts_with("sinks.mysql.table: ") && error.contains("device_data"), "{error}");
    }
}
