//! Makes a mapper from `mapper-template`, without anything that has to be installed first: `cargo xtask new`.
//!
//! It is a crate of its own since cargo-generate, which it uses as a library, takes longer to build than the rest of the automation. The
//! tests of the template use it as well.

mod questions;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use questions::Questions;
pub use template::{Answer, generate};

/// Make a mapper from the template, with this checkout as its framework
///
/// In a terminal it asks what is not answered. Elsewhere the defaults are taken.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask new", bin_name = "cargo xtask new", after_long_help = template::answers_help())]
pub struct Arguments {
    /// Name of the mapper, and of the folder that is made for it [default: my-mapper]
    name: Option<String>,

    /// Answer to a question of the template; can be given more than once
    #[arg(long, short, value_name = "KEY=VALUE")]
    define: Vec<String>,

    /// Folder in which that of the mapper is made [default: the one in which this checkout lies]
    #[arg(long, value_name = "DIR")]
    destination: Option<PathBuf>,
}

impl Arguments {
    /// Makes the mapper, and gives its folder. With `ask`, a question without an answer is asked in the terminal.
    ///
    /// # Errors
    ///
    /// An answer is not legal, the folder exists, or something cannot be read or written. Then nothing is left behind.
    pub fn run(&self, ask: bool) -> Result<PathBuf> {
        let questions = Questions::read(&root().join("mapper-template"))?;
        let answers = questions.check(&self.define, &root().join("mapper-framework"), ask)?;
        let destination = self.destination.as_deref().unwrap_or_else(|| beside(root()));
        is_usable(destination)?;
        let name = self.name.as_deref().or_else(|| (!ask).then_some("my-mapper"));
        generate(name, &answers, destination, ask)
    }
}

/// The workspace's folder.
fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("the package lies in xtask, and that in the workspace's root")
}

/// The folder in which a folder lies.
fn beside(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

/// Cargo takes a project within a workspace for a part of it, and refuses to build one that it does not list.
fn is_usable(destination: &Path) -> Result<()> {
    let real = destination.canonicalize();
    let real = real.with_context(|| format!("--destination {}: there is no such folder", destination.display()))?;
    let root = root().canonicalize().context("the checkout cannot be read")?;
    ensure!(
        !real.starts_with(&root) || real.starts_with(root.join("target")),
        "--destination {} lies in the workspace {}, whose cargo would take the mapper for a part of it: name a folder outside, such as {}",
        destination.display(),
        root.display(),
        beside(&root).display()
    );
    Ok(())
}
