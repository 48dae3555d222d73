//! The subcommands that ask a running mapper.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use humantime_serde::re::humantime::parse_duration;

use crate::model::DeviceId;

/// What a running mapper is asked.
#[derive(Debug, PartialEq, Subcommand)]
pub(crate) enum Ask {
    /// Show how the running mapper, edgecore and the sinks are, and what is wrong
    Status(Asked),
    /// Show the running mapper's devices, a device's properties, or a value
    Get(GetArgs),
    /// Write a property of a device, and show what is read back
    Set(SetArgs),
    /// Call a method of a device, and show its results
    Call(CallArgs),
    /// Show the way of a device's values stage by stage; exit with 1 if something is held up
    Explain(ExplainArgs),
    /// Show the values that a sink has kept
    History(HistoryArgs),
    /// Print what happens in the running mapper, until Ctrl-C
    Events(EventsArgs),
    /// Show devices and values as a live table
    Top(TopArgs),
    /// Probe the running mapper: exit with 0 if it is ready
    Health(HealthArgs),
}

/// Which mapper is asked.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(crate) struct Reach {
    /// Socket of the mapper, beside which it answers [default: the config's]
    #[arg(long, value_name = "PATH", conflicts_with = "url", help_heading = "Which mapper")]
    pub(crate) socket_path: Option<PathBuf>,

    /// HTTP server of the mapper, such as `http://127.0.0.1:7777`
    #[arg(long, value_name = "URL", help_heading = "Which mapper")]
    pub(crate) url: Option<String>,

    /// File with the token for the HTTP server: it writes for nobody else
    #[arg(long, value_name = "PATH", help_heading = "Which mapper")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Which mapper is asked, and how its answer is printed.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(crate) reach: Reach,

    /// `table` for people, `json` for programs
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Output,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// The answer of the mapper's API as it comes.
    Json,
}

/// A device as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceName(pub(crate) DeviceId);

impl FromStr for DeviceName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Err("write NAMESPACE/NAME, or NAME in the namespace `default`");
        }
        Ok(Self(DeviceId::new(namespace, name)))
    }
}

fn argument(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((property, value)) if !property.is_empty() => Ok((property.to_owned(), value.to_owned())),
        _ => Err("write PROPERTY=VALUE"),
    }
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct GetArgs {
    /// NAMESPACE/NAME, or NAME in the namespace `default`
    pub(crate) device: Option<DeviceName>,
    /// Print the value of this property alone
    #[arg(requires = "device")]
    pub(crate) property: Option<String>,
    /// Read the device now, instead of showing the last value
    #[arg(long, requires = "property")]
    pub(crate) fresh: bool,
    /// Only the devices, or the properties, whose names contain this text
    #[arg(long, value_name = "TEXT", conflicts_with = "property")]
    pub(crate) search: Option<String>,
    /// Only the devices in this state, such as `disconnected`
    #[arg(long, conflicts_with = "device")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct SetArgs {
    /// NAMESPACE/NAME, or NAME in the namespace `default`
    pub(crate) device: DeviceName,
    /// The property to write
    pub(crate) property: String,
    /// The value, as a manifest has it in `desired`
    #[arg(allow_negative_numbers = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) expiry: Expiry,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct CallArgs {
    /// NAMESPACE/NAME, or NAME in the namespace `default`
    pub(crate) device: DeviceName,
    /// The method to call
    pub(crate) method: String,
    /// Its arguments
    #[arg(value_name = "PROPERTY=VALUE", value_parser = argument)]
    pub(crate) arguments: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) expiry: Expiry,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct Expiry {
    /// After which time the order is not carried out any more, at most 300s [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) expires_after: Option<Duration>,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct ExplainArgs {
    /// NAMESPACE/NAME, or NAME in the namespace `default`
    pub(crate) device: DeviceName,
    /// The property; without it what holds for the whole device
    pub(crate) property: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct HistoryArgs {
    /// NAMESPACE/NAME, or NAME in the namespace `default`
    pub(crate) device: DeviceName,
    /// Only this property
    pub(crate) property: Option<String>,
    /// Nothing older: a time such as 2026-05-01T08:00:00Z, or how long ago, such as `2h`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Nothing newer
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// The most values, the newest of the range, at most 100,000 [default: 1000]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) limit: Option<usize>,
    /// Kind of the sink, such as `redis` [default: the first that keeps a history]
    #[arg(long, value_name = "KIND")]
    pub(crate) sink: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct EventsArgs {
    /// Only of this device
    pub(crate) device: Option<DeviceName>,
    /// Only of this property
    pub(crate) property: Option<String>,
    /// Only these: device, state, sample, read, anomaly, desired, twin, sink, edgecore, budget
    #[arg(long, value_name = "KIND", value_delimiter = ',', num_args = 1..)]
    pub(crate) kinds: Vec<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct TopArgs {
    /// Only the devices whose names contain this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Only the devices in this state, such as `disconnected`
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// The time between two looks
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub(crate) every: Duration,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, PartialEq, Args)]
pub(crate) struct HealthArgs {
    /// Whether it works, though edgecore may be away
    #[arg(long, conflicts_with = "ready")]
    pub(crate) live: bool,
    /// Whether edgecore has registered it as well, which is the default
    #[arg(long)]
    pub(crate) ready: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Ask {
    /// Which mapper is asked.
    pub(crate) fn reach(&self) -> &Reach {
        match self {
            Self::Status(asked) => &asked.reach,
            Self::Get(args) => &args.asked.reach,
            Self::Set(args) => &args.asked.reach,
            Self::Call(args) => &args.asked.reach,
            Self::Explain(args) => &args.asked.reach,
            Self::History(args) => &args.asked.reach,
            Self::Events(args) => &args.asked.reach,
            Self::Top(args) => &args.reach,
            Self::Health(args) => &args.reach,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::{
        cli::{Command, Help, parse},
        config::Package,
    };

    fn ask(line: &str) -> Result<Ask, clap::Error> {
        let help = Help { package: Package::new("m", "0.1.0", ""), own_keys: Vec::new(), discover_args: &[] };
        let cli = parse(&help, format!("m {line}").split_whitespace().map(OsString::from))?;
        match cli.command {
            Some(Command::Ask(ask)) => Ok(ask),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_device_without_a_namespace_is_one_of_the_default_namespace() {
        for (text, expected) in [("plant/pump-1", "plant/pump-1"), ("pump-1", "default/pump-1")] {
            assert_eq!(text.parse::<DeviceName>().unwrap().0.to_string(), expected);
        }
        for text in ["", "/a", "a/", "a/b/c"] {
            assert!(text.parse::<DeviceName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_may_be_negative_and_an_argument_needs_its_name() {
        let Ask::Set(set) = ask("set pump-1 level -4.5 --expires-after 10s").unwrap() else { panic!("it is a set") };
        assert_eq!((set.value.as_str(), set.expiry.expires_after), ("-4.5", Some(Duration::from_secs(10))));
        let Ask::Call(call) = ask("call plant/pump-1 dose millilitres=250 note=a=b").unwrap() else { panic!("a call") };
        let pairs = [("millilitres", "250"), ("note", "a=b")];
        assert_eq!(call.arguments, pairs.map(|(property, value)| (property.to_owned(), value.to_owned())));
        assert!(ask("call pump-1 dose 250").unwrap_err().to_string().contains("write PROPERTY=VALUE"));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "get pump-1 --fresh",
            "get pump-1 --state ok",
            "health --live --ready",
            "status --socket-path /run/m.sock --url http://a",
            "set pump-1 level",
            "explain",
        ] {
            assert_eq!(ask(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn kinds_are_separated_by_commas_or_blanks() {
        for line in ["events --kinds state,sink", "events --kinds state sink", "events --kinds state --kinds sink"] {
            let Ask::Events(events) = ask(line).unwrap() else { panic!("{line}") };
            assert_eq!(events.kinds, ["state", "sink"], "{line}");
        }
    }
}
