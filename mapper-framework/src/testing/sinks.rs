//! What the tests of a sink need beside the [suite](super::sink_contract): records of one's own choice, and the built-in kinds.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use mapper_framework::{
//!     DataType, Device, Property,
//!     sink::{Route, Target},
//!     testing::sinks,
//! };
//!
//! let pressure = Property::builder("pressure", DataType::Double).unit("bar").build();
//! let boiler = Device::builder("boiler").property(pressure.clone()).build();
//! let series = sinks::series(&boiler, &pressure, Route::to(Target::new("lines", &"/tmp/lines")));
//! let record = sinks::record(&series, 2.5, SystemTime::now());
//! assert_eq!(record.property(), "pressure");
//! ```

use std::{fmt, sync::Arc, time::SystemTime};

use crate::{
    config::SinksConfig,
    model::{Device, Property, Value},
    sink::{
        Credentials, Endpoint, ErasedKind, ErasedSink, Outcome, Point, Query, Record, Route, RouteError, Series, Sink,
        SinkError, SinkKind, Target, all_kinds,
    },
    telemetry::Telemetry,
};

/// What all records of a device's property on a route have in common, as the framework makes it.
pub fn series(device: &Device, property: &Property, route: Route) -> Arc<Series> {
    Arc::new(Series::new(device, property, route))
}

/// A record of a series, of good quality. The timestamp is kept in milliseconds. The value should be of the series' type, as the
/// framework sees to it.
pub fn record(series: &Arc<Series>, value: impl Into<Value>, timestamp: SystemTime) -> Record {
    Record::new(Arc::clone(series), value.into(), timestamp)
}

/// A question for the history of some series, which all have the same device and target: at most the newest `limit` points between
/// the two times, both included.
pub fn query(series: Vec<Arc<Series>>, from: SystemTime, to: SystemTime, limit: usize) -> Query {
    Query::new(series, from, to, limit)
}

/// The built-in kind of this name, such as `redis`, with the settings of a config; `None` if there is none of the name.
pub fn builtin(name: &str, config: &SinksConfig) -> Option<BuiltinKind> {
    all_kinds(config, &Telemetry::default()).into_iter().find(|kind| kind.name() == name).map(BuiltinKind)
}

/// A built-in kind, from [`builtin`].
#[derive(Clone)]
pub struct BuiltinKind(Arc<dyn ErasedKind>);

/// A connection that a [`BuiltinKind`] has opened.
pub struct BuiltinSink(Box<dyn ErasedSink>);

impl SinkKind for BuiltinKind {
    type Sink = BuiltinSink;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        self.0.routes(device, property)
    }

    fn visitor_keys(&self) -> &[&str] {
        self.0.visitor_keys()
    }

    fn keeps_history(&self) -> bool {
        self.0.keeps_history()
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        self.0.endpoint(target)
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<BuiltinSink, SinkError> {
        self.0.open(target, credentials).await.map(BuiltinSink)
    }
}

impl Sink for BuiltinSink {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        self.0.write(batch).await
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        self.0.health().await
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        self.0.query(query).await
    }

    async fn close(self) {
        self.0.close().await;
    }
}

impl fmt::Debug for BuiltinKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BuiltinKind").field(&self.0.name()).finish()
    }
}

impl fmt::Debug for BuiltinSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltinSink").finish_non_exhaustive()
    }
}
