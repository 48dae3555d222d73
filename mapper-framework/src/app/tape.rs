//! Runs that are recorded, and runs on recordings.

use std::{process::ExitCode, sync::Arc};

use super::{AppError, load, perform};
use crate::{
    cli::{Cli, RecordArgs},
    mapper::MapperBuilder,
    tape::{Recorder, recording},
};

/// Runs the mapper as without the subcommand, and keeps the calls to its driver.
pub(super) fn record(mut builder: MapperBuilder, cli: &Cli, args: &RecordArgs) -> Result<ExitCode, AppError> {
    let (config, _) = load(builder.config.clone(), cli)?;
    let mapper = format!("{} {}", builder.package.name(), builder.package.version());
    let (protocol, telemetry) = (&config.common.protocol, builder.telemetry.clone());
    let recorder = Arc::new(Recorder::create(&args.file, protocol, &mapper, args.max_bytes, telemetry)?);
    builder.driver = recording(builder.driver, Arc::clone(&recorder));
    #[cfg_attr(not(feature = "standalone"), expect(unused_mut, reason = "there is nothing to add"))]
    let mut run = cli.run_for(args.run_for);
    #[cfg(feature = "standalone")]
    run.standalone.clone_from(&args.standalone);
    let ended = perform(builder, &run);
    recorder.finish().map_err(|source| AppError::System { what: "end the recording", source })?;
    ended
}

/// Runs the mapper on a recording, until that ends.
#[cfg(feature = "standalone")]
pub(super) fn replay(
    mut builder: MapperBuilder,
    cli: &Cli,
    args: &crate::cli::ReplayArgs,
) -> Result<ExitCode, AppError> {
    use std::fs;

    use crate::tape::{Tape, replaying};

    let (config, _) = load(builder.config.clone(), cli)?;
    let tape = Tape::read(&args.file, &config.common.protocol)?;
    if tape.is_torn {
        let (file, end) = (args.file.display(), tape.duration().as_secs_f64());
        eprintln!("warning: {file}: its end is missing, and it is replayed up to its last whole entry, at {end:.1} s");
    }
    // Removed with the run's end.
    let folder = tempfile::tempdir().map_err(|source| AppError::System { what: "make a folder", source })?;
    let manifests = folder.path().join("recorded.yaml");
    let written = fs::write(&manifests, tape.manifests(args.speed));
    written.map_err(|source| AppError::System { what: "write the recorded manifests", source })?;
    let run_for = args.run_for.unwrap_or_else(|| tape.duration().div_f64(args.speed));
    builder.driver = replaying(builder.driver, tape, args.speed);
    let mut run = cli.run_for(Some(run_for));
    run.standalone.push(manifests);
    perform(builder, &run)
}
