//! The image, as far as it can be known without building it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    Check,
    files::{Files, PROJECT},
    refusal,
};

#[test]
fn the_image_holds_the_mapper_and_its_defaults_and_nothing_else() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let stages = check.dockerfile(&files.path("Dockerfile"))?;
    let last = stages.last().expect("a stage");
    assert_eq!(last["base"], "scratch");
    let expected = json!([
        format!("COPY --from=build /{PROJECT} /{PROJECT}"),
        "COPY config.yaml /config.yaml",
        "WORKDIR /",
        format!("ENTRYPOINT [\"/{PROJECT}\"]"),
    ]);
    assert_eq!(last["instructions"], expected);
    Ok(())
}

#[test]
fn a_mistake_in_the_dockerfile_is_found() -> Result<()> {
    let Some(check) = Check::tool() else { return Ok(()) };
    for (from, to, told) in [
        ("WORKDIR /src", "WORKDIT /src", "unknown instruction: WORKDIT"),
        ("COPY config.yaml /config.yaml", "COPY config.yaml", "COPY requires at least two arguments"),
        ("AS build", "as build", "FromAsCasing"),
    ] {
        let files = Files::generate()?;
        files.edit("Dockerfile", from, to)?;
        let error = refusal(check.dockerfile(&files.path("Dockerfile")));
        assert!(error.contains(told), "{to}:\n{error}");
    }
    Ok(())
}

/// Where a path leads, without a look at the disk.
fn resolved(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut whole, part| {
        match part {
            Component::ParentDir => assert!(whole.pop(), "{} leads out of the project", path.display()),
            part => whole.push(part),
        }
        whole
    })
}

/// The files that a project's code takes in as it is compiled, by their paths in the project, and the code's own.
fn sources(files: &Files) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(files.path("src"))? {
        let source = Path::new("src").join(entry?.file_name());
        let text = fs::read_to_string(files.path(&source))?;
        for rest in text.split("include_str!(").skip(1) {
            let name = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            let name = name.with_context(|| format!("{} takes in a file without a plain name", source.display()))?;
            let path = resolved(&source.with_file_name(name));
            assert!(files.path(&path).is_file(), "there is no {}", path.display());
            found.insert(path.display().to_string());
        }
        found.insert(source.display().to_string());
    }
    Ok(found)
}

#[test]
fn the_image_is_built_from_all_that_its_build_reads_and_from_nothing_else() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    files.project().take_lock()?;
    for secret in [".env", "target/release/scale-mapper", "deploy/chart/secrets.yaml", ".git/config"] {
        fs::create_dir_all(files.path(secret).parent().expect("a folder"))?;
        fs::write(files.path(secret), "not for the image")?;
    }
    let mut needed = sources(&files)?;
    assert!(needed.contains("devices/model.yaml"), "main.rs takes in the sample: {needed:?}");
    needed.extend(["Cargo.toml", "Cargo.lock", "config.yaml"].map(str::to_owned));
    assert_eq!(check.context(&files.project().path)?, needed);
    Ok(())
}

#[test]
fn what_dockerignore_does_not_let_through_is_missing_from_the_context() -> Result<()> {
    let (Some(check), files) = (Check::tool(), Files::generate()?) else { return Ok(()) };
    let context = check.context(&files.project().path)?;
    files.edit(".dockerignore", "!devices\n", "")?;
    let without = check.context(&files.project().path)?;
    let lost: Vec<_> = context.difference(&without).collect();
    assert_eq!(lost, ["devices/instance.yaml", "devices/model.yaml"]);
    Ok(())
}
