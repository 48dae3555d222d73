//! Events as lines for a person at a terminal.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, Write},
    thread,
    time::SystemTime,
};

use humantime_serde::re::humantime;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{
    EdgeEvents, SendFailure,
    event::{EdgeEvent, Operation},
};
use crate::model::{DeviceId, writable};

/// How many lines may wait for whoever reads them: a fleet's start, at about 100 bytes each.
const WAITING_LINES: usize = 4096;

/// Writes each event as a line that ends with the time (RFC 3339, UTC), until the edge is gone or `out` fails. A twin or a state that is stored once more as it was has no line.
///
/// A thread of its own writes, since a pipe that nobody reads blocks it. Lines that find no place meanwhile are left out, and counted.
/// Completes when all is written, which is never if the reader does not go on.
///
/// `colours` says whether lines have some.
pub(crate) async fn print_events(
    mut events: EdgeEvents,
    out: impl Write + Send + 'static,
    colours: bool,
) -> io::Result<()> {
    let (lines, waiting) = mpsc::channel(WAITING_LINES);
    let (done, written) = oneshot::channel();
    thread::Builder::new().name("console".to_owned()).spawn(move || {
        // Nobody waits any longer if the process ends: then there is nobody to tell.
        done.send(write(waiting, out)).ok();
    })?;
    let mut console = Console { lines, left_out: 0 };
    let mut known = Known::default();
    while let Some(event) = events.next().await {
        if known.is_news(&event) && !console.show(dated(line(&event).coloured(colours))) {
            break;
        }
        if console.left_out > 0 {
            // Nobody has seen what was left out.
            known = Known::default();
        }
    }
    console.close().await;
    written.await.unwrap_or_else(|_| Err(io::Error::other("the console's thread panicked")))
}

/// Writes line by line. Blocks for as long as nobody reads.
fn write(mut lines: mpsc::Receiver<String>, mut out: impl Write) -> io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    Ok(())
}

/// The way to the thread that writes.
struct Console {
    lines: mpsc::Sender<String>,
    /// How many lines found no place since the last one that did.
    left_out: u64,
}

impl Console {
    /// Hands over a line, or leaves it out. Whether there is still a thread to write it.
    fn show(&mut self, line: String) -> bool {
        if self.left_out > 0 && self.lines.try_send(left_out(self.left_out)).is_ok() {
            self.left_out = 0;
        }
        let sent = if self.left_out > 0 { Err(TrySendError::Full(line)) } else { self.lines.try_send(line) };
        match sent {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.left_out += 1;
                !self.lines.is_closed()
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }

    /// Says what is missing at the end, and lets the thread end.
    async fn close(self) {
        if self.left_out > 0 {
            // It fails where the output has failed, which the thread reports.
            self.lines.send(left_out(self.left_out)).await.ok();
        }
    }
}

fn left_out(lines: u64) -> String {
    dated(format_args!("… {lines} lines left out"))
}

/// The time stands last, so that a line is found by how it begins.
fn dated(line: impl Display) -> String {
    format!("{line}  {}", humantime::format_rfc3339_seconds(writable(SystemTime::now())))
}

/// What the lines so far have said of twins and states.
#[derive(Default)]
struct Known {
    /// Values and desired values, by device and property.
    twins: BTreeMap<DeviceId, BTreeMap<String, (String, String)>>,
    states: BTreeMap<DeviceId, String>,
}

impl Known {
    /// Whether the event says more than the lines before it.
    fn is_news(&mut self, event: &EdgeEvent) -> bool {
        match event {
            EdgeEvent::TwinStored { device, property, twin } => {
                let now = (twin.value().to_owned(), twin.observed_desired().to_owned());
                let before = self.twins.entry(device.clone()).or_default().insert(property.clone(), now.clone());
                before != Some(now)
            }
            EdgeEvent::StateStored { device, state } => {
                self.states.insert(device.clone(), state.clone()).as_ref() != Some(state)
            }
            // One that comes again begins anew.
            EdgeEvent::DeviceSent { device, operation: Operation::Remove, .. } => {
                self.twins.remove(device);
                self.states.remove(device);
                true
            }
            // What is said again after a gap may have been left out.
            EdgeEvent::Missed { .. } => {
                *self = Self::default();
                true
            }
            _ => true,
        }
    }
}

/// A line and how loud it is.
#[derive(Debug)]
struct Line {
    tone: Tone,
    text: String,
}

impl Line {
    fn coloured(self, colours: bool) -> String {
        match self.tone.colour().filter(|_| colours) {
            Some(colour) => format!("\x1b[{colour}m{}\x1b[0m", self.text),
            None => self.text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    Odd,
    Bad,
}

impl Tone {
    fn colour(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Good => Some(32),
            Self::Odd => Some(33),
            Self::Bad => Some(31),
        }
    }
}

/// What mappers send is shown with its control characters escaped: they are not to reach the terminal.
fn line(event: &EdgeEvent) -> Line {
    let (tone, text) = match event {
        EdgeEvent::Started { socket } => (Tone::Good, format!("edge listens on {}", socket.display())),
        EdgeEvent::Stopped => (Tone::Plain, "edge stopped".to_owned()),
        EdgeEvent::Crashed { reason } => (Tone::Bad, format!("edge crashed: {}", clean(reason))),
        EdgeEvent::MapperRegistered { name, protocol, devices, .. } => registered(name, protocol, *devices),
        EdgeEvent::DeviceSent { device, operation, result } => sent("device", device, *operation, result),
        EdgeEvent::ModelSent { model, operation, result } => sent("model", model, *operation, result),
        EdgeEvent::TwinStored { device, property, twin } => {
            let desired = twin.observed_desired();
            let desired = if desired.is_empty() { String::new() } else { format!(" (desired {desired})") };
            (Tone::Plain, format!("twin {device} {property} = {}{desired}", twin.value()))
        }
        EdgeEvent::TwinDropped { device, property, value, reason } => {
            (Tone::Bad, clean(&format!("dropped twin {device} {property} = {value}: {reason}")))
        }
        EdgeEvent::StateStored { device, state } => (Tone::Plain, format!("state {device} = {state}")),
        EdgeEvent::StateDropped { device, state, reason } => {
            (Tone::Bad, clean(&format!("dropped state {device} = {state}: {reason}")))
        }
        EdgeEvent::CallRefused { call, reason } => (Tone::Odd, clean(&format!("refused {call}: {reason}"))),
        EdgeEvent::Warning { message } => (Tone::Odd, clean(&format!("warning: {message}"))),
        EdgeEvent::ManifestRefused { message } => (Tone::Bad, clean(&format!("refused manifest: {message}"))),
        EdgeEvent::Missed { events } => (Tone::Odd, format!("… {events} events left out")),
    };
    Line { tone, text }
}

fn registered(name: &str, protocol: &str, devices: Option<usize>) -> (Tone, String) {
    let (name, protocol) = (clean(name), clean(protocol));
    match devices {
        Some(1) => (Tone::Good, format!("registered mapper {name} for {protocol}: 1 device")),
        Some(devices) => (Tone::Good, format!("registered mapper {name} for {protocol}: {devices} devices")),
        None => (Tone::Odd, format!("registered mapper {name} for {protocol} without data, so it will not be called")),
    }
}

fn sent(
    kind: &str,
    id: &impl std::fmt::Display,
    operation: Operation,
    result: &Result<(), SendFailure>,
) -> (Tone, String) {
    let (done, to_do) = match operation {
        Operation::Create => ("registered", "register"),
        Operation::Update => ("updated", "update"),
        Operation::Remove => ("removed", "remove"),
    };
    match result {
        Ok(()) => (Tone::Good, format!("{kind} {id} {done}")),
        // Nothing is lost: the mapper gets it when it registers.
        Err(SendFailure::NoMapper(protocol)) if operation != Operation::Remove => {
            (Tone::Plain, clean(&format!("{kind} {id} applied, waits for a mapper of protocol {protocol}")))
        }
        Err(SendFailure::NotRunning) if operation != Operation::Remove => {
            (Tone::Plain, format!("{kind} {id} applied, waits for the edge to run"))
        }
        Err(failure) => (Tone::Bad, clean(&format!("{kind} {id} could not be passed on: {to_do}: {failure}"))),
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, MutexGuard};

    use tokio::sync::broadcast;

    use super::*;
    use crate::{
        dmi::generated::TwinProperty,
        local_edge::{DropReason, StoredTwin},
        model::DeviceId,
    };

    fn twin(value: &str, desired: &str) -> EdgeEvent {
        let property = |value: &str| TwinProperty { value: value.to_owned(), ..TwinProperty::default() };
        EdgeEvent::TwinStored {
            device: DeviceId::new("", "x"),
            property: "temperature".to_owned(),
            twin: StoredTwin::next(None, Some(&property(desired)), Some(&property(value))),
        }
    }

    /// An output that is kept, and that blocks while the lock on it is held.
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Output {
        fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
            self.0.lock().unwrap()
        }

        fn text(&self) -> String {
            String::from_utf8(self.lock().clone()).unwrap()
        }
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    async fn printed(events: Vec<EdgeEvent>, colours: bool) -> String {
        let (sender, receiver) = broadcast::channel(16);
        for event in events {
            sender.send(event).unwrap();
        }
        drop(sender);
        let out = Output::default();
        print_events(EdgeEvents::new(receiver), out.clone(), colours).await.unwrap();
        out.text().lines().map(|line| format!("{}\n", undated(line))).collect()
    }

    /// A line without its time.
    fn undated(line: &str) -> &str {
        let (line, time) = line.rsplit_once("  ").unwrap();
        humantime::parse_rfc3339(time).unwrap();
        line
    }

    #[tokio::test]
    #[expect(
        clippy::await_holding_lock,
        reason = "the held lock is the pipe that nobody reads; only the thread waits for it"
    )]
    async fn a_reader_that_does_not_read_holds_up_no_task_and_costs_lines_that_are_counted() {
        const EVENTS: usize = WAITING_LINES + 100;
        let (sender, receiver) = broadcast::channel(EVENTS);
        for _ in 0..EVENTS {
            sender.send(EdgeEvent::Stopped).unwrap();
        }
        let out = Output::default();
        let nobody_reads = out.lock();
        // The test's runtime has this thread alone, which a blocked write would hold.
        let printing = tokio::spawn(print_events(EdgeEvents::new(receiver), out.clone(), false));
        while !sender.is_empty() {
            tokio::task::yield_now().await;
        }
        drop((sender, nobody_reads));
        printing.await.unwrap().unwrap();
        let text = out.text();
        let shown = text.lines().filter(|line| undated(line) == "edge stopped").count();
        let count =
            |line: &str| undated(line).strip_prefix("… ")?.strip_suffix(" lines left out")?.parse::<usize>().ok();
        let counted: usize = text.lines().filter_map(count).sum();
        assert!(shown < EVENTS);
        assert_eq!(shown + counted, EVENTS, "every event is a line or is counted");
    }

    #[tokio::test]
    async fn an_output_that_fails_ends_the_console() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (sender, receiver) = broadcast::channel(16);
        sender.send(EdgeEvent::Stopped).unwrap();
        drop(sender);
        let ended = print_events(EdgeEvents::new(receiver), Closed, false).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn each_event_is_a_line() {
        let device = DeviceId::new("", "x");
        let events = vec![
            EdgeEvent::DeviceSent { device, operation: Operation::Create, result: Ok(()) },
            twin("21.4", "22"),
            twin("21.4", ""),
            EdgeEvent::CallRefused { call: "ReportDeviceStatus", reason: "too many request".to_owned() },
        ];
        assert_eq!(
            printed(events, false).await,
            "device default/x registered\ntwin default/x temperature = 21.4 (desired 22)\n\
             twin default/x temperature = 21.4\nrefused ReportDeviceStatus: too many request\n"
        );
    }

    #[tokio::test]
    async fn what_is_stored_again_as_it_was_has_no_line() {
        let device = || DeviceId::new("", "x");
        let state = |state: &str| EdgeEvent::StateStored { device: device(), state: state.to_owned() };
        let removed = EdgeEvent::DeviceSent { device: device(), operation: Operation::Remove, result: Ok(()) };
        let events = vec![
            twin("1", "2"),
            twin("1", "2"),
            twin("2", "2"),
            state("online"),
            state("online"),
            removed,
            state("online"),
            twin("2", "2"),
        ];
        assert_eq!(
            printed(events, false).await,
            "twin default/x temperature = 1 (desired 2)\ntwin default/x temperature = 2 (desired 2)\nstate default/x = online\n\
             device default/x removed\nstate default/x = online\ntwin default/x temperature = 2 (desired 2)\n"
        );
    }

    #[tokio::test]
    async fn colours_surround_what_is_good_or_bad() {
        assert_eq!(printed(vec![EdgeEvent::Stopped], true).await, "edge stopped\n");
        let crash = EdgeEvent::Crashed { reason: "x".to_owned() };
        assert_eq!(printed(vec![crash], true).await, "\u{1b}[31medge crashed: x\u{1b}[0m\n");
    }

    #[tokio::test]
    async fn no_control_character_of_a_mapper_reaches_the_terminal() {
        let event = EdgeEvent::TwinDropped {
            device: "default/x".to_owned(),
            property: "p".to_owned(),
            value: "\u{1b}[2J".to_owned(),
            reason: DropReason::IllegalValue,
        };
        assert!(printed(vec![event], false).await.starts_with("dropped twin default/x p = \u{fffd}[2J: the reported"));
    }
}
