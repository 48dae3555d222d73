//! Makes what `cargo xtask freeze` keeps of a version, in the folder and for the version of its arguments.

use std::{env, fs, path::Path};

use anyhow::{Context, Result, bail};
use integration_tests::{cargo::root, folder, generate::generate_into, golden_config, golden_spool};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, version] = &arguments[..] else { bail!("usage: freeze FOLDER VERSION") };
    let kept = Path::new(folder);
    keep_config(&kept.join("config"), version)?;
    keep_spool(&kept.join("spool").join(version)).await?;
    keep_golden(&kept.join("golden").join(version))?;
    keep_users(kept, version)
}

/// The config file with every key, and what it sets.
fn keep_config(kept: &Path, version: &str) -> Result<()> {
    let (text, set) = golden_config::of(version)?;
    write(&kept.join(format!("{version}.yaml")), &text)?;
    write(&kept.join(format!("{version}.json")), &format!("{set:#}\n"))
}

async fn keep_spool(kept: &Path) -> Result<()> {
    clear(kept)?;
    golden_spool::write(kept).await?;
    println!("wrote {}", kept.display());
    Ok(())
}

/// What leaves a mapper, byte by byte.
fn keep_golden(kept: &Path) -> Result<()> {
    clear(kept)?;
    folder::copy(&root().join("mapper-framework/tests/golden"), kept)?;
    println!("wrote {}", kept.display());
    Ok(())
}

/// The users of a minor version, whose files are never changed again.
fn keep_users(kept: &Path, version: &str) -> Result<()> {
    let (minor, _) = version.rsplit_once('.').context("a version has three numbers")?;
    let users = kept.join(format!("v{}", minor.replace('.', "_")));
    keep_generated(&users)?;
    write(&users.with_extension("sha256"), &folder::checksums(&users)?)
}

/// What the template gives to somebody who takes the release, and every other default.
fn keep_generated(users: &Path) -> Result<()> {
    let generated = users.join("generated");
    clear(&generated)?;
    generate_into(users, &[("project-name", "generated"), ("framework", "released")])?;
    println!("wrote {}", generated.display());
    Ok(())
}

/// Removes what was kept before.
fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(file.parent().context("a file lies in a folder")?)?;
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}
