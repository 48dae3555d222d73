//! Users of older versions, frozen as they were, compile and pass their tests with the working tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use integration_tests::{cargo::root, folder};

use crate::{
    kept,
    project::Project,
    registry::{Registry, folders},
};

/// The folders of the minor versions, each with the projects of its users.
fn versions() -> Result<Vec<PathBuf>> {
    let lists = folders(&kept("")).into_iter().filter(|path| path.extension().is_some_and(|it| it == "sha256"));
    let versions: Vec<_> = lists.map(|list| list.with_extension("")).collect();
    assert!(versions.contains(&kept("v0_1")), "the first release has users: {versions:?}");
    Ok(versions)
}

/// The projects of a minor version.
fn projects(version: &Path) -> Vec<PathBuf> {
    let projects = folders(version);
    assert!(!projects.is_empty(), "{} holds no project", version.display());
    projects
}

#[test]
fn nobody_has_edited_the_frozen_users() -> Result<()> {
    for version in versions()? {
        let list = fs::read_to_string(version.with_extension("sha256"))?;
        assert_eq!(folder::checksums(&version)?, list, "{} is frozen: take back what was changed", version.display());
    }
    Ok(())
}

#[test]
fn the_frozen_users_pass_their_tests_with_the_working_tree() -> Result<()> {
    let registry = Registry::create()?;
    let patch = format!("patch.crates-io.mapper-framework.path='{}'", root().join("mapper-framework").display());
    for user in versions()?.iter().flat_map(|version| projects(version)) {
        let project = Project::copy(&user, &registry)?;
        project.ask_for(env!("CARGO_PKG_VERSION"))?;
        project.cargo(&["test", "--config", &patch])?;
        assert_eq!(project.locked()?, env!("CARGO_PKG_VERSION"), "another version than the working tree's was built");
    }
    Ok(())
}
