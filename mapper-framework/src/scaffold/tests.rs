//! What is made of three models, held against golden files, and what nothing is made of.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::*;
use crate::{
    local_edge,
    model::{Resolved, Value},
};

/// Where the model lies, and what its golden files are called.
const MODELS: [(&str, &str); 3] = [
    ("../examples/virtual-thermometer/devices/model.yaml", "thermometer"),
    ("../examples/modbus/devices/model.yaml", "boiler"),
    ("tests/scaffold/odd-model.yaml", "odd"),
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn scaffolded(model: &Path, instance: bool) -> Result<String, ScaffoldError> {
    scaffolded_by("", model, instance).map(|(text, _)| text)
}

/// What a mapper of a protocol makes of a model, and what it warns of.
fn scaffolded_by(protocol: &str, model: &Path, instance: bool) -> Result<(String, Option<String>), ScaffoldError> {
    let (mut out, mut warning) = (Vec::new(), None);
    let args = ScaffoldArgs { model: model.to_owned(), instance, output: None, force: false };
    run(&args, protocol, &mut out, |foreign| warning = Some(foreign.to_string()))?;
    Ok((String::from_utf8(out).unwrap(), warning))
}

/// A folder with one file, `model.yaml`.
fn folder(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.yaml"), model).unwrap();
    folder
}

/// A model with these properties, in flow style.
fn model(properties: &str) -> String {
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: m}}\n\
         spec: {{protocol: p, properties: [{properties}]}}\n---\n"
    )
}

/// What is wrong with a file, without the file's name in front.
fn error(text: &str, instance: bool) -> String {
    let folder = folder(text);
    let file = folder.path().join("model.yaml");
    let error = scaffolded(&file, instance).unwrap_err().to_string();
    error.trim_start_matches(&file.display().to_string()).to_owned()
}

#[test]
fn what_is_made_of_a_model_is_what_the_golden_files_hold() {
    for (model, golden) in MODELS {
        for (instance, extension, flag) in [(false, "rs", ""), (true, "yaml", " --instance")] {
            let golden = here(&format!("tests/scaffold/{golden}.{extension}"));
            let (model, made) = (here(model), scaffolded(&here(model), instance).unwrap());
            let wanted = fs::read_to_string(&golden).unwrap_or_default();
            let (model, golden) = (model.display(), golden.display());
            assert!(
                made == wanted,
                "{golden} is not what is made now. If the change is meant: \
                 cargo run -p virtual-thermometer -- scaffold {model}{flag} --output {golden} --force\n{made}"
            );
        }
    }
}

#[test]
fn a_driver_is_as_rustfmt_would_write_it() {
    // rustfmt looks for its settings in the folder it runs in: here it finds none, as in a new project.
    let folder = tempfile::tempdir().unwrap();
    for (_, golden) in MODELS {
        let golden = fs::File::open(here(&format!("tests/scaffold/{golden}.rs"))).unwrap();
        let mut rustfmt = Command::new("rustfmt");
        rustfmt.args(["--check", "--edition", "2024"]).current_dir(&folder).stdin(Stdio::from(golden));
        let output = rustfmt.output().expect("rustfmt is there: `rustup component add rustfmt`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
}

#[tokio::test]
async fn a_device_is_sound_and_so_are_its_desired_values() {
    for (path, _) in MODELS {
        let folder = folder(&fs::read_to_string(here(path)).unwrap());
        let device = scaffolded(&here(path), true).unwrap().replace("      # desired:", "      desired:");
        fs::write(folder.path().join("device.yaml"), device).unwrap();
        let devices = local_edge::devices(folder.path()).await.unwrap();
        let [Resolved { device, problems }] = devices.as_slice() else { panic!("one device: {devices:?}") };
        assert_eq!((device.properties().len(), problems.len()), (Model::read(&here(path)).unwrap().points.len(), 0));
        for property in device.properties() {
            let Some(desired) = property.desired() else { continue };
            property.check_bounds(&Value::parse(desired, property.data_type()).unwrap()).unwrap();
        }
    }
}

#[test]
fn a_file_has_to_hold_one_model() {
    let a = model("{name: a, type: INT}");
    assert_eq!(error("", false), ": holds no DeviceModel: name a file that does");
    let b = a.replace("name: m", "name: m2");
    assert_eq!(
        error(&format!("{a}{b}"), false),
        ": holds 2 device models, default/m, default/m2: leave one of them in it"
    );
    assert!(error("kind: [", false).contains("not valid YAML"));
    let missing = scaffolded(Path::new("no/such/model.yaml"), false).unwrap_err().to_string();
    assert!(missing.starts_with("no/such/model.yaml: No such file or directory"), "{missing}");
}

#[test]
fn all_that_is_wrong_with_a_model_is_told_at_once() {
    let properties = "{name: none}, {name: a, type: INT, minimum: '2', maximum: '1'}, {name: t, type: INT, maximum: ten}, \
                      {name: 'ä', type: INT}, {name: gap, type: INT, minimum: '0.2', maximum: '0.8'}, \
                      {name: gap, type: INT}";
    let expected = ": the device model default/m has to be corrected first:
  property \"none\", type: unknown data type \"\": use INT, FLOAT, DOUBLE, STRING, BOOLEAN, BYTES or STREAM
  property \"a\", minimum: 2 is greater than the maximum, 1: exchange them, or correct one
  property \"t\", maximum: \"ten\" is no number: write digits, such as \"-40\" or \"12.5\"
  property \"gap\", minimum: no INT lies from 0.2 to 0.8: widen the bounds
  property \"gap\", name: stands twice: the first one counts
  property \"ä\", name: the name holds 'ä', and edgecore takes letters, digits and -_.,:/@# only: rename the property";
    assert_eq!(error(&model(properties), false), expected);
}

#[test]
fn a_model_without_properties_or_protocol_is_told_so() {
    assert_eq!(error(&model(""), false), ": the device model default/m has no properties: add them to spec.properties");
    let without = model("{name: a, type: INT}").replace("protocol: p, ", "");
    let expected = "the device model default/m names no protocol: write it to spec.protocol";
    assert_eq!(error(&without, true), expected);
    let folder = folder(&without);
    assert!(scaffolded(&folder.path().join("model.yaml"), false).is_ok(), "a driver needs no protocol");
}

#[test]
fn a_model_of_another_protocol_than_the_mappers_is_warned_of_and_served_all_the_same() {
    let text = model("{name: a, type: INT}");
    let without = folder(&text.replace("protocol: p, ", ""));
    let folder = folder(&text);
    let file = folder.path().join("model.yaml");
    let expected = format!(
        "{}: spec.protocol of the device model default/m is \"p\", and this mapper serves \"q\": write \"q\" to spec.protocol, \
         or change the mapper's protocol by `.protocol(\"p\")` in main.rs and `common.protocol` in config.yaml",
        file.display()
    );
    for instance in [false, true] {
        let (made, warning) = scaffolded_by("q", &file, instance).unwrap();
        assert_eq!((made, warning), (scaffolded(&file, instance).unwrap(), Some(expected.clone())));
    }
    for (protocol, file) in [("p", &file), ("", &file), ("q", &without.path().join("model.yaml"))] {
        assert_eq!(scaffolded_by(protocol, file, false).unwrap().1, None, "{protocol:?}, {}", file.display());
    }
}
