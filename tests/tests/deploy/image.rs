//! The image, as far as it can be known without building it.

use anyhow::Result;
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
