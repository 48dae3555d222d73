//! Holds the locked dependencies against `deny.toml`: licences, bans and sources, without network.
//!
//! It reads the part of that file which cargo-deny has for these, so that both say the same. cargo-deny itself is not built by CI, since
//! that takes longer than all of the project's own crates; the advisories, which need its database, are left to who has it.

mod metadata;
mod rules;

use std::fs;

use anyhow::{Context, Result, ensure};

use metadata::Package;
use rules::Rules;

/// Fails with a line for each package that the rules do not allow.
pub(crate) fn run() -> Result<()> {
    let text = fs::read_to_string(crate::root().join("deny.toml")).context("deny.toml cannot be read")?;
    let rules = Rules::parse(&text)?;
    let packages = metadata::packages()?;
    let complaints = complaints(&rules, &packages);
    ensure!(complaints.is_empty(), "deny.toml is not kept:\n{}", complaints.join("\n"));
    println!("{} packages are as deny.toml has them", packages.len());
    Ok(())
}

fn complaints(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let of_packages = packages.iter().flat_map(|package| {
        let complaints =
            [rules.licence(package), rules.ban(package, packages), rules.source(package), rules.wildcards(package)];
        complaints
            .into_iter()
            .flatten()
            .map(move |complaint| format!("{} {}: {complaint}", package.name, package.version))
    });
    of_packages.chain(rules.outlived(packages)).collect()
}

#[cfg(test)]
mod tests;
