//! The bump itself: a project of the newest release moves to what the working tree will be released as, by a version number alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use integration_tests::{cargo::root, folder::checksums, generate::generate};

use crate::{
    kept,
    project::Project,
    registry::{Registry, run},
};

/// A version: three numbers.
type Version = [u64; 3];

/// The working tree's.
const WORKSPACE: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_project_moves_to_the_next_patch_and_the_next_minor_without_an_edit_of_its_sources() -> Result<()> {
    let release = newest_release()?;
    let registry = Registry::create()?;
    registry.publish(&kept(&format!("releases/mapper-framework-{}.crate", text(release))))?;
    // What the template gave when it was released: who moves has a project of that day. Today's template may call what only the
    // working tree has, and its project would not compile with the release.
    let user = Project::copy(&generated(release), &registry)?;
    let sources = user.sources()?;
    user.ask_for(&text(release))?;
    passes(&user, release)?;

    let package = Package::of_working_tree()?;
    let (patch, next) = targets(release, parse(WORKSPACE)?);
    if let Some(patch) = patch {
        registry.publish(&package.version(patch)?)?;
        user.cargo(&["update", "mapper-framework"])?;
        passes(&user, patch)?;
    }
    registry.publish(&package.version(next)?)?;
    user.cargo(&["update", "mapper-framework"])?;
    assert_eq!(user.locked()?, text(patch.unwrap_or(release)), "`cargo update` never goes beyond a minor version");
    user.ask_for(&text(next))?;
    passes(&user, next)?;
    assert_eq!(user.sources()?, sources, "the sources are as they were");
    Ok(())
}

/// As long as nothing but the release has its version, its template is the release's, too. After that it may move on.
#[test]
fn the_template_gives_what_is_frozen_of_its_release() -> Result<()> {
    let release = newest_release()?;
    if text(release) == WORKSPACE {
        let (frozen, given) =
            (generated(release), generate(&[("project-name", "generated"), ("framework", "released")])?);
        assert_eq!(
            checksums(&given.path.join("src"))?,
            checksums(&frozen.join("src"))?,
            "mapper-template gives something else than {}: raise the version in Cargo.toml, or freeze again if nobody has it yet",
            frozen.display()
        );
    }
    Ok(())
}

/// The project that is frozen of a release: what its template gave to who took every default.
fn generated([major, minor, _]: Version) -> PathBuf {
    kept(&format!("v{major}_{minor}/generated"))
}

/// The user's tests pass, with this version.
fn passes(user: &Project<'_>, version: Version) -> Result<()> {
    user.cargo(&["test"]).with_context(|| format!("with mapper-framework {}", text(version)))?;
    assert_eq!(user.locked()?, text(version));
    Ok(())
}

/// What the working tree may become: a patch, unless it is beyond the release's minor version already, and a minor version.
fn targets(release: Version, workspace: Version) -> (Option<Version>, Version) {
    let [major, minor, patch] = workspace;
    if workspace[..2] == release[..2] {
        (Some([major, minor, patch + 1]), [major, minor + 1, 0])
    } else {
        (None, workspace)
    }
}

fn newest_release() -> Result<Version> {
    let mut newest = None;
    for entry in fs::read_dir(kept("releases"))? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        let version = name.strip_prefix("mapper-framework-").and_then(|name| name.strip_suffix(".crate"));
        newest = newest.max(Some(parse(version.with_context(|| format!("releases/{name} is no release"))?)?));
    }
    newest.context("the first release is kept")
}

fn parse(version: &str) -> Result<Version> {
    let numbers: Vec<u64> = version.split('.').map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().ok().with_context(|| format!("{version} has three numbers"))
}

fn text([major, minor, patch]: Version) -> String {
    format!("{major}.{minor}.{patch}")
}

/// The packaged working tree, to be given any version.
struct Package {
    folder: tempfile::TempDir,
    name: String,
}

impl Package {
    fn of_working_tree() -> Result<Self> {
        let (folder, name) = (tempfile::tempdir()?, format!("mapper-framework-{WORKSPACE}"));
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["package", "--locked", "--no-verify", "--allow-dirty", "-p", "mapper-framework", "--target-dir"]);
        run(cargo.arg(folder.path()).current_dir(root()))?;
        let packed = folder.path().join("package").join(format!("{name}.crate"));
        run(Command::new("tar").arg("-xzf").arg(packed).arg("-C").arg(folder.path()))?;
        Ok(Self { folder, name })
    }

    /// Packages it as this version, and gives the file.
    fn version(&self, version: Version) -> Result<PathBuf> {
        let name = format!("mapper-framework-{}", text(version));
        let (from, to) = (self.folder.path().join(&self.name), self.folder.path().join(&name));
        if from != to {
            integration_tests::folder::copy(&from, &to)?;
            set_version(&to.join("Cargo.toml"), &text(version))?;
        }
        let file = self.folder.path().join(format!("{name}.crate"));
        run(Command::new("tar").arg("-czf").arg(&file).arg("-C").arg(self.folder.path()).arg(name))?;
        Ok(file)
    }
}

fn set_version(manifest: &Path, version: &str) -> Result<()> {
    let text = fs::read_to_string(manifest)?;
    let old = format!("\nversion = \"{WORKSPACE}\"\n");
    anyhow::ensure!(text.contains(&old), "{} has no version", manifest.display());
    Ok(fs::write(manifest, text.replacen(&old, &format!("\nversion = \"{version}\"\n"), 1))?)
}

#[test]
fn the_targets_follow_the_working_tree() {
    assert_eq!(targets([0, 1, 0], [0, 1, 0]), (Some([0, 1, 1]), [0, 2, 0]));
    assert_eq!(targets([0, 1, 0], [0, 1, 4]), (Some([0, 1, 5]), [0, 2, 0]));
    assert_eq!(targets([0, 1, 9], [0, 2, 0]), (None, [0, 2, 0]));
}
