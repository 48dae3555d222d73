//! What becomes of keys that get another name: a table of the tests' own stands in for the real one, which may be empty.

use super::{
    super::renamed::{RENAMED, Renamed, Table},
    *,
};

/// A key of a section that stays, one that is refused, and one of a section that is gone.
static TABLE: [Renamed; 3] = [
    Renamed { old: "common.port", new: "common.http_port", since: "0.2.0", is_refused: false },
    Renamed { old: "common.label", new: "common.name", since: "0.3.0", is_refused: true },
    Renamed { old: "edge.socket", new: "common.edgecore_sock", since: "0.4.0", is_refused: false },
];

fn renamed(yaml: &str) -> Sources {
    Sources { renamed: Table(&TABLE), ..file(yaml) }
}

#[test]
fn an_old_name_is_taken_with_a_warning_that_tells_the_new_one() {
    let (config, found) = Config::load(renamed("common:\n  port: 80\nedge: {socket: /run/dmi.sock}\n")).unwrap();
    assert_eq!((config.common.http_port, config.common.edgecore_sock.to_str()), (80, Some("/run/dmi.sock")));
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "config.yaml:2:3: `common.port` is called `common.http_port` since 0.2.0, and the old name will be refused: write \
             `common.http_port`",
            "config.yaml:3:8: `edge.socket` is called `common.edgecore_sock` since 0.4.0, and the old name will be refused: \
             write `common.edgecore_sock`",
        ]
    );
}

#[test]
fn an_old_variable_is_taken_with_a_warning_that_tells_the_new_one() {
    let (config, found) = Config::load(renamed("").env([("MAPPER_EDGE__SOCKET", "/run/dmi.sock")])).unwrap();
    assert_eq!(config.common.edgecore_sock.to_str(), Some("/run/dmi.sock"));
    assert_eq!(
        found[0].to_string(),
        "environment variable MAPPER_EDGE__SOCKET: `edge.socket` is called `common.edgecore_sock` since 0.4.0, and the old \
         name will be refused: write MAPPER_COMMON__EDGECORE_SOCK"
    );
}

#[test]
fn an_old_name_that_is_gone_is_an_error_that_tells_the_new_one() {
    for yaml in ["common:\n  label: seven\n", "common:\n  label:\n", "common:\n  label: seven\n  name: seven\n"] {
        assert_eq!(
            error(renamed(yaml)),
            "config.yaml:2:3: `common.label` is called `common.name` since 0.3.0: write `common.name`",
            "{yaml}"
        );
    }
    assert_eq!(
        error(renamed("").env([("mapper_common__label", "seven")])),
        "environment variable mapper_common__label: `common.label` is called `common.name` since 0.3.0: write \
         MAPPER_COMMON__NAME"
    );
}

#[test]
fn the_new_name_wins_over_the_old_one_and_a_later_source_over_both() {
    let yaml = "common: {http_port: 81, port: 80}";
    assert_eq!(Config::load(renamed(yaml)).unwrap().0.common.http_port, 81);
    let (config, _) = Config::load(renamed(yaml).env([("MAPPER_COMMON__PORT", "82")])).unwrap();
    assert_eq!(config.common.http_port, 82);
}

#[test]
fn a_value_under_an_old_name_that_does_not_fit_says_where_it_stands() {
    assert_eq!(
        error(renamed("common:\n  port: many\n")),
        "config.yaml:2:9: `common.http_port`: found \"many\", expected a whole number from 0 to 65535"
    );
    assert_eq!(
        error(renamed("common: {port: [80]}")),
        "config.yaml:1:16: `common.port`: found a list or a mapping, expected a single value"
    );
}

#[test]
fn other_keys_of_a_section_that_is_gone_are_unknown() {
    let found = Config::load(renamed("edge: {colour: red}")).unwrap().1;
    assert_eq!(found[0].to_string(), "config.yaml:1:8: unknown key `edge.colour` is ignored");
}

#[test]
fn each_row_of_the_real_table_leads_from_a_name_that_is_gone_to_one_that_exists() {
    let keys = Settings::over(&Config::default()).unwrap().keys();
    let is_key = |name: &str| keys.iter().any(|key| key == name);
    for Renamed { old, new, .. } in RENAMED.iter().chain(&TABLE) {
        assert!(!is_key(old) && is_key(new), "{old} became {new}");
    }
}
