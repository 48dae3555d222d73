//! What every sink has to pass, against the real thing that it writes to.
//!
//! A [`SinkFixture`] says how the suite reaches the target and how it looks at what has arrived there; [`check`] does the rest. The
//! built-in sinks pass it against real servers, and a sink of your own should.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    model::{ConfigData, DataType, Device, DeviceId, ModelId, Property, PushMethod, Value},
    sink::{Credentials, Outcome, Record, Series, Sink, SinkError, SinkKind},
};

use super::sinks;

/// A target for the suite: how to reach it, and how to look at what has arrived.
pub trait SinkFixture {
    /// The type of the kind under test.
    type Kind: SinkKind;

    /// The kind under test.
    fn kind(&self) -> Self::Kind;

    /// What a manifest says to reach the target; nothing for a kind that looks at no push method.
    fn push_methods(&self) -> Vec<PushMethod> {
        Vec::new()
    }

    /// What a manifest says in `visitors.configData` to reach the target; nothing for a kind that does not look there.
    fn visitor(&self) -> ConfigData {
        ConfigData::new()
    }

    /// What the target wants to know; nothing by default.
    fn credentials(&self) -> Credentials {
        Credentials::none()
    }

    /// Whether the target has a place for values of this type; by default it has for all.
    fn takes(&self, _data_type: DataType) -> bool {
        true
    }

    /// How the target shows a value, by default as [`Value`]'s `Display` does. One that stores numbers only, say, shows `true` as `1`.
    /// `None` for a value that it takes and keeps nothing of that could be compared.
    fn shown(&self, value: &Value) -> Option<String> {
        Some(value.to_string())
    }

    /// A value that the target refuses for good, if there is one.
    fn poison(&self) -> Option<(DataType, Value)> {
        None
    }

    /// What has arrived of one property, in the order in which it lies there. Called after the sink has accepted the records; a
    /// target that shows them later waits for `at_least` of them.
    fn arrived(&mut self, device: &DeviceId, property: &str, at_least: usize) -> impl Future<Output = Vec<Arrival>>;
}

/// A value at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it was read, in milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
    /// The value as text: what [`SinkFixture::shown`] gives of the value that was written.
    pub value: String,
}

/// Runs the whole suite, which writes to devices of its own in the namespace `contract`.
///
/// # Panics
///
/// The future panics at the first thing that the sink does otherwise.
pub async fn check(fixture: &mut impl SinkFixture) {
    a_sound_target_is_healthy(fixture).await;
    a_batch_arrives_whole_and_in_order(fixture).await;
    a_value_of_each_type_arrives_as_it_was(fixture).await;
    names_that_need_care_arrive_and_damage_nothing(fixture).await;
    a_repeated_batch_is_taken(fixture).await;
    another_connection_goes_on_where_the_first_ended(fixture).await;
    poison_costs_one_record(fixture).await;
    history_is_given_as_it_was_asked_for(fixture).await;
}

/// When the suite's records begin: recently, so that no target is tempted to let them expire.
fn start() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    i64::try_from(now).unwrap_or_default() / 1000 * 1000 - 3_600_000
}

/// The series of one property of a device of the suite's.
fn series(fixture: &impl SinkFixture, device: &str, property: &str, data_type: DataType) -> Arc<Series> {
    let property = Property::builder(property, data_type)
        .unit("bar")
        .push_methods(fixture.push_methods())
        .visitor(fixture.visitor());
    let mut device = Device::builder(device).property(property.clone()).build();
    // A model says of which type a property is, and the suite's devices do not agree on that.
    device.model = ModelId::new("contract", device.id.name());
    device.id = DeviceId::new("contract", device.id.name());
    let routes =
        fixture.kind().routes(&device, &property).unwrap_or_else(|error| panic!("the route is refused: {error}"));
    let route = routes.into_iter().next().expect("the kind has a route for its own push method");
    sinks::series(&device, &property, route)
}

fn record(series: &Arc<Series>, value: impl Into<Value>, timestamp_ms: i64) -> Record {
    let since = Duration::from_millis(timestamp_ms.unsigned_abs());
    sinks::record(series, value, UNIX_EPOCH + since)
}

async fn open<F: SinkFixture>(fixture: &F, series: &Series) -> <F::Kind as SinkKind>::Sink {
    let opened = fixture.kind().open(series.target(), &fixture.credentials()).await;
    opened.unwrap_or_else(|error| panic!("the sink does not open: {error}"))
}

/// Why a record is to be tried again, if it is.
fn to_retry(outcome: &Outcome) -> Option<&str> {
    if let Outcome::Retry(reason) = outcome { Some(reason) } else { None }
}

/// Writes as the framework does: what comes back is written again, and a batch that is refused is split.
async fn deliver(sink: &mut impl Sink, batch: &[Record]) -> Vec<Outcome> {
    const ATTEMPTS: usize = 20;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match sink.write(batch).await {
            Ok(outcomes) => {
                let Some(reason) = outcomes.iter().find_map(to_retry) else {
                    assert_eq!(outcomes.len(), batch.len(), "an outcome for each record");
                    return outcomes;
                };
                last = Some(reason.to_owned());
            }
            Err(error) if error.is_refused() && batch.len() == 1 => return vec![Outcome::refused(error)],
            Err(error) if error.is_retryable() && !error.is_refused() => last = Some(error.to_string()),
            Err(error) if batch.len() == 1 => return vec![Outcome::rejected(error)],
            Err(_) => {
                let (one, two) = batch.split_at(batch.len() / 2);
                let mut outcomes = Box::pin(deliver(sink, one)).await;
                outcomes.extend(Box::pin(deliver(sink, two)).await);
                return outcomes;
            }
        }
    }
    panic!("{} records were not written in {ATTEMPTS} attempts: {last:?}", batch.len());
}

async fn deliver_all(sink: &mut impl Sink, batch: &[Record]) {
    let outcomes = deliver(sink, batch).await;
    let refused = outcomes.iter().zip(batch).find(|(outcome, _)| **outcome != Outcome::Accepted);
    assert!(refused.is_none(), "not accepted: {refused:?}");
}

fn expected<'a>(fixture: &impl SinkFixture, records: impl IntoIterator<Item = &'a Record>) -> Vec<Arrival> {
    let arrival =
        |record: &Record| Some(Arrival { timestamp_ms: record.timestamp_ms(), value: fixture.shown(record.value())? });
    records.into_iter().filter_map(arrival).collect()
}

async fn a_sound_target_is_healthy(fixture: &mut impl SinkFixture) {
    let series = series(fixture, "healthy", "pressure", DataType::Double);
    let mut sink = open(fixture, &series).await;
    if let Err(error) = sink.health().await {
        assert!(error.is_unsupported(), "a sound target is not healthy: {error}");
    }
    sink.close().await;
}

async fn a_batch_arrives_whole_and_in_order(fixture: &mut impl SinkFixture) {
    let names = ["pressure", "level", "flow"];
    let all = names.map(|name| series(fixture, "ordered", name, DataType::Int));
    let begin = start();
    let batch: Vec<_> = (0..300_i64).map(|n| record(&all[n as usize % 3], n, begin + n * 10)).collect();
    let mut sink = open(fixture, &all[0]).await;
    for part in batch.chunks(150) {
        deliver_all(&mut sink, part).await;
    }
    sink.close().await;
    for series in &all {
        let sent = expected(fixture, batch.iter().filter(|record| record.series() == series));
        let arrived = fixture.arrived(series.device(), series.property(), sent.len()).await;
        assert_eq!(arrived, sent, "what has arrived of {}, and what was sent", series.property());
    }
}

async fn a_value_of_each_type_arrives_as_it_was(fixture: &mut impl SinkFixture) {
    let values: [(DataType, Value); 9] = [
        (DataType::Int, Value::Int(-7)),
        (DataType::Int, Value::Int(9_007_199_254_740_993)),
        (DataType::Float, Value::Float(0.1)),
        (DataType::Double, Value::Double(-1.5e-7)),
        (DataType::Boolean, Value::Boolean(true)),
        (DataType::String, Value::from("it's \"quoted\", a back\\slash, a % and 21 °C\nin two lines")),
        (DataType::String, Value::from("")),
        (DataType::Bytes, Value::from(vec![0, 1, 254, 255])),
        (DataType::Stream, Value::from("frame-000017.jpg")),
    ];
    for (number, (data_type, value)) in values.into_iter().enumerate() {
        let series = series(fixture, "typed", &format!("p{number}"), data_type);
        let sent = record(&series, value, start());
        let mut sink = open(fixture, &series).await;
        let outcomes = deliver(&mut sink, std::slice::from_ref(&sent)).await;
        sink.close().await;
        if fixture.takes(data_type) {
            assert_eq!(outcomes, [Outcome::Accepted], "a value of type {data_type}: {sent:?}");
            let wanted = expected(fixture, [&sent]);
            if !wanted.is_empty() {
                assert_eq!(fixture.arrived(series.device(), series.property(), 1).await, wanted, "{data_type}");
            }
        } else {
            let reason = match &outcomes[..] {
                [Outcome::Rejected(reason)] => reason,
                other => panic!("a value of type {data_type} has no place at the target, and yet: {other:?}"),
            };
            assert!(!reason.is_empty(), "a rejection says why");
        }
    }
}

async fn names_that_need_care_arrive_and_damage_nothing(fixture: &mut impl SinkFixture) {
    let plain = series(fixture, "named.with-dots", "plain", DataType::Int);
    let names =
        ["it's", "a \"b\"", "x`y", "50%", "a,b=c d", "drop; --", "back\\slash", "größe", "UPPER", "upper", "a/b"];
    let mut sink = open(fixture, &plain).await;
    let mut sent = Vec::new();
    for (number, name) in (1..).zip(names) {
        let series = series(fixture, "named.with-dots", name, DataType::Int);
        sent.push(record(&plain, number, start() + number));
        sent.push(record(&series, number, start() + number));
    }
    deliver_all(&mut sink, &sent).await;
    sink.close().await;
    let device = plain.device();
    for name in names.into_iter().chain(["plain"]) {
        let wanted = expected(fixture, sent.iter().filter(|record| record.property() == name));
        assert_eq!(fixture.arrived(device, name, wanted.len()).await, wanted, "the property {name:?}");
    }
}

async fn a_repeated_batch_is_taken(fixture: &mut impl SinkFixture) {
    let series = series(fixture, "repeated", "pressure", DataType::Double);
    let batch: Vec<_> = (0..10).map(|n| record(&series, f64::from(n) + 0.5, start() + i64::from(n))).collect();
    let mut sink = open(fixture, &series).await;
    deliver_all(&mut sink, &batch).await;
    deliver_all(&mut sink, &batch).await;
    sink.close().await;
    let mut arrived = fixture.arrived(series.device(), series.property(), batch.len()).await;
    arrived.sort_by_key(|arrival| arrival.timestamp_ms);
    arrived.dedup();
    assert_eq!(arrived, expected(fixture, &batch), "a repeated batch adds nothing else");
}

async fn another_connection_goes_on_where_the_first_ended(fixture: &mut impl SinkFixture) {
    let series = series(fixture, "reopened", "pressure", DataType::Int);
    let batch: Vec<_> = (0..2_i64).map(|n| record(&series, n, start() + n)).collect();
    for record in &batch {
        let mut sink = open(fixture, &series).await;
        deliver_all(&mut sink, std::slice::from_ref(record)).await;
        sink.close().await;
    }
    let wanted = expected(fixture, &batch);
    assert_eq!(fixture.arrived(series.device(), series.property(), 2).await, wanted);
}

async fn poison_costs_one_record(fixture: &mut impl SinkFixture) {
    let Some((data_type, poison)) = fixture.poison() else { return };
    let (good, bad) =
        (series(fixture, "poisoned", "good", DataType::Int), series(fixture, "poisoned", "bad", data_type));
    let mut batch: Vec<_> = (0..100_i64).map(|n| record(&good, n, start() + n)).collect();
    let sent = expected(fixture, &batch);
    batch.insert(37, record(&bad, poison, start()));
    let mut sink = open(fixture, &good).await;
    let outcomes = deliver(&mut sink, &batch).await;
    sink.close().await;
    for (index, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::Rejected(reason) | Outcome::Refused(reason) => {
                assert!(index == 37 && !reason.is_empty(), "record {index}: {reason:?}");
            }
            other => assert!(index != 37 && *other == Outcome::Accepted, "record {index}: {other:?}"),
        }
    }
    assert_eq!(fixture.arrived(good.device(), good.property(), sent.len()).await, sent);
}

async fn history_is_given_as_it_was_asked_for(fixture: &mut impl SinkFixture) {
    let types = [
        ("temperature", DataType::Double),
        ("count", DataType::Int),
        ("open", DataType::Boolean),
        ("note", DataType::String),
    ];
    let all: Vec<_> = types.map(|(name, data_type)| series(fixture, "recorded", name, data_type)).into();
    let begin = start();
    let value = |n: i64| match n % 4 {
        0 => Value::Double(n as f64 / 8.0),
        1 => Value::Int(n),
        2 => Value::Boolean(n % 8 == 2),
        _ => Value::String(format!("note {n}, it's \"{n}\"")),
    };
    let batch: Vec<_> = (0..40_i64).map(|n| record(&all[n as usize % 4], value(n), begin + n * 100)).collect();
    let mut sink = open(fixture, &all[0]).await;
    let ask = |series: &[Arc<Series>], from: i64, to: i64, limit| {
        let time = |millis: i64| UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs());
        sinks::query(series.to_vec(), time(from), time(to), limit)
    };
    if let Err(error) = sink.query(&ask(&all, begin, begin, 1)).await
        && error.is_unsupported()
    {
        return;
    }
    deliver_all(&mut sink, &batch).await;
    for series in &all {
        fixture.arrived(series.device(), series.property(), 10).await;
    }
    let facts = |records: &[&Record]| -> Vec<(String, Value, i64)> {
        records
            .iter()
            .map(|record| (record.property().to_owned(), record.value().clone(), record.timestamp_ms()))
            .collect()
    };
    let mut answer = async |series: &[Arc<Series>], from, to, limit| -> Result<Vec<(String, Value, i64)>, SinkError> {
        let points = sink.query(&ask(series, from, to, limit)).await?;
        Ok(points.into_iter().map(|point| (point.property, point.value, point.timestamp_ms)).collect())
    };
    let whole: Vec<_> = batch.iter().collect();
    let end = begin + 3_900;
    assert_eq!(answer(&all, begin, end, 100).await.expect("answered"), facts(&whole), "all, oldest first");
    assert_eq!(answer(&all, begin, end, 5).await.expect("answered"), facts(&whole[35..]), "the newest of them");
    assert_eq!(
        answer(&all, begin + 1_000, begin + 2_000, 100).await.expect("answered"),
        facts(&whole[10..=20]),
        "both ends"
    );
    let counts: Vec<_> = batch.iter().filter(|record| record.property() == "count").collect();
    assert_eq!(answer(&all[1..2], begin, end, 100).await.expect("answered"), facts(&counts), "one property");
    assert_eq!(answer(&all, begin - 5_000, begin - 1, 100).await.expect("answered"), [], "nothing before the first");
}
