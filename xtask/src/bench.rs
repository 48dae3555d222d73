//! Runs the benchmarks.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

use crate::{
    shell,
    tools::{self, Without},
};

/// The packages with benchmarks, and their folders. Beside them each of [`EXAMPLES`] may have some, and is named as its folder.
const PACKAGES: [(&str, &str); 2] = [("mapper-framework", "mapper-framework"), ("integration-tests", "tests")];

/// The folder of the examples.
const EXAMPLES: &str = "examples";

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
    let packages = packages(name);
    ensure!(
        !packages.is_empty(),
        "no benchmark has {name} in its name: the README.md in each folder `benches` lists them"
    );
    let environment = tools::provide(&args.without)?;
    let mut cargo = shell::cargo();
    cargo.arg("bench").args(packages.iter().flat_map(|package| ["-p", package]));
    cargo.arg("--bench").arg(format!("*{name}*"));
    environment.apply(&mut cargo);
    let outcome = shell::run(&mut cargo);
    args.without.announce();
    outcome
}

/// The packages with a benchmark whose name contains this. Others need not be built.
fn packages(name: &str) -> Vec<String> {
    let root = crate::root();
    let examples = names(&root.join(EXAMPLES)).into_iter().map(|name| (name.clone(), format!("{EXAMPLES}/{name}")));
    let all = PACKAGES.map(|(package, folder)| (package.to_owned(), folder.to_owned())).into_iter().chain(examples);
    let has_benchmark = |folder: &str| names(&root.join(folder).join("benches")).iter().any(|file| file.contains(name));
    all.filter(|(_, folder)| has_benchmark(folder)).map(|(package, _)| package).collect()
}

/// The names of the files and folders in a folder, in their order; none if there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_with_such_a_benchmark_are_built() {
        assert_eq!(packages("stream"), ["mapper-framework"]);
        assert_eq!(packages("sinks"), ["integration-tests"]);
        assert!(packages("none").is_empty());
        let all = packages("");
        assert!(PACKAGES.iter().all(|(package, _)| all.iter().any(|named| named == package)), "{all:?}");
    }
}
