//! What Prometheus scrapes: `OpenMetrics`, made at each scrape of what the mapper counts anyway.
//!
//! A metric with a label for each device or property is as many metrics: `http.metrics` says how far they go, and [`MOST_DEVICES`] and
//! [`MOST_PROPERTIES`] end them.

use std::{fmt, time::UNIX_EPOCH};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};

use crate::{
    config::MetricsDetail,
    model::{DeviceState, Value},
    runtime::{DeviceSummary, InspectedProperty},
    sink::{SinkState, SinkStatus},
    telemetry::{
        Times,
        stats::{DeviceStats, Stats},
    },
    watch::{EdgeLink, Traces},
};

use super::{
    Site,
    problem::Problem,
    view::{self, age},
};

/// How many devices have metrics of their own.
const MOST_DEVICES: usize = 1000;

/// How many properties have.
const MOST_PROPERTIES: usize = 10_000;

const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics.
pub(super) async fn get(State(site): State<Site>) -> Result<Response, Problem> {
    let scrape = Scrape::take(&site).await?;
    let mut registry = Registry::with_prefix("mapper");
    registry.register_collector(Box::new(scrape));
    let mut metrics = String::new();
    text::encode(&mut metrics, &registry).map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(([(header::CONTENT_TYPE, TYPE)], metrics).into_response())
}

/// What a scrape found.
#[derive(Debug)]
struct Scrape {
    identity: [(&'static str, String); 4],
    started: f64,
    stats: Stats,
    fleet: Vec<DeviceSummary>,
    devices: Vec<(DeviceSummary, DeviceStats)>,
    properties: Vec<(DeviceSummary, InspectedProperty)>,
    /// The ages of the values that edgecore has of twins, in seconds.
    twin_ages: Vec<f64>,
    sinks: Vec<SinkStatus>,
    is_connected: bool,
    edgecore: view::Edgecore,
    times: [(&'static str, &'static str, Times); 4],
}

type Labels = Vec<(&'static str, String)>;

impl Scrape {
    async fn take(site: &Site) -> Result<Self, Problem> {
        let handle = site.handle();
        let fleet = handle.fleet().await.ok_or_else(Problem::stopping)?;
        let detail = site.config().http.metrics;
        let shown = if detail == MetricsDetail::Mapper { 0 } else { MOST_DEVICES };
        let with_stats = |summary: &DeviceSummary| Some((summary.clone(), handle.device_stats(&summary.id)?));
        let mut properties = Vec::new();
        if detail == MetricsDetail::Property {
            for summary in &fleet {
                let inspection = handle.inspect(&summary.id).await;
                properties.extend(inspection.into_iter().flat_map(|it| it.properties).map(|it| (summary.clone(), it)));
                if properties.len() >= MOST_PROPERTIES {
                    properties.truncate(MOST_PROPERTIES);
                    break;
                }
            }
        }
        let ages = |traces: Traces| traces.into_values().filter_map(|trace| Some(age(trace.stored?.1)));
        let (config, package) = (site.config(), site.package());
        let [reads, writes, lag, staleness] = handle.times();
        Ok(Self {
            identity: [
                ("name", config.common.name.clone()),
                ("version", package.version().to_owned()),
                ("framework_version", env!("CARGO_PKG_VERSION").to_owned()),
                ("protocol", config.common.protocol.clone()),
            ],
            started: site.started().0.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            stats: handle.stats(),
            devices: fleet.iter().take(shown).filter_map(with_stats).collect(),
            properties,
            twin_ages: fleet.iter().flat_map(|summary| ages(handle.twins(&summary.id))).collect(),
            fleet,
            sinks: handle.sinks(),
            is_connected: matches!(handle.edge().0, EdgeLink::Connected),
            edgecore: super::api::edgecore::look(site).await?,
            times: [
                ("read_seconds", "How long rounds of reads take, each of them one call of the driver", reads),
                ("write_seconds", "How long writes and calls of methods take", writes),
                ("schedule_lag_seconds", "By how much rounds of reads begin after they were due", lag),
                ("twin_staleness_seconds", "How old the values of twins are when edgecore accepts them", staleness),
            ],
        })
    }

    fn mapper(&self, to: &mut Writer<'_>) -> fmt::Result {
        to.gauges("info", "What the mapper is", [(self.identity.to_vec(), 1.0)])?;
        to.gauge("start_time_seconds", "When the mapper started, in seconds since 1970", self.started)?;
        for (name, help, count) in self.stats.described() {
            to.counter(&name.replace('.', "_"), help, count)?;
        }
        for (name, help, times) in &self.times {
            to.histogram(name, help, times)?;
        }
        Ok(())
    }

    fn devices(&self, to: &mut Writer<'_>) -> fmt::Result {
        use DeviceState::{Disconnected, Offline, Ok, Online, Unhealthy, Unknown};
        let states = [Ok, Online, Offline, Disconnected, Unhealthy, Unknown].map(|state| {
            let count = self.fleet.iter().filter(|it| it.state == state).count();
            (vec![("state", state.as_str().to_owned())], count as f64)
        });
        to.gauges("devices", "How many devices are in which state", states)?;
        let left_out = self.fleet.len().saturating_sub(self.devices.len());
        to.gauge(
            "devices_left_out",
            "How many devices have no metrics of their own, see http.metrics",
            left_out as f64,
        )?;
        let each = |value: fn(&DeviceSummary, &DeviceStats) -> f64| {
            self.devices.iter().map(move |(summary, stats)| (of_device(summary), value(summary, stats)))
        };
        let is_up = |it: &DeviceSummary, _: &DeviceStats| f64::from(matches!(it.state, Ok | Online));
        to.gauges("device_up", "Whether the device is ok or online", each(is_up))?;
        to.gauges("device_failing_properties", "How many properties cannot be read", each(|it, _| it.failing as f64))?;
        to.gauges(
            "device_last_sample_age_seconds",
            "How old the last value of the device is",
            self.devices.iter().filter_map(|(it, _)| Some((of_device(it), age(it.last_sample?)))),
        )?;
        to.counters("device_samples", "Values of the device", each(|_, stats| stats.reads().samples() as f64))?;
        to.counters(
            "device_reads_failed",
            "Reads of the device that failed",
            each(|_, stats| stats.reads().failed() as f64),
        )?;
        to.counters("device_connects", "Sessions that were opened", each(|_, stats| stats.sessions().opened() as f64))?;
        to.counters("device_writes_failed", "Writes that failed", each(|_, stats| stats.writes().failed() as f64))
    }

    fn properties(&self, to: &mut Writer<'_>) -> fmt::Result {
        let labels = |summary: &DeviceSummary, it: &InspectedProperty| {
            let mut labels = of_device(summary);
            labels.push(("property", it.property.name().to_owned()));
            labels
        };
        let values = self.properties.iter().filter_map(|(summary, it)| {
            let value = &it.sample.as_ref()?.value;
            Some((labels(summary, it), value.decimal().or(boolean(value))?))
        });
        to.gauges("property_value", "The last value, where it is a number or a boolean", values)?;
        let ages = self
            .properties
            .iter()
            .filter_map(|(summary, it)| Some((labels(summary, it), age(it.sample.as_ref()?.timestamp))));
        to.gauges("property_age_seconds", "How old the last value is", ages)
    }

    fn edgecore(&self, to: &mut Writer<'_>) -> fmt::Result {
        let it = &self.edgecore;
        to.gauge("edgecore_connected", "Whether edgecore has registered the mapper", f64::from(self.is_connected))?;
        to.gauge("report_queue_devices", "How many devices have something to report", it.queued_devices as f64)?;
        let waits = it.oldest_waiting_seconds.unwrap_or_default();
        to.gauge("report_oldest_waiting_seconds", "For how long the device waits that waits for the longest", waits)?;
        to.gauge("report_budget_calls", "The calls that may be made to edgecore now", it.budget.available_calls)?;
        to.gauge(
            "report_rate_calls_per_second",
            "The calls a second that edgecore takes at present",
            it.budget.rate_per_second,
        )?;
        let needed = it.exceeded.as_ref().map_or(0.0, |exceeded| exceeded.needed_per_second);
        to.gauge(
            "report_exceeded_calls_per_second",
            "The calls a second that the cycles need, where these are more than edgecore takes; else 0",
            needed,
        )?;
        to.gauge("twins", "How many twins edgecore has", self.twin_ages.len() as f64)?;
        let oldest = self.twin_ages.iter().copied().fold(0.0, f64::max);
        to.gauge("twins_oldest_seconds", "How long ago edgecore accepted the twin that it accepted first", oldest)
    }

    fn sinks(&self, to: &mut Writer<'_>) -> fmt::Result {
        let labels =
            |sink: &SinkStatus| vec![("kind", sink.target().kind().to_owned()), ("target", sink.target().to_string())];
        let each = |value: fn(&SinkStatus) -> f64| self.sinks.iter().map(move |sink| (labels(sink), value(sink)));
        to.gauges(
            "sink_up",
            "Whether the last attempt to write has succeeded",
            each(|sink| f64::from(sink.state() == SinkState::Up)),
        )?;
        let outcomes = self.sinks.iter().flat_map(|sink| {
            let ledger = sink.ledger();
            let counts = [
                ("produced", ledger.produced()),
                ("delivered", ledger.delivered()),
                ("rejected", ledger.rejected()),
                ("dropped", ledger.dropped()),
                ("repeated", ledger.repeated()),
            ];
            counts.map(|(outcome, count)| {
                let mut labels = labels(sink);
                labels.push(("outcome", outcome.to_owned()));
                (labels, count as f64)
            })
        });
        to.counters("sink_records", "What has become of the records of a target", outcomes)?;
        to.gauges(
            "sink_records_in_flight",
            "Records in the queue, in the spool, or being written",
            each(|sink| sink.ledger().in_flight() as f64),
        )?;
        to.gauges("sink_spool_records", "Records on disk", each(|sink| sink.spooled_records() as f64))?;
        to.gauges("sink_spool_bytes", "The bytes of the records on disk", each(|sink| sink.spooled_bytes() as f64))
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Writer(encoder);
        self.mapper(&mut to)?;
        self.devices(&mut to)?;
        self.properties(&mut to)?;
        self.edgecore(&mut to)?;
        self.sinks(&mut to)
    }
}

fn of_device(summary: &DeviceSummary) -> Labels {
    vec![("device_namespace", summary.id.namespace().to_owned()), ("device", summary.id.name().to_owned())]
}

fn boolean(value: &Value) -> Option<f64> {
    match value {
        Value::Boolean(it) => Some(f64::from(*it)),
        _ => None,
    }
}

/// Writes metrics of one kind each.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn describe(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(self.0.encode_descriptor(name, help, None, kind)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.describe(name, help, MetricType::Gauge, |mut metric| metric.encode_gauge(&value))
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        self.describe(name, help, MetricType::Counter, |mut metric| {
            metric.encode_counter::<NoLabelSet, _, u64>(&count, None)
        })
    }

    fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        self.describe(name, help, MetricType::Gauge, |mut metric| {
            values.into_iter().try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
        })
    }

    fn counters(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        self.describe(name, help, MetricType::Counter, |mut metric| {
            values.into_iter().try_for_each(|(labels, value)| {
                metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
            })
        })
    }

    fn histogram(&mut self, name: &str, help: &str, times: &Times) -> fmt::Result {
        self.describe(name, help, MetricType::Histogram, |mut metric| {
            metric.encode_histogram::<NoLabelSet>(times.sum, times.count, &times.buckets, None)
        })
    }
}
