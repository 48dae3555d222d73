//! What the tests of the sinks that speak HTTP have in common.

use std::time::{Duration, SystemTime};

use mapper_framework::{
    config::SinksConfig,
    model::{DataType, Device, Property, PushMethod, Value},
    sink::{Credentials, Outcome, Record, Route, SinkError, SinkKind},
    testing::sinks::{self, BuiltinKind, BuiltinSink},
};

/// What a test writes with: a built-in kind, and where a manifest wants it to write to.
pub(crate) struct Bench {
    pub(crate) kind: BuiltinKind,
    push: PushMethod,
}

impl Bench {
    pub(crate) fn new(push: PushMethod, config: &SinksConfig) -> Self {
        let name = push.kind().expect("the method is one of a sink");
        Self { kind: sinks::builtin(name, config).expect("the sink is built in"), push }
    }

    fn route(&self, property: &Property) -> Route {
        let routes = self.kind.routes(&Device::builder("boiler").build(), property).expect("the route is one");
        routes.into_iter().next().expect("there is a route")
    }

    fn property(&self, name: &str, data_type: DataType) -> Property {
        Property::builder(name, data_type).push_methods(vec![self.push.clone()]).build()
    }

    /// A record of a property, `milliseconds` after some time of today.
    pub(crate) fn record(&self, property: &str, value: impl Into<Value>, milliseconds: u64) -> Record {
        let value = value.into();
        let data_type = match value {
            Value::Int(_) => DataType::Int,
            Value::Double(_) => DataType::Double,
            _ => DataType::String,
        };
        let property = self.property(property, data_type);
        let series = sinks::series(&Device::builder("boiler").build(), &property, self.route(&property));
        let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
        sinks::record(&series, value, hour_ago + Duration::from_millis(milliseconds))
    }

    /// Records of the property `level`, with the values 0, 1, 2 and so on.
    pub(crate) fn records(&self, count: u64) -> Vec<Record> {
        (0..count).map(|n| self.record("level", i64::try_from(n).expect("few"), n)).collect()
    }

    pub(crate) async fn open(&self) -> BuiltinSink {
        self.open_as(&Credentials::none()).await
    }

    pub(crate) async fn open_as(&self, credentials: &Credentials) -> BuiltinSink {
        self.try_open(credentials).await.expect("the sink opens")
    }

    pub(crate) async fn try_open(&self, credentials: &Credentials) -> Result<BuiltinSink, SinkError> {
        let route = self.route(&self.property("level", DataType::Int));
        self.kind.open(route.target(), credentials).await
    }
}

/// The reasons of a batch of which all were rejected.
pub(crate) fn reasons(outcomes: &[Outcome]) -> Vec<&str> {
    let reasons = outcomes.iter().map(|outcome| match outcome {
        Outcome::Rejected(reason) => reason.as_str(),
        other => panic!("not rejected: {other:?}"),
    });
    reasons.collect()
}
