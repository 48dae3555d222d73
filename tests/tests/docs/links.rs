//! Links lead somewhere.

use std::path::Path;

use crate::{document, guides, markdown::Document, markdown_files, root};

/// Why a link of a document leads nowhere.
fn broken(document: &Document, link: &str) -> Option<String> {
    if link.contains("://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = match path {
        "" => document.path.clone(),
        path => document.path.parent().unwrap_or(Path::new("")).join(path),
    };
    if !target.exists() {
        return Some(format!("{}: {link}: there is no such file", document.path.display()));
    }
    let anchor = anchor.filter(|anchor| !Document::read(&target).anchors().iter().any(|known| known == anchor))?;
    Some(format!("{}: {link}: there is no heading {anchor}", document.path.display()))
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let documents: Vec<_> = markdown_files(root()).iter().map(|path| Document::read(path)).collect();
    let links = documents.iter().flat_map(|document| document.links().into_iter().map(move |link| (document, link)));
    let links: Vec<_> = links.collect();
    assert!(links.len() > 40, "only {} links were found", links.len());
    let broken: Vec<_> = links.iter().filter_map(|(document, link)| broken(document, link)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_link_to_nowhere_is_found() {
    let document = document("docs/sinks.md");
    assert_eq!(broken(&document, "writing-a-sink.md#deadlines"), None);
    assert!(broken(&document, "no-such-file.md").is_some());
    assert!(broken(&document, "#no-such-heading").is_some());
}

#[test]
fn the_readme_leads_to_every_guide() {
    let links = document("README.md").links();
    for guide in guides() {
        let path = format!("docs/{}", guide.name());
        assert!(links.contains(&path), "the README does not link {path}");
    }
}
