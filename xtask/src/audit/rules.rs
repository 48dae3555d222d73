//! The rules of `deny.toml` that can be checked on the list of packages alone.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use super::metadata::Package;

#[derive(Debug, Deserialize)]
pub(super) struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
    advisories: Advisories,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// The crates that may bring it all the same.
    #[serde(default)]
    wrappers: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

#[derive(Debug, Deserialize)]
struct Ignored {
    id: String,
    /// Begins with the crate and its version.
    reason: String,
}

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("deny.toml is not as expected")
    }

    /// Why the package's licence is not allowed.
    pub(super) fn licence(&self, package: &Package) -> Option<String> {
        let Some(licence) = &package.license else {
            // A package of this workspace that is not published may do without.
            return package.source.as_ref().map(|_| "it has no licence".to_owned());
        };
        // Old packages write `MIT/Apache-2.0`.
        let expression = match Expression::parse_mode(licence, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => return Some(format!("the licence {licence:?} cannot be read: {}", error.reason)),
        };
        let exception = self.licenses.exceptions.iter().find(|exception| exception.name == package.name);
        let is_allowed = |licence: &spdx::LicenseReq| {
            let exact = licence.to_string();
            let name = exact.trim_end_matches('+');
            let allowed = |list: &BTreeSet<String>| list.contains(&exact) || list.contains(name);
            allowed(&self.licenses.allow) || exception.is_some_and(|exception| allowed(&exception.allow))
        };
        (!expression.evaluate(is_allowed)).then(|| format!("the licence {licence} is not in licenses.allow"))
    }

    /// Why the package must not be there. It may where only its wrappers bring it.
    pub(super) fn ban(&self, package: &Package, packages: &[Package]) -> Option<String> {
        let ban = self.bans.deny.iter().find(|ban| ban.name == package.name)?;
        let brings = |other: &Package| other.dependencies.iter().any(|dependency| dependency.brings(&ban.name));
        let mut bringers = packages.iter().filter(|other| brings(other)).peekable();
        if bringers.peek().is_some() && bringers.all(|other| ban.wrappers.contains(&other.name)) {
            return None;
        }
        Some(format!("it is banned: {}; `cargo tree --workspace -i {}` says what brings it", ban.reason, ban.name))
    }

    /// Why the package must not come from where it comes.
    pub(super) fn source(&self, package: &Package) -> Option<String> {
        let source = package.source.as_ref()?;
        let registry = source.strip_prefix("registry+");
        let is_known = registry.is_some_and(|registry| self.sources.allow_registry.contains(registry));
        (!is_known).then(|| format!("{source} is not in sources.allow-registry"))
    }

    /// Which dependency takes any version whatsoever.
    pub(super) fn wildcards(&self, package: &Package) -> Option<String> {
        let mut of_workspace = package.dependencies.iter().filter(|_| package.source.is_none());
        let any = of_workspace.find(|dependency| dependency.req == "*" && dependency.path.is_none())?;
        Some(format!("it takes any version of {}", any.name))
    }

    /// The advisories whose packages are gone.
    pub(super) fn outlived(&self, packages: &[Package]) -> impl Iterator<Item = String> {
        let gone = self.advisories.ignore.iter().filter(|ignored| {
            let is_about =
                |package: &Package| ignored.reason.starts_with(&format!("{} {}:", package.name, package.version));
            !packages.iter().any(is_about)
        });
        gone.map(|Ignored { id, reason }| {
            format!("{id}: no package begins its reason, {reason:?}: take it out of advisories.ignore")
        })
    }
}
