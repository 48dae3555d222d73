//! Provides the foreign tools which the tests use, below `target/tools`, so that `rm -r target` removes all of them.
//!
//! Every step is idempotent and says in one line what it installs and why. What cannot be had is an error that names
//! the flag which leaves it out.

mod browser;
mod components;
mod debian;
mod ffmpeg;
mod go;
mod interpreter;
mod node_opcua;
mod npm;
mod python;
mod semver;
mod servers;
mod stamp;
mod venv;

use std::{
    ffi::OsString,
    fmt::{self, Display},
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use anyhow::{Context, Result};
use clap::ValueEnum;

pub(crate) use components::provide as components;

/// Lists what was left out, for the tests; read by `integration_tests::Tool`, as are those below.
const WITHOUT: &str = "MAPPER_TEST_WITHOUT";
/// The Python interpreter which has the packages of all the requirements files.
const PYTHON: &str = "MAPPER_TEST_PYTHON";
/// The folder of the built Go programs.
const GO_CLIENTS: &str = "MAPPER_TEST_GO_CLIENTS";
/// The folder of the servers that the sinks write to.
const SERVERS: &str = "MAPPER_TEST_SERVERS";
/// The folder of the browser that shows the page.
const BROWSER: &str = "MAPPER_TEST_BROWSER";
/// The folder of the programs that read, write and play streams of pictures.
const FFMPEG: &str = "MAPPER_TEST_FFMPEG";
/// The folder of node-opcua, with the Node.js that runs it.
const NODE_OPCUA: &str = "MAPPER_TEST_NODE_OPCUA";

/// A tool that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    /// Go, which builds the Go clients and the check of what deploys a mapper.
    Go,
    /// Python with the packages of the Python clients and servers.
    Python,
    /// The servers that the sinks write to: Redis, Mosquitto, MariaDB and VictoriaMetrics.
    Servers,
    /// The browser that shows the page, with its WebDriver and the checks of accessibility: Chromium and axe-core.
    Browser,
    /// The programs that read, write and play streams of pictures: ffmpeg and ffprobe.
    Ffmpeg,
    /// The OPC UA server in JavaScript: node-opcua, and Node.js to run it.
    NodeOpcua,
    /// cargo-semver-checks, which compares the public API with that of the last release.
    SemverChecks,
}

impl Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Go => "go",
            Self::Python => "python",
            Self::Servers => "servers",
            Self::Browser => "browser",
            Self::Ffmpeg => "ffmpeg",
            Self::NodeOpcua => "node-opcua",
            Self::SemverChecks => "semver-checks",
        })
    }
}

/// The tools to do without.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Without {
    /// Installs no such tool, and leaves out the tests that need it; can be given more than once.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TOOL")]
    without: Vec<Tool>,
}

impl Without {
    fn contains(&self, tool: Tool) -> bool {
        self.without.contains(&tool)
    }

    /// The names in a comma-separated list, each once; none if nothing is left out.
    fn list(&self) -> Option<String> {
        let left_out = Tool::value_variants().iter().filter(|tool| self.contains(**tool));
        let names: Vec<_> = left_out.map(ToString::to_string).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// The arguments that leave out the same again, with a space in front of each.
    pub(crate) fn flags(&self) -> String {
        self.list().map(|list| format!(" --without {list}")).unwrap_or_default()
    }

    /// Says what is left out, if anything is.
    pub(crate) fn announce(&self) {
        if let Some(list) = self.list() {
            println!("LEFT OUT, as asked for: the tests that need {list} do nothing and count as passed");
        }
    }
}

/// What the tests get by environment variables.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    variables: Vec<(&'static str, Option<OsString>)>,
}

impl Environment {
    /// Sets the variables for `command`, and takes away those which have no value here.
    pub(crate) fn apply(&self, command: &mut Command) {
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}

/// Provides every tool that is not left out and that tests use.
pub(crate) fn provide(without: &Without) -> Result<Environment> {
    let _one_at_a_time = lock()?;
    components::provide()?;
    let python = unless_left_out(without, Tool::Python, python::provide)?;
    let go_clients = unless_left_out(without, Tool::Go, go::provide)?;
    let servers = unless_left_out(without, Tool::Servers, servers::provide)?;
    let browser = unless_left_out(without, Tool::Browser, browser::provide)?;
    let ffmpeg = unless_left_out(without, Tool::Ffmpeg, ffmpeg::provide)?;
    let node_opcua = unless_left_out(without, Tool::NodeOpcua, node_opcua::provide)?;
    let variables = vec![
        (WITHOUT, without.list().map(OsString::from)),
        (PYTHON, python.map(PathBuf::into_os_string)),
        (GO_CLIENTS, go_clients.map(PathBuf::into_os_string)),
        (SERVERS, servers.map(PathBuf::into_os_string)),
        (BROWSER, browser.map(PathBuf::into_os_string)),
        (FFMPEG, ffmpeg.map(PathBuf::into_os_string)),
        (NODE_OPCUA, node_opcua.map(PathBuf::into_os_string)),
    ];
    Ok(Environment { variables })
}

/// Provides `cargo-semver-checks`, unless it is left out.
pub(crate) fn semver_checks(without: &Without) -> Result<Option<PathBuf>> {
    let _one_at_a_time = lock()?;
    unless_left_out(without, Tool::SemverChecks, semver::provide)
}

fn unless_left_out(without: &Without, tool: Tool, provide: fn() -> Result<PathBuf>) -> Result<Option<PathBuf>> {
    if without.contains(tool) {
        return Ok(None);
    }
    provide().map(Some).with_context(|| format!("{tool} cannot be provided; `--without {tool}` leaves it out"))
}

/// Keeps other runs out of the folder until it is dropped, or until this process ends in whatever way.
fn lock() -> Result<File> {
    fs::create_dir_all(folder()).with_context(|| format!("{} cannot be created", folder().display()))?;
    let path = folder().join("lock");
    let file = File::create(&path).with_context(|| format!("{} cannot be created", path.display()))?;
    file.lock().with_context(|| format!("{} cannot be locked", path.display()))?;
    Ok(file)
}

/// Where everything is installed.
fn folder() -> PathBuf {
    crate::root().join("target/tools")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        without: Without,
    }

    fn parse(line: &str) -> Result<Without, clap::Error> {
        Line::try_parse_from(std::iter::once("test").chain(line.split_whitespace())).map(|line| line.without)
    }

    #[test]
    fn nothing_is_left_out_unless_asked_for() {
        let without = parse("").expect("a valid line");
        assert_eq!(without.list(), None);
        assert_eq!(without.flags(), "");
    }

    #[test]
    fn tools_are_left_out_one_by_one_or_by_a_list_and_each_counts_once() {
        for line in ["--without python --without go", "--without go,python", "--without=go,go --without=python"] {
            let without = parse(line).expect("a valid line");
            assert_eq!(without.list().as_deref(), Some("go,python"), "{line}");
            assert_eq!(without.flags(), " --without go,python", "{line}");
        }
    }

    #[test]
    fn an_unknown_tool_is_refused_with_those_that_can_be_left_out() {
        let error = parse("--without ruby").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("'ruby'") && error.contains("go, python, servers"), "{error}");
    }

    #[test]
    fn a_tool_is_listed_by_the_name_that_leaves_it_out() {
        for tool in Tool::value_variants() {
            assert!(parse(&format!("--without {tool}")).expect("a valid line").contains(*tool));
        }
    }

    #[test]
    fn a_left_out_tool_is_not_provided_and_a_failure_names_the_flag() {
        let without = parse("--without go").expect("a valid line");
        let fails = || anyhow::bail!("no network");
        assert_eq!(unless_left_out(&without, Tool::Go, fails).expect("not provided"), None);
        let error = unless_left_out(&without, Tool::Python, fails).expect_err("provided, and fails");
        assert_eq!(format!("{error:#}"), "python cannot be provided; `--without python` leaves it out: no network");
    }

    #[test]
    fn variables_without_a_value_are_taken_away() {
        let environment = Environment { variables: vec![("A", Some("1".into())), ("B", None)] };
        let mut command = Command::new("true");
        environment.apply(&mut command);
        let seen: Vec<_> = command.get_envs().map(|(name, value)| (name.to_str(), value.is_some())).collect();
        assert_eq!(seen, [(Some("A"), true), (Some("B"), false)]);
    }
}
