//! The layers of ARCHITECTURE.md, held against the sources: a module uses only what stands below it.

#![allow(clippy::unwrap_used, reason = "sources that cannot be read are a reason to stop")]

mod sources;
mod uses;

use std::path::Path;

use sources::{Files, Source, code, sources};
use uses::{first_names, uses};

/// The modules of the crate, from the bottom up. A module may use those of lower layers, and not those of its own.
const LAYERS: &[&[&str]] = &[
    &["model", "backoff", "typed"],
    &["watch"],
    &["config", "stream", "telemetry"],
    &["credentials", "driver", "hook", "mqtt", "recording", "spool", "tls", "writes"],
    &["dmi", "eventbus", "sink"],
    &["manifest", "twin"],
    &["runtime", "tape"],
    &["http"],
    &["mapper", "cli", "plain_cli", "logging"],
    &["check", "convert", "discover", "remote", "sample", "scaffold", "testing"],
    &["app"],
];

/// Beside the layers: an edgecore knows the wire and the model, and nothing of a mapper.
const LOCAL_EDGE: &str = "local_edge";
const LOCAL_EDGE_USES: &[&str] = &["dmi", "manifest", "model", "typed", LOCAL_EDGE];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn may_use(user: &str, used: &str) -> bool {
    match (user, used) {
        _ if user == used => true,
        (LOCAL_EDGE, _) => LOCAL_EDGE_USES.contains(&used),
        ("app" | "scaffold" | "testing", LOCAL_EDGE) => true,
        _ => matches!((layer(user), layer(used)), (Some(user), Some(used)) if used < user),
    }
}

/// The top-level module that a file belongs to; none for `lib.rs`, which uses all of them.
fn module(source: &Source) -> Option<&str> {
    source.module.first().map(String::as_str)
}

/// The modules that a file uses.
fn used_by(source: &Source) -> Vec<String> {
    uses(&source.code, source.module.len())
}

/// Each use of a module that stands above that of the file.
fn upward_uses(source: &Source) -> Vec<String> {
    let Some(user) = module(source) else { return Vec::new() };
    let upward = used_by(source).into_iter().filter(|used| !may_use(user, used));
    upward.map(|used| format!("{}: `{user}` must not use `{used}`", source.file.display())).collect()
}

#[test]
fn no_module_uses_one_above_it() {
    let sources = sources(&sources::read());
    let upward: Vec<String> = sources.iter().flat_map(upward_uses).collect();
    assert!(upward.is_empty(), "{}", upward.join("\n"));
    let seen: usize = sources.iter().map(|source| used_by(source).len()).sum();
    assert!(seen > 50, "only {seen} uses were found: the test no longer reads the sources as they are written");
}

/// The file with code added at its end, and in front of its first item of tests.
fn planted(files: &Files, source: &Source, planted: &str) -> [Source; 2] {
    let text = &files[&source.file];
    let middle = text.find("\n#[cfg(test)]").unwrap_or(text.len());
    [text.len(), middle].map(|at| Source {
        file: source.file.clone(),
        module: source.module.clone(),
        code: code(&format!("{}\n{planted}\n{}", &text[..at], &text[at..])),
    })
}

#[test]
fn an_upward_use_is_seen_in_every_file_before_and_behind_its_tests() {
    let files = sources::read();
    let mut tried = 0;
    for source in sources(&files) {
        let Some(user) = module(&source).filter(|user| *user != "app") else { continue };
        let found = [format!("{}: `{user}` must not use `app`", source.file.display())];
        for way in ["crate::".to_owned(), "super::".repeat(source.module.len())] {
            for planted in planted(&files, &source, &format!("fn planted() {{ {way}app::planted(); }}")) {
                assert_eq!(upward_uses(&planted), found);
            }
        }
        tried += 1;
    }
    assert!(tried > 100, "only {tried} files were tried");
}

#[test]
fn spool_sink_and_config_hide_nothing_behind_their_tests() {
    let files = sources::read();
    for (file, used) in [("spool/mod.rs", "sink"), ("sink/mod.rs", "runtime"), ("config/mod.rs", "dmi")] {
        let source = sources(&files).into_iter().find(|source| source.file == Path::new(file)).unwrap();
        assert!(
            files[Path::new(file)].contains("#[cfg(test)]"),
            "{file} has no tests behind which something could hide"
        );
        let [behind, _] = planted(&files, &source, &format!("use crate::{used}::Planted;"));
        let module = module(&source).unwrap();
        assert_eq!(upward_uses(&behind), [format!("{file}: `{module}` must not use `{used}`")]);
    }
}

#[test]
fn every_module_has_a_layer() {
    for source in sources(&sources::read()) {
        let Some(module) = module(&source) else { continue };
        let known = module == LOCAL_EDGE || layer(module).is_some();
        assert!(known, "{}: give `{module}` a layer here and in ARCHITECTURE.md", source.file.display());
    }
}

#[test]
fn protobuf_and_grpc_stay_within_dmi_and_the_local_edge() {
    for source in sources(&sources::read()) {
        let within = module(&source).is_some_and(|module| ["dmi", "manifest", LOCAL_EDGE].contains(&module));
        // OTLP, which one sink speaks, is protobuf of another kind.
        if within || source.file.ends_with("sink/kinds/otel/metrics.rs") {
            continue;
        }
        for name in first_names(&source.code) {
            let foreign = ["tonic", "prost"].iter().any(|it| name == *it || name.starts_with(&format!("{it}_")));
            assert!(!foreign, "{}: `{name}` belongs to dmi/", source.file.display());
        }
    }
}
