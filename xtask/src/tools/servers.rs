//! The servers that the sinks write to in the tests, which start and stop them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::debian;
use crate::shell;

/// Each program, and the Debian package that brings it.
const SERVERS: [(&str, &str); 9] = [
    ("redis-server", "redis-server"),
    ("mosquitto", "mosquitto"),
    ("nginx", "nginx"),
    ("mariadbd", "mariadb-server"),
    ("mariadb", "mariadb-client"),
    ("mariadb-install-db", "mariadb-server"),
    ("victoria-metrics", "victoria-metrics"),
    ("tinyproxy", "tinyproxy-bin"),
    ("promtool", "prometheus"),
];

/// Provides the servers, and gives a folder with a link to each.
pub(super) fn provide() -> Result<PathBuf> {
    if let Some((packages, missing)) = missing(&SERVERS) {
        debian::install(&packages, &missing, "for the tests of the sinks, which write to real servers")?;
    }
    let folder = super::folder().join("servers");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    for (program, package) in SERVERS {
        let path = find(program).with_context(|| format!("{package} is installed, but brings no {program}"))?;
        link(&path, &folder.join(program))?;
    }
    Ok(folder)
}

/// The packages of those programs that are not there, and a sentence that names these; none if all are there.
pub(super) fn missing(programs: &[(&str, &'static str)]) -> Option<(Vec<&'static str>, String)> {
    let missing: Vec<_> = programs.iter().filter(|(program, _)| find(program).is_none()).collect();
    let names: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    (!packages.is_empty()).then(|| (packages, format!("{} cannot be found", names.join(", "))))
}

/// The program, on the path or where Debian keeps its daemons, which is on the path of few users.
fn find(program: &str) -> Option<PathBuf> {
    let daemon = Path::new("/usr/sbin").join(program);
    shell::find(program).or_else(|| daemon.is_file().then_some(daemon))
}

/// Makes `link` a link to the program.
pub(super) fn link(program: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|target| target == program) {
        return Ok(());
    }
    if link.symlink_metadata().is_ok() {
        fs::remove_file(link).with_context(|| format!("{} cannot be removed", link.display()))?;
    }
    symlink(program, link).with_context(|| format!("{} cannot be made", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_follows_a_program_that_has_moved() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let at = folder.path().join("server");
        link(Path::new("/bin/sh"), &at)?;
        link(Path::new("/bin/sh"), &at)?;
        link(Path::new("/bin/cat"), &at)?;
        assert_eq!(fs::read_link(&at)?, Path::new("/bin/cat"));
        Ok(())
    }
}
