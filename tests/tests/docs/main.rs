//! What the documents say, held against the code: links, names, log lines, examples, and the tutorial's commands.
//!
//! The Rust code in them is compiled as doctests of this crate.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod links;
mod markdown;
mod names;
mod snippets;
mod tutorial;

use std::{
    fs,
    path::{Path, PathBuf},
};

use markdown::Document;

/// The workspace's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// The document at a path below the root.
fn document(path: &str) -> Document {
    Document::read(&root().join(path))
}

/// The documents for users, in `docs/`.
fn guides() -> Vec<Document> {
    let guides: Vec<_> = markdown_files(&root().join("docs")).iter().map(|path| Document::read(path)).collect();
    assert!(guides.len() >= 7, "the guides have gone astray");
    guides
}

/// The Markdown files in a folder and the folders below, but not what is built or hidden.
fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files.extend(markdown_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    files
}
