//! The template itself, as cargo-generate renders it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use cargo_generate::{GenerateArgs, TemplatePath, Vcs};

use crate::{questions::Questions, root};

/// A question's name, and what is answered.
pub type Answer = (String, String);

/// Makes the project's folder in the one named by `destination`, and gives its path. With `ask`, a question without an answer, and a
/// missing name, are asked in the terminal.
///
/// # Errors
///
/// The template refuses an answer or the name, there is something in the folder's place, or it cannot be written. Then nothing is left
/// behind.
pub fn generate(name: Option<&str>, answers: &[Answer], destination: &Path, ask: bool) -> Result<PathBuf> {
    if let Some(name) = name {
        is_free(&destination.join(name))?;
    }
    // cargo-generate makes the folder before it looks at the answers, and leaves it where it refuses one.
    let workshop = tempfile::tempdir().context("there is no folder for temporary files")?;
    let made = cargo_generate::generate(GenerateArgs {
        template_path: TemplatePath { path: Some(text(&root().join("mapper-template"))?), ..TemplatePath::default() },
        name: name.map(str::to_owned),
        define: answers.iter().map(|(question, answer)| format!("{question}={answer}")).collect(),
        destination: Some(workshop.path().to_owned()),
        silent: !ask,
        // No repository is made, and what is generated is what the template says.
        vcs: Some(Vcs::None),
        no_workspace: true,
        no_fmt: true,
        ..GenerateArgs::default()
    })?;
    let project = destination.join(made.file_name().context("the project has a name")?);
    is_free(&project)?;
    copy(&made, &project).inspect_err(|_| drop(fs::remove_dir_all(&project)))?;
    Ok(project)
}

/// What `--help` says of the answers.
pub(crate) fn answers_help() -> String {
    Questions::read(&root().join("mapper-template"))
        .map_or_else(|error| format!("{error:#}"), |questions| questions.help())
}

fn is_free(folder: &Path) -> Result<()> {
    ensure!(!folder.exists(), "{} exists already: take another name, or another --destination", folder.display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("{} cannot be written", to.display()))?;
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{} is not text", path.display()))
}
