//! Sets up the log: lines on standard error, or wherever the program wants them. Standard output belongs to the standalone console.

use std::ffi::OsStr;

use tracing::{Subscriber, debug, warn};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::ParseError,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Crates that speak over the network. Their details matter to nobody who runs a mapper, and hold what goes over the wire: values, and
/// credentials.
const WIRE: [&str; 20] = [
    "h2",
    "hyper",
    "hyper_util",
    "mysql_async",
    "opcua_client",
    "opcua_core",
    "opcua_crypto",
    "opcua_types",
    "redis",
    "reqwest",
    "rumqttc",
    "rustls",
    "taos",
    "taos_optin",
    "taos_query",
    "taos_ws",
    "tokio_tungstenite",
    "tonic",
    "tower",
    "tungstenite",
];

/// Those of them that log as an error what they also return, which the driver reports, and what is none.
const REPEATING: [&str; 3] = ["opcua_client", "opcua_core", "opcua_crypto"];

/// Makes this the process' log, written to `writer`. A subscriber that is already set stays.
///
/// `rust_log` is the environment variable `RUST_LOG`: if it says something, it wins over the config's level. `ansi` says whether
/// text has colours, see [`wants_ansi`].
pub(crate) fn init<W>(config: &LogConfig, rust_log: Option<&str>, ansi: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, problem) = filter(config.level, rust_log);
    if subscriber(filter, config.format, ansi, writer).try_init().is_err() {
        debug!("a tracing subscriber is already set: log.level and log.format have no effect");
    }
    if let Some(error) = problem {
        warn!(%error, "RUST_LOG is not understood and ignored");
    }
}

/// Whether text has colours: on a terminal, unless the environment variable `NO_COLOR` says something.
pub(crate) fn wants_ansi(no_color: Option<&OsStr>, is_terminal: bool) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// What is logged, and what is wrong with `RUST_LOG`.
fn filter(level: LogLevel, rust_log: Option<&str>) -> (EnvFilter, Option<ParseError>) {
    match rust_log.filter(|rust_log| !rust_log.trim().is_empty()).map(|rust_log| EnvFilter::try_new(capped(rust_log))) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(directives(level)), Some(error)),
        None => (EnvFilter::new(directives(level)), None),
    }
}

/// The level for all crates but those of the wire. Those that repeat errors are heard from `debug` on.
fn directives(level: LogLevel) -> String {
    let directives = quietened(level.as_str(), level.min(LogLevel::Warn).as_str(), |_| true);
    if level >= LogLevel::Debug { directives } else { quietened(&directives, "off", |name| REPEATING.contains(&name)) }
}

/// `RUST_LOG` with the crates of the wire at `info`, where it asks for more of all crates and does not name them: `trace` would show
/// credentials. One that is named has its level: who writes that knows what comes.
fn capped(rust_log: &str) -> String {
    let directives = || rust_log.split(',').map(str::trim);
    let is_loud = |level: &str| ["debug", "trace", "4", "5"].iter().any(|loud| level.eq_ignore_ascii_case(loud));
    if !directives().any(is_loud) {
        return rust_log.to_owned();
    }
    let is_of = |directive: &str, name: &str| {
        directive.strip_prefix(name).is_some_and(|rest| rest.starts_with(['=', ':', '[']) || rest.is_empty())
    };
    quietened(rust_log, "info", |name| !directives().any(|directive| is_of(directive, name)))
}

/// The directives, and one for each of the chosen crates of the wire. The colons keep a mapper named `tower_light` out.
fn quietened(directives: &str, level: &str, is_chosen: impl Fn(&str) -> bool) -> String {
    let chosen = WIRE.iter().filter(|name| is_chosen(name));
    chosen.fold(directives.to_owned(), |directives, name| format!("{directives},{name}::={level}"))
}

fn subscriber<W>(filter: EnvFilter, format: LogFormat, ansi: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer::<Registry>().with_writer(writer).with_ansi(ansi);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Registry::default().with(lines).with(filter)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::{error, info, info_span, trace};

    use super::*;

    /// What is logged meanwhile.
    fn logged(level: LogLevel, rust_log: Option<&str>, format: LogFormat, ansi: bool, events: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let log = subscriber(filter(level, rust_log).0, format, ansi, buffer.clone());
        tracing::subscriber::with_default(log, events);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn the_level_holds_for_the_mapper_and_noisy_crates_are_quiet() {
        let text = logged(LogLevel::Debug, None, LogFormat::Text, false, || {
            debug!(target: "tower_light_mapper", "switched");
            trace!(target: "tower_light_mapper", "too much");
            info!(target: "tower::buffer::worker", "noise");
            debug!(target: "hyper_util::client", "noise");
            warn!(target: "h2::proto", "reset");
        });
        assert!(text.contains("switched") && text.contains("reset"), "{text}");
        assert!(!text.contains("noise") && !text.contains("too much"), "{text}");
    }

    #[test]
    fn noisy_crates_are_not_louder_than_the_mapper() {
        let text = logged(LogLevel::Error, None, LogFormat::Text, false, || {
            warn!(target: "h2::proto", "reset");
            error!(target: "mapper", "lost");
        });
        assert!(text.contains("lost") && !text.contains("reset"), "{text}");
    }

    #[test]
    fn crates_that_repeat_errors_are_heard_where_details_are_wanted_or_rust_log_says_so() {
        let event = || error!(target: "opcua_core::comms", "repeated");
        for (level, rust_log, is_heard) in [
            (LogLevel::Error, None, false),
            (LogLevel::Info, None, false),
            (LogLevel::Debug, None, true),
            (LogLevel::Info, Some("info"), true),
            (LogLevel::Info, Some("info,opcua_core=off"), false),
        ] {
            let text = logged(level, rust_log, LogFormat::Text, false, event);
            assert_eq!(text.contains("repeated"), is_heard, "{level:?} {rust_log:?}: {text}");
        }
    }

    #[test]
    fn rust_log_wins_over_the_level() {
        let text = logged(LogLevel::Trace, Some("warn,h2=debug"), LogFormat::Text, false, || {
            info!(target: "mapper", "unwanted");
            debug!(target: "h2::proto", "wanted");
        });
        assert!(text.contains("wanted") && !text.contains("unwanted"), "{text}");
    }

    #[test]
    fn what_goes_over_the_wire_is_not_logged_unless_its_crate_is_named() {
        let events = || {
            trace!(target: "mapper", "wanted");
            trace!(target: "rumqttc::state", "secret");
            trace!(target: "redis::aio", "secret");
            debug!(target: "hyper::proto::h1", "named");
            trace!(target: "redis_mapper::driver", "another crate");
        };
        for rust_log in ["trace", "TRACE", "info,debug,trace", "mapper=trace,trace"] {
            let text = logged(LogLevel::Info, Some(rust_log), LogFormat::Text, false, events);
            assert!(text.contains("wanted") && text.contains("another crate"), "{rust_log}: {text}");
            assert!(!text.contains("secret") && !text.contains("named"), "{rust_log}: {text}");
        }
        let text = logged(LogLevel::Info, Some("trace,hyper=debug"), LogFormat::Text, false, events);
        assert!(text.contains("named") && !text.contains("secret"), "{text}");
        let text = logged(LogLevel::Info, Some("trace,rumqttc=trace"), LogFormat::Text, false, events);
        assert!(text.contains("secret"), "who names it gets it: {text}");
        let quiet =
            logged(LogLevel::Info, Some("warn"), LogFormat::Text, false, || info!(target: "h2::proto", "noise"));
        assert_eq!(quiet, "", "a cap does not raise");
    }

    #[test]
    fn an_empty_rust_log_says_nothing() {
        let text = logged(LogLevel::Info, Some(""), LogFormat::Text, false, || info!(target: "mapper", "ready"));
        assert!(text.contains("ready"), "{text}");
    }

    #[test]
    fn a_rust_log_that_is_not_understood_leaves_the_level() {
        let (filter, problem) = filter(LogLevel::Info, Some("mapper=loud"));
        assert!(problem.is_some());
        assert_eq!(filter.max_level_hint(), Some(tracing::level_filters::LevelFilter::INFO));
    }

    #[test]
    fn json_is_one_flat_object_on_each_line() {
        let text = logged(LogLevel::Info, None, LogFormat::Json, true, || {
            let _span = info_span!(target: "mapper", "device_task").entered();
            info!(target: "mapper", device = "default/boiler", "connected");
            info!(target: "mapper", device = "default/pump", "two\nlines");
        });
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "connected");
        assert_eq!(lines[0]["device"], "default/boiler");
        assert_eq!(lines[0]["level"], "INFO");
    }

    #[test]
    fn colours_are_for_terminals_without_no_color() {
        assert!(wants_ansi(None, true));
        assert!(wants_ansi(Some(OsStr::new("")), true));
        assert!(!wants_ansi(Some(OsStr::new("1")), true));
        assert!(!wants_ansi(None, false));
        let event = || info!(target: "mapper", "ready");
        assert!(logged(LogLevel::Info, None, LogFormat::Text, true, event).contains('\u{1b}'));
        assert!(!logged(LogLevel::Info, None, LogFormat::Text, false, event).contains('\u{1b}'));
    }

    #[test]
    fn a_subscriber_that_is_already_set_stays() {
        // It fails when another test was faster, which is as good.
        drop(tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::default()));
        init(&LogConfig::default(), Some("mapper=loud"), true, io::stderr);
    }
}
