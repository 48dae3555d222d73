//! Events as lines for a person at a terminal.

use std::io::{self, IsTerminal, Write};

use super::{
    EdgeEvents, SendFailure,
    event::{EdgeEvent, Operation},
};

/// Writes each event as a line, until the edge is gone or `out` fails.
///
/// Colours are used if stdout is a terminal and `NO_COLOR` is not set.
pub(crate) async fn print_events(events: EdgeEvents, out: impl Write) -> io::Result<()> {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    print(events, out, colours).await
}

async fn print(mut events: EdgeEvents, mut out: impl Write, colours: bool) -> io::Result<()> {
    while let Some(event) = events.next().await {
        let Line { tone, text } = line(&event);
        match tone.colour().filter(|_| colours) {
            Some(colour) => writeln!(out, "\x1b[{colour}m{text}\x1b[0m")?,
            None => writeln!(out, "{text}")?,
        }
        out.flush()?;
    }
    Ok(())
}

/// A line and how loud it is.
#[derive(Debug)]
struct Line {
    tone: Tone,
    text: String,
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
        Err(failure) => (Tone::Bad, clean(&format!("{kind} {id} could not be told to {to_do}: {failure}"))),
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

#[cfg(test)]
mod tests {
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
            twin: StoredTwin::next(None, &property(desired), &property(value)),
        }
    }

    async fn printed(events: Vec<EdgeEvent>, colours: bool) -> String {
        let (sender, receiver) = broadcast::channel(16);
        for event in events {
            sender.send(event).unwrap();
        }
        drop(sender);
        let mut out = Vec::new();
        print(EdgeEvents::new(receiver), &mut out, colours).await.unwrap();
        String::from_utf8(out).unwrap()
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
