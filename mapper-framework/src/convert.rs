//! `convert`: manifests of KubeEdge before v1.15 become those of `devices.kubeedge.io/v1beta1`.
//!
//! What v1beta1 has no place for stands in a comment before the resource, and is reported with its place and the cure.

mod cycle;
mod device;
mod fields;
mod library;
mod model;
mod note;
mod protocol;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use serde_json::Value;

use crate::{
    cli::ConvertArgs,
    manifest::{
        Fault,
        files::{self, FilesError, Text},
        write::line,
        yaml::Yaml,
    },
};
use fields::Fields;
use library::{Library, Resource};
use note::Notes;

const GROUP: &str = "devices.kubeedge.io/";
const API_VERSION: &str = "devices.kubeedge.io/v1beta1";
/// The versions that are converted.
const OLD: [&str; 2] = ["v1alpha1", "v1alpha2"];

/// Why nothing was converted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConvertError {
    /// What the command line names.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Standard output.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// How many resources became what.
#[derive(Debug, Default)]
struct Counts {
    converted: usize,
    unchanged: usize,
    left_out: usize,
    notes: usize,
}

/// Prints the manifests as those of v1beta1. `report` gets a line for each thing that is lost or assumed, and one that sums up. The exit
/// code is 1 if a file or a document cannot be read.
///
/// `protocol` is the mapper's, for devices that name none.
pub(crate) fn run(
    args: &ConvertArgs,
    protocol: &str,
    mut out: impl Write,
    mut report: impl FnMut(&str),
) -> Result<ExitCode, ConvertError> {
    let texts = files::read(&args.paths)?;
    let library = Library::read(&texts);
    library.unreadable.iter().for_each(|note| report(&note.to_string()));
    let mut counts = Counts::default();
    for (number, resource) in library.resources.iter().enumerate() {
        let (text, notes) = converted(resource, &library, protocol, &mut counts);
        let separator = if number == 0 { "" } else { "---\n" };
        write!(out, "{separator}{text}")?;
        notes.iter().for_each(|fault| report(&resource.note(fault).to_string()));
        counts.notes += notes.len();
    }
    report(&counts.to_string());
    Ok(if library.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What becomes of a resource, with what is to be said of it.
fn converted(
    resource: &Resource<'_>,
    library: &Library<'_>,
    protocol: &str,
    counts: &mut Counts,
) -> (String, Vec<Fault>) {
    let mut notes = Notes::default();
    let Some((version, kind)) = of_kubeedge(resource.value()) else {
        counts.left_out += 1;
        notes.add(foreign(resource.value()));
        return (commented(&notes, ""), notes.into());
    };
    let yaml = match kind {
        "DeviceModel" if OLD.contains(&version) => model::convert(resource, library, &mut notes),
        "Device" if OLD.contains(&version) => device::convert(resource, library, protocol, &mut notes),
        _ => {
            counts.unchanged += 1;
            notes.add(Fault::new("apiVersion", format!("{version} is left as it is"), "nothing is to be done"));
            return (resource.verbatim(), notes.into());
        }
    };
    counts.converted += 1;
    let head = format!("# Converted from {GROUP}{version}, {}:{}\n", resource.file.display(), resource.line("kind"));
    (head + &commented(&notes, &yaml.to_string()), notes.into())
}

/// The version and kind of one of KubeEdge's own resources that can be converted or is up to date.
fn of_kubeedge(value: &Value) -> Option<(&str, &str)> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let (version, kind) = (text("apiVersion")?.strip_prefix(GROUP)?, text("kind")?);
    let is_known =
        ["Device", "DeviceModel"].contains(&kind) && (OLD.contains(&version) || API_VERSION.ends_with(version));
    is_known.then_some((version, kind))
}

/// That a resource is none of a device, or of a version that nobody knows.
fn foreign(value: &Value) -> Fault {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("(missing)");
    let (version, kind) = (text("apiVersion"), text("kind"));
    let message = format!("{kind} of {version} is left out");
    let cure = match (version.starts_with(GROUP), kind, value.pointer("/data/deviceProfile.json")) {
        (true, ..) => "write a Device or a DeviceModel of v1alpha1, v1alpha2 or v1beta1",
        (_, "ConfigMap", Some(_)) => {
            "the mapper gets its devices from edgecore: delete the ConfigMap with the old mapper"
        }
        _ => "apply it from its own file, unless it belongs to the old mapper",
    };
    Fault::new("kind", message, cure)
}

/// A manifest after a comment for each note.
fn commented(notes: &Notes, yaml: &str) -> String {
    let comments: String = notes.iter().map(|fault| format!("# {}\n", line(&fault.to_string()))).collect();
    comments + yaml
}

/// `metadata` without what the cluster writes.
fn metadata(resource: &mut Fields, notes: &mut Notes) -> Option<Yaml> {
    const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
    const CLUSTERS: [&str; 8] = [
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    ];
    let mut metadata = resource.section("metadata", notes);
    let mut annotations = metadata.section("annotations", notes);
    let last_applied = annotations.take(LAST_APPLIED).map(|_| LAST_APPLIED);
    let clusters = CLUSTERS.iter().copied().filter(|key| metadata.take(key).is_some());
    let written: Vec<_> = last_applied.into_iter().chain(clusters.collect::<Vec<_>>()).collect();
    if !written.is_empty() {
        let message = format!("{} are left out, since the cluster writes them", written.join(", "));
        notes.add(Fault::new("metadata", message, "nothing is to be done"));
    }
    let mut kept = |key: &str| metadata.take(key).map(Yaml::from);
    let yaml = Yaml::map([
        ("name", kept("name")),
        ("generateName", kept("generateName")),
        ("namespace", kept("namespace")),
        ("labels", kept("labels")),
        ("annotations", annotations.into_yaml().filled()),
        ("finalizers", kept("finalizers")),
        ("ownerReferences", kept("ownerReferences")),
    ]);
    metadata.leave(notes);
    yaml.filled()
}

/// A resource of v1beta1 from its parts.
fn assembled(kind: &str, metadata: Option<Yaml>, spec: Yaml) -> Yaml {
    Yaml::map([
        ("apiVersion", Some(API_VERSION.into())),
        ("kind", Some(kind.into())),
        ("metadata", metadata),
        ("spec", Some(spec)),
    ])
}

/// The name and namespace by which devices and models find each other.
fn key(value: &Value, name: &str) -> (String, String) {
    let namespace =
        value.pointer("/metadata/namespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty());
    (namespace.unwrap_or("default").to_owned(), name.to_owned())
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { converted, unchanged, left_out, notes } = self;
        write!(
            f,
            "{converted} converted, {unchanged} left as they are, {left_out} left out, with {notes} note{}",
            if *notes == 1 { "" } else { "s" }
        )
    }
}
