//! What becomes of a corpus of old manifests, held against golden files, and that `check` takes it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::{
    Device, Driver, DriverError, Mapper, Property, Reading, Session, check,
    cli::{CheckArgs, Format},
    manifest::Release,
    model,
};

/// The mapper whose program converts.
const PROTOCOL: &str = "virtual-thermometer";

/// What was printed, what was reported, and the exit code.
fn convert(paths: &[PathBuf]) -> (String, String, ExitCode) {
    let (mut out, mut notes) = (Vec::new(), String::new());
    let args = ConvertArgs { paths: paths.to_vec() };
    let code = run(&args, PROTOCOL, &mut out, |note| notes += &format!("{note}\n")).unwrap();
    (String::from_utf8(out).unwrap(), notes, code)
}

/// The same of a file's text.
fn convert_text(text: &str) -> (String, String, ExitCode) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.yaml");
    fs::write(&file, text).unwrap();
    let (new, notes, code) = convert(&[file]);
    let path = format!("{}/", folder.path().display());
    (new.replace(&path, ""), notes.replace(&path, ""), code)
}

fn file(name: &str, extension: &str) -> PathBuf {
    Path::new("tests/convert").join(format!("{name}.{extension}"))
}

/// The corpus, with the protocol of those whose manifests are sound.
const CORPUS: [(&str, Option<&str>); 7] = [
    ("bluetooth", Some("bluetooth")),
    ("customized", None),
    ("led", Some(PROTOCOL)),
    ("list", Some(PROTOCOL)),
    ("modbus-rtu", Some("modbus")),
    ("modbus-tcp", Some("modbus")),
    ("opcua", Some("opcua")),
];

#[test]
fn what_becomes_of_the_corpus_is_what_the_golden_files_hold() {
    for (name, _) in CORPUS {
        let (old, new, notes) = (file(name, "old.yaml"), file(name, "new.yaml"), file(name, "notes.txt"));
        let (converted, reported, code) = convert(std::slice::from_ref(&old));
        assert_eq!(code, ExitCode::SUCCESS, "{name}");
        let wanted = (fs::read_to_string(&new).unwrap_or_default(), fs::read_to_string(&notes).unwrap_or_default());
        assert!(
            (&converted, &reported) == (&wanted.0, &wanted.1),
            "{name} is not what is made now. If the change is meant, in mapper-framework: \
             cargo run -q -p virtual-thermometer -- convert {} > {} 2> {}\n{converted}\n{reported}",
            old.display(),
            new.display(),
            notes.display()
        );
    }
}

/// A driver that takes every key.
struct Anything;

impl Driver for Anything {
    type Config = model::ConfigData;
    type Session = Self;

    async fn connect(&self, _: &Device, _: model::ConfigData) -> Result<Self, DriverError> {
        Ok(Self)
    }
}

impl Session for Anything {
    type Visitor = model::ConfigData;

    async fn read(&mut self, _: &Property<model::ConfigData>) -> Result<Reading, DriverError> {
        Ok(0.into())
    }
}

#[test]
fn check_takes_what_becomes_of_sound_manifests_and_convert_leaves_it_as_it_is() {
    for (name, protocol) in CORPUS.into_iter().filter_map(|(name, protocol)| Some((name, protocol?))) {
        let new = file(name, "new.yaml");
        let (paths, format, kubeedge) = (vec![new.clone()], Format::Text, Release::default());
        let args = CheckArgs { paths, format, strict: true, kubeedge, allow_lost_namespaces: false };
        let mut out = Vec::new();
        let code = check::run(&Mapper::builder(Anything).protocol(protocol), &args, &mut out).unwrap();
        assert_eq!(code, ExitCode::SUCCESS, "{}", String::from_utf8_lossy(&out));
        let (again, notes, _) = convert(&[new]);
        assert!(
            notes.lines().all(|line| line.contains("is left as it is") || line.starts_with("0 converted")),
            "{notes}"
        );
        let text = fs::read_to_string(file(name, "new.yaml")).unwrap();
        assert_eq!(again.matches("\nkind: ").count(), text.matches("\nkind: ").count(), "{again}");
    }
}

#[test]
fn a_model_in_one_file_serves_a_device_in_another() {
    let text = fs::read_to_string(file("bluetooth", "old.yaml")).unwrap();
    let (model, device) = text.split_once("---\n").unwrap();
    let (_, notes, _) = convert_text(model);
    assert!(
        notes.contains(
            "old.yaml:20: note: DeviceModel default/sensor-tag: spec.propertyVisitors: left out, and no device"
        ),
        "{notes}"
    );
    let (new, notes, _) = convert_text(device);
    assert!(!new.contains("characteristicUUID") && new.contains("name: light"), "{new}{notes}");

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("z-model.yaml"), model).unwrap();
    fs::write(folder.path().join("a-device.yaml"), device).unwrap();
    let (new, _, _) = convert(&[folder.path().to_owned()]);
    assert_eq!(new.matches("characteristicUUID").count(), 2, "{new}");
    assert!(new.contains("protocol: bluetooth\n"), "{new}");
}

#[test]
fn a_document_that_is_no_yaml_costs_itself_and_the_exit_code() {
    let led = fs::read_to_string(file("led", "old.yaml")).unwrap();
    let (whole, ..) = convert_text(&led);
    let (new, notes, code) = convert_text(&format!("{led}---\nkind: [\n"));
    assert_eq!(code, ExitCode::FAILURE);
    assert_eq!(new, whole);
    let place = format!("old.yaml:{}: error: not valid YAML: ", led.lines().count() + 2);
    assert!(notes.starts_with(&place), "{notes}");
}

#[test]
fn shapes_that_nobody_expects_are_noted_and_never_a_panic() {
    let device = |spec: &str| {
        format!("apiVersion: devices.kubeedge.io/v1alpha2\nkind: Device\nmetadata: {{name: d}}\nspec: {spec}\n")
    };
    for (spec, field) in [
        ("[1]", "spec: [1] is left out: a mapping"),
        ("{propertyVisitors: 5}", "spec.propertyVisitors: 5 is left out: a list"),
        ("{propertyVisitors: [7]}", "spec.propertyVisitors[0]: 7 is left out: a mapping"),
        ("{protocol: {modbus: tcp}}", "spec.protocol.modbus: \"tcp\" is left out: a mapping"),
        ("{nodeSelector: edge}", "spec.nodeSelector: \"edge\" names no node"),
        ("{propertyVisitors: [{propertyName: [a]}]}", "spec.propertyVisitors[0].propertyName: [\"a\"] is left out"),
        ("{propertyVisitors: [{propertyName: a, collectCycle: soon}]}", "collectCycle: \"soon\" is left out"),
        ("{comom: {com: 1}}", "spec.comom: {\"com\":1} is left out: v1beta1 has no such field"),
    ] {
        let (new, notes, code) = convert_text(&device(spec));
        assert!(notes.contains(field), "{spec}:\n{notes}");
        assert!(new.contains(field) && code == ExitCode::SUCCESS, "{new}");
    }
    let (new, notes, _) = convert_text("just text\n---\n[1, 2]\n---\n");
    assert!(new.lines().all(|line| line.starts_with('#') || line == "---"), "{new}");
    assert_eq!(notes.matches("(missing) of (missing) is left out").count(), 2, "{notes}");
}
