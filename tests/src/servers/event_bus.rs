//! `event_bus.py`: a responder in Python that answers on a broker as edgecore's event bus does.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    future::Future,
    panic::Location,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::Deserialize;
use tokio::{process::Command, time::timeout};

use super::Mosquitto;
use crate::{ChildGuard, DEADLINE, Tool};

/// How a responder is set up.
#[derive(Clone, Debug, Default)]
pub struct EventBusOptions {
    /// The devices it knows, each as `namespace/name` or `namespace/*`.
    pub devices: Vec<String>,
    /// The properties that it refuses, each as `namespace/name/property`: a message with one of them is refused as a whole.
    pub refused: Vec<String>,
    /// The devices whose messages it neither stores nor answers, each as `namespace/name`.
    pub mute: Vec<String>,
    /// How long each message takes, in milliseconds. It takes one after the other.
    pub delay_ms: u32,
    /// Whether it connects by TLS.
    pub tls: bool,
}

/// A responder, and all that it has stored, refused and dropped, over restarts.
#[derive(Debug)]
pub struct EventBus {
    python: PathBuf,
    arguments: Vec<OsString>,
    process: ChildGuard,
    /// How many lines of the process are in `seen`.
    read: usize,
    seen: Seen,
}

/// What a responder has done so far.
#[derive(Debug, Default)]
pub struct Seen {
    ready: u64,
    away: u64,
    twins: BTreeMap<(String, String), BusTwin>,
    states: BTreeMap<String, String>,
    refusals: Vec<Refusal>,
    unanswered: Vec<Unanswered>,
}

/// A twin as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusTwin {
    /// The value, if the latest message had one.
    pub value: Option<String>,
    /// The desired value that the mapper says it has seen, if the latest message had one.
    pub expected: Option<String>,
    /// The time of the latest message, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// How often it has been stored.
    pub times: u64,
}

/// A message of twins that was refused with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The device, as `namespace/name`.
    pub device: String,
    /// The properties in the message.
    pub properties: Vec<String>,
    /// The code of the answer.
    pub code: u16,
    /// The reason in the answer.
    pub reason: String,
    /// When it was seen here.
    pub at: Instant,
}

/// A message without an answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The device, as `namespace/name`.
    pub device: String,
    /// The topic of the message.
    pub topic: String,
    /// Why.
    pub reason: String,
}

impl EventBus {
    /// Starts a responder on the broker, and waits until it has subscribed; none if it is left out.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(broker: &Mosquitto, options: &EventBusOptions) -> Option<Self> {
        let Tool::At(python) = crate::python() else { return None };
        let arguments = arguments(broker, options);
        let process = run(&python, &arguments);
        let mut responder = Self { python, arguments, process, read: 0, seen: Seen::default() };
        responder.until_ready().await;
        Some(responder)
    }

    /// Ends it by SIGKILL. What it printed before counts.
    pub async fn kill(&mut self) {
        self.process.kill().await;
        while self.read_lines().await {}
    }

    /// Starts it again after [`kill`](Self::kill), and waits until it has subscribed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn restart(&mut self) {
        self.process = run(&self.python, &self.arguments);
        self.read = 0;
        self.until_ready().await;
    }

    /// Waits until it has subscribed once more than so far: after its start, or after the broker's.
    ///
    /// # Panics
    ///
    /// The future panics when this does not happen within the [`DEADLINE`].
    #[track_caller]
    pub fn until_ready(&mut self) -> impl Future<Output = ()> {
        let before = self.seen.ready;
        self.until("the responder has subscribed", move |seen| seen.ready > before)
    }

    /// Waits until what it has done fits, at once if it does.
    ///
    /// # Panics
    ///
    /// The future panics when it does not fit within the [`DEADLINE`], or when the responder ends.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut fits: impl FnMut(&Seen) -> bool) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let waited = timeout(DEADLINE, async {
                while !fits(&self.seen) {
                    assert!(self.read_lines().await, "{caller}: the responder has ended: {what}");
                }
            });
            if waited.await.is_err() {
                panic!("{caller}: not within {DEADLINE:?}: {what}; {:#?}", self.seen);
            }
        }
    }

    /// What it has done, as far as was waited for.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Waits for lines, and takes all that are there. `false` if no more will come.
    async fn read_lines(&mut self) -> bool {
        let lines = self.process.lines_after(self.read).await;
        self.read += lines.len();
        for line in &lines {
            match serde_json::from_str(line) {
                Ok(line) => self.seen.take(line),
                Err(_) => self.fail(line).await,
            }
        }
        !lines.is_empty()
    }

    /// Fails over a line that is no event: the traceback of an exception, which ends the process.
    async fn fail(&mut self, line: &str) {
        let status = self.process.exit().await;
        panic!("the responder printed {line:?} and ended with {status}: {:#?}", self.process.lines());
    }
}

impl Seen {
    /// All twins, each by `namespace/name` and the property's name.
    pub fn twins(&self) -> impl Iterator<Item = (&(String, String), &BusTwin)> {
        self.twins.iter()
    }

    /// A device's twin, by `namespace/name` and the property's name.
    #[must_use]
    pub fn twin(&self, device: &str, property: &str) -> Option<&BusTwin> {
        self.twins.get(&(device.to_owned(), property.to_owned()))
    }

    /// The value of a device's twin; none as well if its latest message had none.
    #[must_use]
    pub fn value(&self, device: &str, property: &str) -> Option<&str> {
        self.twin(device, property)?.value.as_deref()
    }

    /// The state of a device.
    #[must_use]
    pub fn state(&self, device: &str) -> Option<&str> {
        self.states.get(device).map(String::as_str)
    }

    /// How many twins have been stored, each as often as it was.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.twins.values().map(|twin| twin.times).sum()
    }

    /// How often its connection has ended, or was not taken.
    #[must_use]
    pub fn away(&self) -> u64 {
        self.away
    }

    /// All messages that were refused, in their order.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// All messages without an answer of their own, in their order.
    #[must_use]
    pub fn unanswered(&self) -> &[Unanswered] {
        &self.unanswered
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Ready => self.ready += 1,
            Line::Away {} => self.away += 1,
            Line::Stored { device, property, value, expected, timestamp } => {
                let times = self.twin(&device, &property).map_or(0, |twin| twin.times) + 1;
                self.twins.insert((device, property), BusTwin { value, expected, timestamp, times });
            }
            Line::State { device, state } => drop(self.states.insert(device, state)),
            Line::Refused { device, properties, code, reason } => {
                self.refusals.push(Refusal { device, properties, code, reason, at: Instant::now() });
            }
            Line::Dropped { device, topic, reason } => self.unanswered.push(Unanswered { device, topic, reason }),
        }
    }
}

/// A line that the responder prints.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum Line {
    Ready,
    Away {},
    Stored { device: String, property: String, value: Option<String>, expected: Option<String>, timestamp: Option<i64> },
    State { device: String, state: String },
    Refused { device: String, properties: Vec<String>, code: u16, reason: String },
    Dropped { device: String, topic: String, reason: String },
}

fn run(python: &Path, arguments: &[OsString]) -> ChildGuard {
    ChildGuard::spawn(Command::new(python).args(arguments))
}

fn arguments(broker: &Mosquitto, options: &EventBusOptions) -> Vec<OsString> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/event_bus.py");
    let port = if options.tls { broker.tls_port() } else { broker.port() };
    let mut arguments = vec![program.into(), "--port".into(), port.to_string().into()];
    let mut add = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
    if options.tls {
        add("--ca", broker.certificate().cert_file.clone().into());
    }
    if let Some((user, password)) = broker.login() {
        add("--user", user.into());
        add("--password", password.into());
    }
    add("--delay-ms", options.delay_ms.to_string().into());
    for (flag, values) in [("--device", &options.devices), ("--refuse", &options.refused), ("--mute", &options.mute)] {
        values.iter().for_each(|value| add(flag, value.into()));
    }
    arguments
}
