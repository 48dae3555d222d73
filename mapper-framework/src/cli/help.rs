//! The command line as its help describes it, with what is this mapper's own.

use clap::CommandFactory;

use super::Cli;
use crate::config::Package;

/// The version of this crate, which `--version` prints beside the mapper's.
pub(super) const FRAMEWORK_VERSION: &str = env!("CARGO_PKG_VERSION");

const ENVIRONMENT: &str = "Each key of the config file can be set by an environment variable, too: MAPPER_, then the key in \
                           upper case with `__` for each dot, as in MAPPER_COMMON__PROTOCOL. Flags win over the environment, \
                           the environment wins over the file.";

/// What the help says of this mapper.
#[derive(Clone, Debug)]
pub(crate) struct Help {
    pub(crate) package: Package,
    /// The keys of the mapper's own in the config, with their defaults.
    pub(crate) own_keys: Vec<(String, String)>,
    /// The arguments of `discover`, with their meanings.
    pub(crate) discover_args: &'static [(&'static str, &'static str)],
}

impl Help {
    /// What `clap` reads the command line by.
    pub(super) fn command(&self) -> clap::Command {
        let version = format!("{} (mapper-framework {FRAMEWORK_VERSION})", self.package.version());
        let command = Cli::command().name(self.package.name()).about(self.package.description()).version(version);
        let command = command.mut_subcommand("discover", |discover| discover.after_help(self.list_of_arguments()));
        command.after_help(format!("{}{ENVIRONMENT}", self.list_of_keys()))
    }

    fn list_of_keys(&self) -> String {
        let default = |default: &str| if default.is_empty() { String::new() } else { format!("[default: {default}]") };
        let keys: Vec<_> = self.own_keys.iter().map(|(key, value)| (key.as_str(), default(value))).collect();
        list("Keys of this mapper, for --set, the config file and the environment:", &keys)
    }

    fn list_of_arguments(&self) -> String {
        list("Arguments of this mapper, each as KEY=VALUE:", self.discover_args)
    }
}

/// A title, and below it a line for each name with its meaning; nothing where there is no name.
fn list(title: &str, rows: &[(&str, impl AsRef<str>)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, meaning): &(&str, _)| format!("  {name:width$}  {}", AsRef::<str>::as_ref(meaning));
    let lines: Vec<_> = rows.iter().map(|row| line(row).trim_end().to_owned()).collect();
    format!("{title}\n{}\n\n", lines.join("\n"))
}
