//! `scaffold`: from a DeviceModel to the code and the Device that go with it.

mod code;
mod instance;
mod model;
mod names;
mod output;
mod text;

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    cli::ScaffoldArgs,
    manifest::ManifestError,
    model::{ModelId, Problem},
};
use model::Model;

/// Why nothing can be made of a model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScaffoldError {
    /// The operating system's refusal.
    #[error("{}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    /// The file is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The file's manifests are of other kinds.
    #[error("{}: holds no DeviceModel: name a file that does", file.display())]
    NoModel { file: PathBuf },
    /// There is nothing that says which one is meant.
    #[error("{}: holds {} device models, {}: leave one of them in it", file.display(), ids.len(), listed(ids))]
    SeveralModels { file: PathBuf, ids: Vec<ModelId> },
    /// There would be no property to read.
    #[error("{}: the device model {id} has no properties: add them to spec.properties", file.display())]
    NoProperties { file: PathBuf, id: ModelId },
    /// A driver needs none, and a device does.
    #[error("the device model {0} names no protocol: write it to spec.protocol")]
    NoProtocol(ModelId),
    /// What a mapper would leave out, or edgecore would.
    #[error("{}: the device model {id} has to be corrected first:{}", file.display(), lines(problems))]
    Wrong { file: PathBuf, id: ModelId, problems: Vec<Problem> },
    /// `--output` without `--force`.
    #[error("{}: exists, and is left as it is: name another file, or add --force", .0.display())]
    Exists(PathBuf),
    /// `--output`.
    #[error("{}: cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// Standard output.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// The model's protocol is not the mapper's, and no device of it would come to this mapper.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: spec.protocol of the device model {id} is {model:?}, and this mapper serves {mapper:?}: write {mapper:?} to spec.protocol, \
     or change the mapper's protocol by `.protocol({model:?})` in main.rs and `common.protocol` in config.yaml",
    file.display()
)]
pub(crate) struct ForeignProtocol<'a> {
    file: &'a Path,
    id: &'a ModelId,
    model: &'a str,
    mapper: &'a str,
}

impl<'a> ForeignProtocol<'a> {
    /// Compares what both name. One that names none fits the other.
    fn of(model: &'a Model, mapper: &'a str, file: &'a Path) -> Option<Self> {
        let Model { id, protocol, .. } = model;
        let differ = !protocol.is_empty() && !mapper.is_empty() && protocol != mapper;
        differ.then_some(Self { file, id, model: protocol, mapper })
    }
}

fn listed(ids: &[ModelId]) -> String {
    ids.iter().map(ModelId::as_str).collect::<Vec<_>>().join(", ")
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// Prints a driver or a Device for a model, or writes it to a file. A model of another protocol than the mapper's is worth a warning
/// only: it may be the mapper that is to be changed.
pub(crate) fn run(
    args: &ScaffoldArgs,
    protocol: &str,
    mut out: impl Write,
    warn: impl FnOnce(ForeignProtocol<'_>),
) -> Result<ExitCode, ScaffoldError> {
    let model = Model::read(&args.model)?;
    let text = if args.instance { instance::manifest(&model)? } else { code::driver(&model) };
    match &args.output {
        Some(path) => output::write(path, &text, args.force)?,
        None => out.write_all(text.as_bytes())?,
    }
    if let Some(foreign) = ForeignProtocol::of(&model, protocol, &args.model) {
        warn(foreign);
    }
    Ok(ExitCode::SUCCESS)
}
