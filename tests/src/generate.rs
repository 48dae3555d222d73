//! Projects that are generated from `mapper-template`, as a user does it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use cargo_generate::{GenerateArgs, TemplatePath, Vcs};
use tempfile::TempDir;

use crate::{
    cargo::{self, root},
    folder,
};

/// The answer that tells the name of the project.
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

/// Generates a project in a folder of this one, and tells which.
///
/// # Errors
///
/// As for [`generate`].
pub fn generate_into(destination: &Path, answers: &[(&str, &str)]) -> Result<PathBuf> {
    let (names, others): (Vec<_>, Vec<_>) = answers.iter().partition(|(question, _)| *question == NAME);
    let arguments = GenerateArgs {
        template_path: TemplatePath { path: Some(text(&root().join("mapper-template"))?), ..TemplatePath::default() },
        name: Some(names.first().map_or("my-mapper", |(_, name)| name).to_owned()),
        define: others.iter().map(|(question, answer)| format!("{question}={answer}")).collect(),
        destination: Some(destination.to_owned()),
        // Nobody is asked, no repository is made, and what is generated is what the template says.
        silent: true,
        quiet: true,
        vcs: Some(Vcs::None),
        no_workspace: true,
        no_fmt: true,
        ..GenerateArgs::default()
    };
    cargo_generate::generate(arguments)
}

impl Project {
    /// Cargo in the project's folder, as its user would run it.
    ///
    /// All projects share one target folder, below the workspace's, so that the crates they depend on are built once.
    #[must_use]
    pub fn cargo(&self) -> Command {
        cargo::cargo(&self.path, &cargo::target().join("generated"))
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

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{} is not text", path.display()))
}
