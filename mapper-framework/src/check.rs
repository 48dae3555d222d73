//! `check`: what is wrong with manifests, before a node finds it.
//!
//! Rules look at one resource each and give [`Verdicts`]; here they are put together, placed at their lines and printed.

mod budget;
mod devices;
mod driver;
mod finding;
mod fleet;
mod models;
mod numbers;
mod print;
mod properties;
mod sinks;

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use crate::{
    cli::{CheckArgs, Format},
    driver::ErasedDriver,
    manifest::{
        Release,
        files::{self, FilesError, Text},
    },
    mapper::MapperBuilder,
    model::{IllegalValues, ReportRules},
    sink::{self, Access, ErasedKind},
};

use finding::{Finding, Severity, Verdicts};
use fleet::{Fleet, Library};

/// Why nothing was checked, or not told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// What the command line names.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Standard output.
    #[error("cannot print what was found: {0}")]
    Print(#[from] io::Error),
}

/// What to do where whoever found something does not say it, such as a driver or a sink of one's own.
const DEFAULT_CURE: &str = "correct it in the manifest";

/// What of the mapper the manifests have to fit.
struct Mapper<'a> {
    driver: &'a dyn ErasedDriver,
    protocol: &'a str,
    kinds: Vec<Arc<dyn ErasedKind>>,
    /// Those that take frames of a stream.
    frame_kinds: Vec<Arc<dyn ErasedKind>>,
    access: Access,
    budget: f64,
    twins: ReportRules,
    illegal: IllegalValues,
    call_timeout: Duration,
    /// What the cluster runs.
    release: Release,
    /// Whether devices may have a namespace of which edgecore loses all twins and states.
    allows_lost_namespaces: bool,
}

/// What was found in how much.
struct Report {
    findings: Vec<Finding>,
    /// What the driver will read of each property, where it says so.
    reads: Vec<String>,
    devices: usize,
    models: usize,
    files: usize,
}

/// Checks the manifests, prints what is wrong with them, and returns the exit code.
pub(crate) fn run(builder: &MapperBuilder, args: &CheckArgs, mut out: impl Write) -> Result<ExitCode, CheckError> {
    let (release, allows_lost_namespaces) = (args.kubeedge, args.allow_lost_namespaces);
    let mapper = Mapper { release, allows_lost_namespaces, ..Mapper::of(builder) };
    let report = check(&mapper, &files::read(&args.paths)?);
    match args.format {
        Format::Text => print::text(&report, &mut out)?,
        Format::Json => print::json(&report, &mut out)?,
    }
    let has_failed = report.count(Severity::Error) > 0 || args.strict && !report.findings.is_empty();
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl<'a> Mapper<'a> {
    fn of(builder: &'a MapperBuilder) -> Self {
        Self {
            driver: &*builder.driver,
            protocol: &builder.config.common.protocol,
            kinds: builder.sink_kinds(),
            frame_kinds: sink::frame_kinds(&builder.config.sinks),
            access: Access::new(&builder.config.sinks),
            budget: builder.config.report.budget(),
            twins: builder.config.report.rules(),
            illegal: builder.config.report.illegal,
            call_timeout: builder.config.driver.call_timeout,
            release: Release::default(),
            allows_lost_namespaces: false,
        }
    }
}

impl Report {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

fn check(mapper: &Mapper<'_>, texts: &[Text]) -> Report {
    let library = Library::read(texts);
    let mut fleet = Fleet::read(&library, mapper.release);
    let mut findings = fleet.take_findings();
    for (place, model) in &fleet.models {
        let mut verdicts = Verdicts::default();
        models::check(model, &mut verdicts);
        numbers::check(&model.spec.configs(), place, &mut verdicts);
        findings.extend(place.findings(verdicts));
    }
    let (mut known, mut reads) = (Vec::new(), Vec::new());
    for (place, manifest) in &fleet.devices {
        let mut verdicts = Verdicts::default();
        let model = fleet.model(&manifest.model());
        let resolved = fleet::resolve(manifest, model);
        devices::check(mapper, manifest, &fleet, &mut verdicts);
        properties::check(mapper, manifest, model, resolved.as_ref(), &mut verdicts);
        numbers::check(&manifest.spec.configs(), place, &mut verdicts);
        // The devices of another protocol are another mapper's.
        if let Some(resolved) = &resolved
            && manifest.protocol() == mapper.protocol
        {
            driver::check(mapper, manifest, resolved, &mut verdicts);
            sinks::check(mapper, manifest, resolved, &mut verdicts);
        }
        reads.extend(place.reads(&verdicts));
        findings.extend(place.findings(verdicts));
        known.extend(resolved.map(|resolved| (place, manifest, resolved.device)));
    }
    findings.extend(budget::check(&known, mapper.budget, &mapper.twins));
    findings.sort();
    findings.dedup();
    Report { findings, reads, devices: fleet.devices.len(), models: fleet.models.len(), files: texts.len() }
}
