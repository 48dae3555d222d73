//! The layers of ARCHITECTURE.md, held against the sources: a module uses only what stands below it.

#![allow(clippy::unwrap_used, reason = "sources that cannot be read are a reason to stop")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules of the crate, from the bottom up. A module may use those of lower layers and those it stands beside in `PEERS`.
const LAYERS: &[&[&str]] = &[
    &["model", "backoff"],
    &["config", "telemetry"],
    &["driver", "spool"],
    &["dmi", "sink"],
    &["twin"],
    &["runtime"],
    &["mapper", "cli", "logging"],
    &["check", "sample", "scaffold", "testing"],
    &["app"],
];

/// Beside the layers: an edgecore knows the wire and the model, and nothing of a mapper.
const LOCAL_EDGE: &str = "local_edge";
const LOCAL_EDGE_USES: &[&str] = &["dmi", "model", LOCAL_EDGE];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn may_use(user: &str, used: &str) -> bool {
    match (user, used) {
        _ if user == used => true,
        (LOCAL_EDGE, _) => LOCAL_EDGE_USES.contains(&used),
        ("app" | "check" | "scaffold" | "testing", LOCAL_EDGE) => true,
        _ => matches!((layer(user), layer(used)), (Some(user), Some(used)) if used < user),
    }
}

fn sources() -> Vec<PathBuf> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files
}

/// The top-level module a file belongs to.
fn module_of(file: &Path) -> String {
    let below = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Whether a file holds tests only: they may use what they like.
fn is_of_tests(file: &Path) -> bool {
    let below_tests =
        file.ancestors().skip(1).take_while(|folder| !folder.ends_with("src")).any(|it| it.ends_with("tests"));
    below_tests || file.ends_with("tests.rs") || file.ends_with("end_to_end.rs")
}

/// The code of a file: no comments, and nothing from its tests on.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The first segments after `crate::`, whether alone or in braces.
fn uses(code: &str) -> Vec<String> {
    let identifier = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut uses = Vec::new();
    for (_, rest) in code.match_indices("crate::").map(|(at, found)| (at, &code[at + found.len()..])) {
        let Some(group) = rest.strip_prefix('{') else {
            uses.push(identifier(rest));
            continue;
        };
        let mut depth = 0;
        let mut starts = true;
        for (at, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => starts = true,
                _ if character.is_whitespace() => {}
                _ if starts && depth == 0 => {
                    uses.push(identifier(&group[at..]));
                    starts = false;
                }
                _ => {}
            }
        }
    }
    uses
}

#[test]
fn the_reader_of_uses_sees_groups_and_single_paths() {
    let code = "use crate::{\n    model::{A, B},\n    dmi::client::C,\n};\nlet x = crate::twin::D;";
    assert_eq!(uses(code), ["model", "dmi", "twin"]);
}

#[test]
fn no_module_uses_one_above_it() {
    let mut seen = 0;
    for file in sources() {
        let user = module_of(&file);
        if user == "lib" || is_of_tests(&file) {
            continue;
        }
        for used in uses(&code(&file)) {
            seen += 1;
            assert!(may_use(&user, &used), "{}: `{user}` must not use `{used}`", file.display());
        }
    }
    assert!(seen > 50, "only {seen} uses were found: the test no longer reads the sources as they are written");
}

#[test]
fn every_module_has_a_layer() {
    for file in sources() {
        let module = module_of(&file);
        let known = module == "lib" || module == LOCAL_EDGE || layer(&module).is_some();
        assert!(known, "{}: give `{module}` a layer here and in ARCHITECTURE.md", file.display());
    }
}

#[test]
fn protobuf_and_grpc_stay_within_dmi_and_the_local_edge() {
    for file in sources() {
        let module = module_of(&file);
        // OTLP, which one sink speaks, is protobuf of another kind.
        if module == "dmi" || module == LOCAL_EDGE || file.ends_with("sink/kinds/otel/metrics.rs") {
            continue;
        }
        let code = code(&file);
        for foreign in ["tonic::", "tonic_", "prost::", "prost_", "dmi::generated"] {
            // A log filter names crates in strings, which is no use of them.
            let code = code.replace(&format!("\"{foreign}"), "");
            assert!(!code.contains(foreign), "{}: `{foreign}` belongs into dmi/", file.display());
        }
    }
}
