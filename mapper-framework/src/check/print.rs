//! What was found, for people and for programs.

use std::io::{self, Write};

use super::{Report, Severity};

/// A line for what each property reads, where the driver says it, then one for each finding, and one that sums them up.
pub(super) fn text(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for reads in &report.reads {
        writeln!(out, "{reads}")?;
    }
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    let Report { devices, models, files, .. } = *report;
    let files = many(files, "file");
    let [errors, warnings] = [Severity::Error, Severity::Warning].map(|severity| report.count(severity));
    match (errors, warnings) {
        (0, 0) => {
            let (devices, models) = (many(devices, "device"), many(models, "model"));
            writeln!(out, "{devices} and {models} in {files}: nothing to complain about")
        }
        (errors, 0) => writeln!(out, "{} in {files}", many(errors, "error")),
        (0, warnings) => writeln!(out, "{} in {files}", many(warnings, "warning")),
        (errors, warnings) => {
            writeln!(out, "{}, {} in {files}", many(errors, "error"), many(warnings, "warning"))
        }
    }
}

/// An array of objects, empty where there is nothing to complain about.
pub(super) fn json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &report.findings)?;
    writeln!(out)
}

fn many(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
