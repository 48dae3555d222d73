//! Runs the benchmarks.

use std::fs;

use anyhow::{Result, ensure};

use crate::{
    shell,
    tools::{self, Without},
};

/// The packages with benchmarks, and their folders.
const PACKAGES: [(&str, &str); 2] = [("mapper-framework", "mapper-framework"), ("integration-tests", "tests")];

/// The arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs only the benchmarks whose name contains this.
    name: Option<String>,
    #[command(flatten)]
    without: Without,
}

/// Runs the benchmarks, one after the other, with the environment that says where the servers are.
pub(crate) fn run(args: &Args) -> Result<()> {
    let name = args.name.as_deref().unwrap_or_default();
    let packages: Vec<_> = PACKAGES.iter().filter(|(_, folder)| has_benchmark(folder, name)).collect();
    ensure!(
        !packages.is_empty(),
        "no benchmark has {name} in its name: the README.md in each folder `benches` lists them"
    );
    let environment = tools::provide(&args.without)?;
    let mut cargo = shell::cargo();
    cargo.arg("bench").args(packages.iter().flat_map(|(package, _)| ["-p", package]));
    cargo.arg("--bench").arg(format!("*{name}*"));
    environment.apply(&mut cargo);
    let outcome = shell::run(&mut cargo);
    args.without.announce();
    outcome
}

/// Whether a package has a benchmark, a file or a folder, whose name contains this. Others need not be built.
fn has_benchmark(folder: &str, name: &str) -> bool {
    let entries = fs::read_dir(crate::root().join(folder).join("benches")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).any(|file| file.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_with_such_a_benchmark_are_built() {
        let with = |name| PACKAGES.map(|(_, folder)| has_benchmark(folder, name));
        assert_eq!(
            (with(""), with("stream"), with("sinks"), with("none")),
            ([true, true], [true, false], [false, true], [false, false])
        );
    }
}
