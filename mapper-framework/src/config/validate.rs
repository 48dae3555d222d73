//! What values cannot work.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Config, HttpConfig, HttpTlsConfig, InvalidValue, ReportVia,
    sink_targets::{RTSP_KIND, wrong_pattern, wrong_target},
};
use crate::model::{Address, Broker};

/// `sun_path` holds 108 bytes on Linux, the last of which is zero.
pub(crate) const MAX_SOCKET_PATH: usize = 107;

/// The fewest calls a second that can be set. With less, even a single device's twins would be minutes old: that is a mistyped value.
pub(crate) const SLOWEST_RATE: f64 = 0.01;

/// The fewest bytes that a spool works with: some segments of some batches each.
pub(crate) const SMALLEST_SPOOL: u64 = 1_000_000;

/// The fewest bytes of memory that sinks work with.
pub(crate) const SMALLEST_MEMORY: u64 = 1_000_000;

/// The fewest bytes of a file of the audit: its longest line fits.
pub(crate) const SMALLEST_AUDIT: u64 = 65_536;

/// The first key whose value cannot work, and why.
pub(super) fn first_problem(config: &Config) -> Option<(&'static str, InvalidValue)> {
    let Config { grpc_server, common, driver, report, sinks, spool, writes, http, .. } = config;
    let checks = [
        ("common.protocol", protocol(&common.protocol)),
        ("grpc_server.socket_path", absolute(&grpc_server.socket_path)),
        ("grpc_server.socket_path", short_enough(&grpc_server.socket_path)),
        ("common.edgecore_sock", short_enough(&common.edgecore_sock)),
        ("driver.call_timeout", longer_than_zero(driver.call_timeout)),
        ("driver.backoff_max", longer_than_zero(driver.backoff_max)),
        ("driver.max_frame_bytes", at_least_one(driver.max_frame_bytes)),
        ("report.calls_per_second", fast_enough(report.calls_per_second)),
        ("report.burst", at_least_one(report.burst)),
        ("report.eventbus.address", broker(&report.eventbus.address)),
        ("report.eventbus.twins_per_second", fast_enough(report.eventbus.twins_per_second)),
        ("report.via", compiled(report.via)),
        ("report.deadband", zero_or_above(report.deadband)),
        ("report.deadband_percent", zero_or_above(report.deadband_percent)),
        ("grpc_server.socket_path", api_socket_fits(http, &grpc_server.socket_path)),
        ("common.address", listenable(http, &common.address)),
        ("http.go_writes", guarded(http)),
        ("http.tls.cert_file", both_or_none(&http.tls.cert_file, &http.tls.key_file)),
        ("http.tls.client_ca_file", with_certificate(&http.tls)),
        ("http.tls.cert_file", speaks_tls(&http.tls)),
        ("sinks.batch_records", at_least_one(sinks.batch_records)),
        ("sinks.queue_records", at_least_one(sinks.queue_records)),
        ("sinks.memory_bytes", holds_queues(sinks.memory_bytes)),
        ("sinks.write_timeout", longer_than_zero(sinks.write_timeout)),
        ("sinks.backoff_max", longer_than_zero(sinks.backoff_max)),
        ("sinks.proxy", proxy(&sinks.proxy)),
        ("sinks.targets", targets(config)),
        ("sinks.http.allowed", hosts(&sinks.http.allowed)),
        ("sinks.influxdb2.allowed", hosts(&sinks.influxdb2.allowed)),
        ("sinks.mqtt.allowed", hosts(&sinks.mqtt.allowed)),
        ("sinks.mqtt.will.topic", topic(&sinks.mqtt.will.topic)),
        ("sinks.mysql.allowed", hosts(&sinks.mysql.allowed)),
        ("sinks.otel.allowed", hosts(&sinks.otel.allowed)),
        ("sinks.redis.allowed", hosts(&sinks.redis.allowed)),
        ("sinks.tdengine.allowed", hosts(&sinks.tdengine.allowed)),
        ("sinks.tdengine.keep", whole_days(sinks.tdengine.keep)),
        ("sinks.redis.wait_timeout", longer_than_zero(sinks.redis.wait_timeout)),
        ("sinks.redis.wait_timeout", shorter_than_a_call(sinks.redis.wait_timeout, sinks.write_timeout)),
        ("sinks.push_deadband", zero_or_above(sinks.push_deadband)),
        ("sinks.push_deadband_percent", zero_or_above(sinks.push_deadband_percent)),
        ("sinks.push_error_bound", zero_or_above(sinks.push_error_bound)),
        ("spool.max_bytes", large_enough(spool.max_bytes)),
        ("spool.total_bytes", large_enough(spool.total_bytes)),
        ("writes.audit.max_bytes", holds_a_line(writes.audit.max_bytes)),
        ("writes.audit.files", at_least_one(writes.audit.files)),
    ];
    checks.into_iter().find_map(|(key, problem)| Some((key, problem?)))
}

/// The socket of the command line, beside that of edgecore's calls: `mapper.api.sock` beside `mapper.sock`.
pub(crate) fn api_socket(socket: &Path) -> PathBuf {
    let name = socket.file_name().unwrap_or_default().to_string_lossy();
    socket.with_file_name(format!("{}.api.sock", name.strip_suffix(".sock").unwrap_or(&name)))
}

fn api_socket_fits(http: &HttpConfig, socket: &Path) -> Option<InvalidValue> {
    http.enabled.then(|| short_enough(&api_socket(socket))).flatten()
}

/// The address of the HTTP server.
fn listenable(http: &HttpConfig, address: &str) -> Option<InvalidValue> {
    let is_listenable = address == "localhost" || address.parse::<IpAddr>().is_ok();
    (http.enabled && !is_listenable).then(|| InvalidValue::NoIpAddress { found: address.to_owned() })
}

/// A URL that writes is asked for by browsers and crawlers as well: it is not to be had without saying who may.
fn guarded(http: &HttpConfig) -> Option<InvalidValue> {
    let is_guarded = !http.token.as_os_str().is_empty() || http.tls.knows_clients();
    (http.go_writes && !is_guarded).then_some(InvalidValue::Unguarded)
}

fn both_or_none(cert: &Path, key: &Path) -> Option<InvalidValue> {
    (cert.as_os_str().is_empty() != key.as_os_str().is_empty()).then_some(InvalidValue::HalfACertificate)
}

fn with_certificate(tls: &HttpTlsConfig) -> Option<InvalidValue> {
    (!tls.client_ca_file.as_os_str().is_empty() && !tls.is_on()).then_some(InvalidValue::NoCertificate)
}

fn speaks_tls(tls: &HttpTlsConfig) -> Option<InvalidValue> {
    (tls.is_on() && cfg!(all(feature = "http", not(feature = "_tls")))).then_some(InvalidValue::NoTls)
}

/// The address of a proxy, where there is one.
fn proxy(text: &str) -> Option<InvalidValue> {
    const CURE: &str = "write http://host:port, and the login into sinks.proxy_credentials";
    if text.is_empty() {
        return None;
    }
    let reason = match Address::parse(text).and_then(Address::checked) {
        Err(error) => format!("{}: {CURE}", error.message),
        Ok(address) if !matches!(address.scheme.as_deref(), Some("http" | "https")) => {
            format!("is no address of a proxy for HTTP: {CURE}")
        }
        Ok(address) if !matches!(&*address.path, "" | "/") => format!("has a path: {CURE}"),
        Ok(_) => return None,
    };
    Some(InvalidValue::NoProxy { reason })
}

fn hosts(patterns: &[String]) -> Option<InvalidValue> {
    wrong_pattern(patterns).map(|reason| InvalidValue::NoHosts { reason })
}

fn targets(config: &Config) -> Option<InvalidValue> {
    let built_in = config.sinks.access_by_kind().map(|it| it.kind.to_owned());
    let own = config.own.sink_kinds().chain([RTSP_KIND.to_owned()]);
    let kinds: Vec<_> = built_in.into_iter().chain(own).collect();
    wrong_target(&config.sinks.targets, &kinds).map(|reason| InvalidValue::NoHosts { reason })
}

/// The address of a broker, where there is one.
fn broker(text: &str) -> Option<InvalidValue> {
    let error = (!text.is_empty()).then(|| Broker::parse(text).err());
    error.flatten().map(|error| InvalidValue::NoBroker { reason: error.to_string() })
}

/// What is published to, where there is such a topic.
fn topic(text: &str) -> Option<InvalidValue> {
    let is_wild = |letter: char| matches!(letter, '+' | '#') || letter.is_control();
    let fits = text.len() <= usize::from(u16::MAX) && !text.contains(is_wild);
    (!fits).then(|| InvalidValue::NoTopic { found: text.to_owned() })
}

fn compiled(via: ReportVia) -> Option<InvalidValue> {
    (via != ReportVia::Dmi && cfg!(not(feature = "eventbus"))).then_some(InvalidValue::NoEventbus)
}

fn protocol(name: &str) -> Option<InvalidValue> {
    name.is_empty().then_some(InvalidValue::EmptyProtocol)
}

fn absolute(path: &Path) -> Option<InvalidValue> {
    (!path.is_absolute()).then(|| InvalidValue::SocketPathNotAbsolute { path: path.display().to_string() })
}

fn short_enough(path: &Path) -> Option<InvalidValue> {
    let length = path.as_os_str().len();
    let too_long = || InvalidValue::SocketPathTooLong { path: path.display().to_string(), length };
    (length > MAX_SOCKET_PATH).then(too_long)
}

fn longer_than_zero(duration: Duration) -> Option<InvalidValue> {
    duration.is_zero().then(|| InvalidValue::NotPositive { found: format!("{duration:?}") })
}

/// TDengine keeps whole days, and at least three of its files, each of which holds a day or more.
fn whole_days(keep: Duration) -> Option<InvalidValue> {
    const DAY: u64 = 24 * 60 * 60;
    let is_whole = keep.subsec_nanos() == 0 && keep.as_secs().is_multiple_of(DAY);
    let fits = keep.is_zero() || (is_whole && keep.as_secs() >= 3 * DAY);
    (!fits).then(|| InvalidValue::NotDays { found: format!("{keep:?}") })
}

/// What a sink waits for within one of its calls.
fn shorter_than_a_call(duration: Duration, call: Duration) -> Option<InvalidValue> {
    let too_long = || InvalidValue::LongerThanACall { found: format!("{duration:?}"), call: format!("{call:?}") };
    (!call.is_zero() && duration >= call).then(too_long)
}

fn fast_enough(rate: f64) -> Option<InvalidValue> {
    let found = rate.to_string();
    if !(rate.is_finite() && rate > 0.0) {
        return Some(InvalidValue::NotPositive { found });
    }
    (rate < SLOWEST_RATE).then_some(InvalidValue::TooSlow { found })
}

fn zero_or_above(number: f64) -> Option<InvalidValue> {
    (!(number.is_finite() && number >= 0.0)).then(|| InvalidValue::Negative { found: number.to_string() })
}

fn at_least_one(number: u32) -> Option<InvalidValue> {
    (number == 0).then(|| InvalidValue::NotPositive { found: number.to_string() })
}

fn holds_a_line(bytes: u64) -> Option<InvalidValue> {
    (bytes < SMALLEST_AUDIT).then(|| InvalidValue::AuditTooSmall { found: bytes.to_string() })
}

fn holds_queues(bytes: u64) -> Option<InvalidValue> {
    (bytes < SMALLEST_MEMORY).then(|| InvalidValue::MemoryTooSmall { found: bytes.to_string() })
}

fn large_enough(bytes: u64) -> Option<InvalidValue> {
    (bytes < SMALLEST_SPOOL).then(|| InvalidValue::SpoolTooSmall { found: bytes.to_string() })
}
