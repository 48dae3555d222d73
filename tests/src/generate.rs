//! Projects that are generated from `mapper-template`, as a user does it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    cargo::{self, root},
    folder,
};

/// The answer with the name of the project.
const NAME: &str = "project-name";

/// A generated project.
#[derive(Debug)]
pub struct Project {
    /// The project's own folder.
    pub path: PathBuf,
    /// What it is removed with, unless it stays for the next run.
    _folder: Option<TempDir>,
}

/// Generates a project. What is not answered has its default, and the name is `my-mapper`, unless there is an answer to
/// `project-name`.
///
/// # Errors
///
/// The template refuses an answer, or cannot be rendered.
pub fn generate(answers: &[(&str, &str)]) -> Result<Project> {
    let folder = tempfile::tempdir().context("a folder for the project can be made")?;
    let path = generate_into(folder.path(), answers)?;
    Ok(Project { path, _folder: Some(folder) })
}

/// Generates a project at the same place in each run, in the place of the one of its name that was there before: what is built of it
/// takes the place of what was built then, and does not pile up.
///
/// # Errors
///
/// As for [`generate`].
pub fn generate_to_build(answers: &[(&str, &str)]) -> Result<Project> {
    let generated = generate(answers)?;
    let name = generated.path.file_name().context("a project has a name")?;
    let path = cargo::target().join("generated/projects").join(name);
    if path.exists() {
        fs::remove_dir_all(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
    }
    folder::copy(&generated.path, &path)?;
    // The workspace is around it, and its settings are not the project's.
    for settings in ["clippy.toml", "rustfmt.toml"] {
        fs::write(path.join(settings), "").with_context(|| format!("{settings} cannot be written"))?;
    }
    Ok(Project { path, _folder: None })
}

/// Generates a project in a folder of this one, and gives its path. Unless the source of the framework is answered, it is this
/// workspace's.
///
/// # Errors
///
/// As for [`generate`].
pub fn generate_into(destination: &Path, answers: &[(&str, &str)]) -> Result<PathBuf> {
    let framework = root().join("mapper-framework");
    let framework = framework.to_str().context("the workspace's path is text")?;
    let source = [("framework", "path"), ("framework_path", framework)];
    let is_answered = answers.iter().any(|(question, _)| *question == source[0].0);
    let source: &[_] = if is_answered { &[] } else { &source };
    let answers = [answers, source].concat();
    let (names, others): (Vec<_>, Vec<_>) = answers.iter().partition(|(question, _)| *question == NAME);
    let others: Vec<_> = others.iter().map(|&&(question, answer)| (question.to_owned(), answer.to_owned())).collect();
    let name = names.first().map_or("my-mapper", |(_, name)| name);
    new_mapper::generate(Some(name), &others, destination, false)
}

impl Project {
    /// Cargo in the project's folder, as its user would run it.
    ///
    /// All projects share the workspace's target folder, so that the crates they depend on are built once.
    #[must_use]
    pub fn cargo(&self) -> Command {
        cargo::cargo(&self.path)
    }

    /// Gives the project the workspace's `Cargo.lock`: these versions have been downloaded already, and all tests of a machine
    /// build the same ones. Cargo drops from it what the project does not need.
    ///
    /// # Errors
    ///
    /// The file cannot be copied.
    pub fn take_lock(&self) -> Result<()> {
        let lock = "Cargo.lock";
        fs::copy(root().join(lock), self.path.join(lock)).context("Cargo.lock cannot be copied")?;
        Ok(())
    }

    /// The text of a file of the project.
    ///
    /// # Errors
    ///
    /// There is no such file, or no text in it.
    pub fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.path.join(file)).with_context(|| format!("{file} cannot be read"))
    }
}
