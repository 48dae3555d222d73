//! Makes what `cargo xtask freeze` keeps of a version, in the folder and for the version of its arguments.

use std::{env, fs, path::Path};

use anyhow::{Context, Result, bail};
use integration_tests::{folder, generate::generate_into, golden_spool};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, version] = &arguments[..] else { bail!("usage: freeze FOLDER VERSION") };
    let kept = Path::new(folder);
    keep_spool(&kept.join("spool").join(version)).await?;
    keep_users(kept, version)
}

async fn keep_spool(kept: &Path) -> Result<()> {
    if kept.exists() {
        fs::remove_dir_all(kept).with_context(|| format!("{} cannot be removed", kept.display()))?;
    }
    golden_spool::write(kept).await?;
    println!("wrote {}", kept.display());
    Ok(())
}

/// The users of a minor version, whose files are never changed again.
fn keep_users(kept: &Path, version: &str) -> Result<()> {
    let (minor, _) = version.rsplit_once('.').context("a version has three numbers")?;
    let users = kept.join(format!("v{}", minor.replace('.', "_")));
    if !users.is_dir() {
        bail!("{} is missing: put projects of users there, as in the folder before it", users.display());
    }
    keep_generated(&users)?;
    let list = users.with_extension("sha256");
    fs::write(&list, folder::checksums(&users)?).with_context(|| format!("{} cannot be written", list.display()))?;
    println!("wrote {}", list.display());
    Ok(())
}

/// What the template gives to somebody who takes every default.
fn keep_generated(users: &Path) -> Result<()> {
    let generated = users.join("generated");
    if generated.exists() {
        fs::remove_dir_all(&generated).with_context(|| format!("{} cannot be removed", generated.display()))?;
    }
    generate_into(users, &[("project-name", "generated")])?;
    println!("wrote {}", generated.display());
    Ok(())
}
