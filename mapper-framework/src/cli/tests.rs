//! Command lines, and what is made of them.

use clap::{CommandFactory, error::ErrorKind};

use super::*;
use crate::config::{Config, LogFormat, Package};

const PACKAGE: Package = Package::new("tower-light-mapper", "0.3.1", "Switches tower lights");
const HELP: Help = Help { package: PACKAGE, own_keys: Vec::new(), discover_args: &[] };

fn args(line: &str) -> Result<Cli, clap::Error> {
    parse(&HELP, line.split_whitespace().map(OsString::from))
}

fn config(line: &str) -> Config {
    let sources = args(line).unwrap().add_to(Sources::new(Config::from_package(&PACKAGE)));
    Config::load(sources).unwrap().0
}

#[test]
fn the_command_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_version_names_the_mapper_and_the_framework() {
    let error = args("mapper --version").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayVersion);
    let expected = format!("tower-light-mapper 0.3.1 (mapper-framework {})\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_help_says_what_the_mapper_is_and_names_every_flag() {
    let error = args("mapper --help").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayHelp);
    let help = error.to_string();
    assert!(help.starts_with("Switches tower lights\n\nUsage: mapper [OPTIONS] [COMMAND]"), "{help}");
    let others = ["--config-file", "--standalone", "--call", "--run-for", "--set", "--help", "--version"];
    for flag in Keys::default().values().map(|(flag, _, _)| flag).into_iter().chain(others) {
        assert!(help.contains(flag), "{flag}:\n{help}");
    }
}

#[test]
fn the_help_lists_the_keys_of_the_mapper_with_their_defaults() {
    let key = |key: &str, default: &str| (key.to_owned(), default.to_owned());
    let keys = [key("driver.settings.port", "502"), key("driver.settings.bus", "")];
    let help = Help { own_keys: keys.to_vec(), ..HELP };
    let help = parse(&help, ["mapper", "--help"].map(OsString::from)).unwrap_err().to_string();
    assert!(help.contains("\n  driver.settings.port  [default: 502]\n  driver.settings.bus\n\nEach key"), "{help}");
}

#[test]
fn any_key_can_be_set_by_a_flag() {
    let config = config("mapper --protocol p --set spool.sync=never --set common.name=a=b --name n");
    assert_eq!((config.spool.sync, config.common.name.as_str()), (crate::config::SpoolSync::Never, "a=b"));
    let set = |line| args(line).unwrap().add_to(Sources::new(Config::default()));
    let error = Config::load(set("mapper --protocol p --set spool.sink=never")).unwrap_err().to_string();
    assert_eq!(error, "flag --set: there is no key `spool.sink`; did you mean `spool.sync`?");
    let error = Config::load(set("mapper --protocol p --set report.burst=many")).unwrap_err().to_string();
    assert!(error.starts_with("flag --set: `report.burst`: found \"many\", expected a whole number"), "{error}");
    let error = args("mapper --set spool.sync").unwrap_err().to_string();
    assert!(error.contains("write KEY=VALUE"), "{error}");
}

#[test]
fn flags_reach_the_config() {
    let line = "mapper --protocol modbus --name m7 --edgecore-sock /run/dmi.sock --socket-path /run/m.sock \
                --http-port 0 --log-format json --v=4";
    let config = config(line);
    assert_eq!((config.common.protocol.as_str(), config.common.name.as_str()), ("modbus", "m7"));
    assert_eq!(config.common.edgecore_sock.to_str(), Some("/run/dmi.sock"));
    assert_eq!(config.grpc_server.socket_path.to_str(), Some("/run/m.sock"));
    assert_eq!(config.common.http_port, 0);
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Debug));
}

#[test]
fn without_flags_the_package_names_the_mapper() {
    let config = config("mapper --protocol gpio");
    assert_eq!((config.common.name.as_str(), config.common.version.as_str()), ("tower-light-mapper", "0.3.1"));
}

#[test]
fn the_verbosity_of_go_mappers_becomes_a_level() {
    for (spelling, level) in [
        ("--v=0", LogLevel::Info),
        ("--v 3", LogLevel::Info),
        ("--v=4", LogLevel::Debug),
        ("-v=4", LogLevel::Debug),
        ("-v 5", LogLevel::Trace),
        ("--v=10", LogLevel::Trace),
    ] {
        assert_eq!(config(&format!("mapper --protocol p {spelling}")).log.level, level, "{spelling}");
    }
    assert_eq!(args("mapper --v=loud").unwrap_err().kind(), ErrorKind::ValueValidation);
}

#[test]
fn a_search_has_arguments_of_the_driver_s() {
    let cli = args("mapper discover host=plc query=a=b --namespace plant --run-for 5s").unwrap();
    let Some(Command::Discover(discover)) = cli.command else { panic!("{cli:?}") };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(discover.args, [pair("host", "plc"), pair("query", "a=b")]);
    assert_eq!((discover.namespace.as_str(), discover.run_for), ("plant", Some(Duration::from_secs(5))));
    for wrong in ["mapper discover plc", "mapper discover =plc"] {
        let error = args(wrong).unwrap_err().to_string();
        assert!(error.contains("write KEY=VALUE, such as host=192.0.2.7"), "{error}");
    }
}

#[test]
fn a_run_may_be_limited_in_time() {
    assert_eq!(args("mapper --run-for 1m30s").unwrap().run_for, Some(Duration::from_secs(90)));
    let error = args("mapper --run-for soon").unwrap_err().to_string();
    assert!(error.contains("invalid value 'soon' for '--run-for <DURATION>'"), "{error}");
}

#[test]
fn a_standalone_run_names_its_directories_and_files() {
    assert_eq!(args("mapper --standalone devices").unwrap().standalone, [PathBuf::from("devices")]);
    for line in ["mapper --standalone a.yaml b.yaml --v=4", "mapper --standalone a.yaml --standalone b.yaml"] {
        assert_eq!(args(line).unwrap().standalone, ["a.yaml", "b.yaml"].map(PathBuf::from));
    }
    assert_eq!(args("mapper").unwrap(), Cli::default());
}

#[test]
fn a_call_needs_a_standalone_run_and_may_be_repeated() {
    let words = |words: &[&str]| parse(&HELP, words.iter().map(OsString::from));
    let line = ["mapper", "--standalone", "d", "--call", "default/a set x=1", "--call", "default/a reset"];
    let calls = words(&line).unwrap().calls;
    assert_eq!(calls.iter().map(|call| call.method.as_str()).collect::<Vec<_>>(), ["set", "reset"]);
    let error = words(&["mapper", "--call", "default/a set"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
    let error = words(&["mapper", "--standalone", "d", "--call", "default/a set 1"]).unwrap_err().to_string();
    assert!(error.contains("\"1\" is no argument: write PROPERTY=VALUE"), "{error}");
}

#[test]
fn a_config_file_that_is_named_must_exist() {
    let cli = args("mapper --protocol p --config-file /nowhere/config.yaml").unwrap();
    let error = Config::load(cli.add_to(Sources::new(Config::default()))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the config file /nowhere/config.yaml: No such file or directory (os error 2)"
    );
}

#[test]
fn a_flag_that_does_not_fit_is_named() {
    let cli = args("mapper --protocol p --http-port 70000").unwrap();
    let error = Config::load(cli.add_to(Sources::new(Config::default()))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "flag --http-port: `common.http_port`: found 70000, expected a whole number from 0 to 65535"
    );
}

#[test]
fn a_word_without_dashes_is_a_subcommand() {
    let Some(Command::Check(check)) = args("mapper check --format json devices more.yaml").unwrap().command else {
        panic!("it is a check")
    };
    assert_eq!(
        (check.paths, check.format, check.strict),
        (vec!["devices".into(), "more.yaml".into()], Format::Json, false)
    );
    let lost = args("mapper check --allow-lost-namespaces devices").unwrap().command;
    assert!(matches!(lost, Some(Command::Check(CheckArgs { allow_lost_namespaces: true, .. }))), "{lost:?}");
    let older = args("mapper check --kubeedge v1.16.2 devices").unwrap().command;
    assert!(
        matches!(older, Some(Command::Check(CheckArgs { kubeedge, .. })) if kubeedge.to_string() == "v1.16"),
        "{older:?}"
    );
    let error = args("mapper check --kubeedge v2 devices").unwrap_err().to_string();
    assert!(error.contains("write a release from v1.15 to v1.23, such as v1.21"), "{error}");
    assert_eq!(args("mapper sample").unwrap().command, Some(Command::Sample));
    let scaffold = ScaffoldArgs { model: "m.yaml".into(), instance: true, output: Some("d.yaml".into()), force: true };
    let line = "mapper scaffold m.yaml --instance --output d.yaml --force";
    assert_eq!(args(line).unwrap().command, Some(Command::Scaffold(scaffold)));
    assert_eq!(args("mapper scaffold m.yaml --force").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
    let convert = ConvertArgs { paths: vec!["old.yaml".into(), "-".into()] };
    assert_eq!(args("mapper convert old.yaml -").unwrap().command, Some(Command::Convert(convert)));
    assert_eq!(args("mapper convert").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
    assert_eq!(args("mapper chek").unwrap_err().kind(), ErrorKind::InvalidSubcommand);
    assert_eq!(args("mapper check").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
}

#[test]
fn the_config_file_may_be_named_before_or_after_a_subcommand() {
    for line in ["mapper --config-file c.yaml check devices", "mapper check devices --config-file c.yaml"] {
        assert_eq!(args(line).unwrap().config_file, Some("c.yaml".into()), "{line}");
    }
}
