//! As much Markdown as the documents use.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A document in its parts.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) blocks: Vec<Block>,
    /// The lines outside of blocks.
    pub(crate) prose: Vec<String>,
}

/// A block between fences.
#[derive(Debug)]
pub(crate) struct Block {
    /// What follows the opening fence, such as `yaml`.
    pub(crate) language: String,
    /// The file that the line before names, as in `` `src/main.rs`: ``.
    pub(crate) file: Option<String>,
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Self {
        let (mut blocks, mut prose) = (Vec::new(), Vec::<String>::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.trim_start().strip_prefix("```") else {
                prose.push(line.to_owned());
                continue;
            };
            let indent = line.len() - line.trim_start().len();
            let last = prose.iter().rev().find(|line| !line.is_empty());
            let file = last.and_then(|line| Some(line.strip_prefix('`')?.strip_suffix("`:")?.to_owned()));
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            let text = inside.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
            blocks.push(Block { language: language.to_owned(), file, text });
            // What names the file of one block does not name that of the next.
            prose.push("".to_owned());
            prose.push("—".to_owned());
        }
        Self { path: path.to_owned(), blocks, prose }
    }

    /// The code in the prose, such as `sinks.redis.ttl`.
    pub(crate) fn code(&self) -> Vec<&str> {
        // A span may end on the next line of its paragraph, which none does that matters here.
        self.prose.iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }

    /// Where the links point to.
    pub(crate) fn links(&self) -> Vec<String> {
        let text = self.prose.join("\n");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(|(target, _)| target.to_owned()).collect()
    }

    /// The anchors of the headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self.prose.iter().filter(|line| line.starts_with('#'));
        headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).collect()
    }

    /// The text of the lines outside of blocks.
    pub(crate) fn text(&self) -> String {
        self.prose.join("\n")
    }

    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

#[test]
fn a_document_comes_apart_into_its_parts() {
    let text = "# What `a.b` is\n\nSee [c](d.md#e).\n\n`x.yaml`:\n\n```yaml\nk: v\n```\n\n```text\n[no](link)\n```\n";
    let document = Document::parse(Path::new("a.md"), text);
    assert_eq!(document.anchors(), ["what-ab-is"]);
    assert_eq!(document.links(), ["d.md#e"]);
    assert_eq!(document.code(), ["a.b", "x.yaml"]);
    let blocks: Vec<_> = document.blocks.iter().map(|it| (&*it.language, it.file.as_deref(), &*it.text)).collect();
    assert_eq!(blocks, [("yaml", Some("x.yaml"), "k: v\n"), ("text", None, "[no](link)\n")]);
}
