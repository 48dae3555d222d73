//! `check` and the API server judge the same manifests: with one change each, at each place of a manifest.

mod slips;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use crate::Check;

/// Where `check` refuses what an API server takes: a part of its message, and the reason.
const STRICTER: &[(&str, &str)] = &[
    // The device would never be served.
    ("missing", "a definition demands hardly a key, and edgecore or the mapper cannot do without it"),
    ("which YAML takes for nothing", "a name of null is a name that is missing"),
    ("is not the protocol of this mapper", "edgecore gives the device to another mapper, or to none"),
    ("edgecore can send numbers, strings and booleans only", "edgecore leaves such a device out"),
    ("edgecore cannot send a value of null", "edgecore leaves such a device out"),
    // A property would never work.
    ("the device model default/m has no such property", "a property is one of its model's"),
    ("the device has no such property", "a method calls the properties of its device"),
    ("is not a value of type INT", "a desired value is of its property's type"),
    ("is no number", "bounds are numbers, which a definition has as text"),
    ("ms is negative", "a cycle or a timeout is no time then"),
    ("is beyond the 32 bits that edgecore has for it", "edgecore cannot read it"),
    // The driver's and the sinks' own, of which a definition knows the types at most.
    ("configData", "the driver's types read it"),
    (".pushMethod.", "the sink cannot connect with it"),
];

/// By file, what `check` calls an error.
fn checked(folder: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut mapper = Command::new(env!("CARGO_BIN_EXE_stubborn-mapper"));
    let output =
        mapper.args(["check", "--format", "json"]).arg(folder).output().context("the mapper cannot be started")?;
    let findings: Vec<Json> = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("check prints JSON, and says {}", String::from_utf8_lossy(&output.stderr)))?;
    let mut errors = BTreeMap::<_, Vec<_>>::new();
    // The manifests are alternatives of each other, and so have one name.
    let is_twin =
        |finding: &&Json| finding["message"].as_str().is_some_and(|message| message.starts_with("stands in "));
    for finding in findings.iter().filter(|finding| finding["severity"] == "error" && !is_twin(finding)) {
        let file = Path::new(finding["file"].as_str().unwrap_or_default()).file_name().unwrap_or_default();
        let words = format!(
            "{}: {}",
            finding["field"].as_str().unwrap_or_default(),
            finding["message"].as_str().unwrap_or_default()
        );
        errors.entry(file.to_string_lossy().into_owned()).or_default().push(words);
    }
    Ok(errors)
}

#[test]
fn check_refuses_what_an_api_server_refuses_and_says_why_where_it_refuses_more() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (model, device) = (slips::model(), slips::device());
    let sound = [model.clone(), device.clone()].into_iter();
    let all: Vec<Json> = sound.chain(slips::of(&model)).chain(slips::of(&device)).collect();
    ensure!(all.len() > 2000, "only {} manifests were made", all.len());
    for (number, manifest) in all.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:05}.json")), serde_json::to_vec(manifest)?)?;
    }
    let server: BTreeMap<String, String> = check.run("apply", std::iter::once(folder.path()))?;
    let mapper = checked(folder.path())?;
    ensure!(server.len() == all.len(), "{} of {} files were judged", server.len(), all.len());
    for sound in ["00000.json", "00001.json"] {
        ensure!(server[sound].is_empty() && !mapper.contains_key(sound), "{}, {:?}", server[sound], mapper.get(sound));
    }
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::<&str>::new());
    for (file, refusal) in &server {
        let errors = mapper.get(file).map(Vec::as_slice).unwrap_or_default();
        let reason = |error: &&String| STRICTER.iter().map(|(part, _)| *part).find(|part| error.contains(part));
        used.extend(errors.iter().filter_map(|error| reason(&error)));
        let unexplained: Vec<_> = errors.iter().filter(|error| reason(error).is_none()).collect();
        if !refusal.is_empty() && errors.is_empty() {
            wrong.push(format!("{file}: check passes what the API server refuses: {refusal}"));
        } else if refusal.is_empty() && !unexplained.is_empty() {
            wrong.push(format!("{file}: check refuses what the API server takes: {unexplained:?}"));
        }
    }
    let unused: Vec<_> = STRICTER.iter().filter(|(part, _)| !used.contains(*part)).collect();
    ensure!(unused.is_empty(), "no manifest shows these differences: {unused:?}");
    ensure!(wrong.is_empty(), "{} of {} are judged otherwise:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    Ok(())
}
