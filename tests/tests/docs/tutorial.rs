//! The tutorial's commands, one after the other in an empty folder, with what it says they print.
//!
//! Only two of them are not entered into a shell: cargo-generate is not installed, since the tests have it as a library, and cargo builds
//! where it builds the other projects of the template.

use std::{fs, path::PathBuf};

use cargo_generate::{Cli, Vcs};
use clap::Parser;
use integration_tests::{
    ChildGuard,
    cargo::{cargo, target},
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{document, markdown::Block, root};

/// Somebody who follows the tutorial in an empty folder.
struct Reader {
    home: TempDir,
    /// Where the reader is, below the home.
    place: String,
    /// The mapper, once it runs.
    mapper: Option<ChildGuard>,
    /// What the last command has printed, if it has ended.
    printed: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), place: String::new(), mapper: None, printed: Vec::new() }
    }

    async fn follow(&mut self, block: &Block) {
        match (&*block.language, &block.file) {
            (_, Some(file)) => fs::write(self.path(file), &block.text).unwrap(),
            ("console" | "console,fails", None) => {
                for line in block.text.lines() {
                    self.enter(line, block.language == "console").await;
                }
            }
            ("text", None) => {
                for line in block.text.lines() {
                    self.expect(line).await;
                }
            }
            (language, None) => panic!("the tutorial has a block of {language} that names no file"),
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(&self.place).join(file)
    }

    async fn enter(&mut self, line: &str, succeeds: bool) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("cd", folder) => folder.clone_into(&mut self.place),
            ("cargo", "install --locked cargo-generate") => {}
            ("cargo", words) if words.starts_with("generate ") => self.generate(words),
            ("cargo", words) if words.starts_with("run -- --standalone ") => self.start(words),
            ("cargo", words) => self.wait_for(self.cargo(words), line, succeeds),
            _ => {
                if let Some(mapper) = &mut self.mapper {
                    mapper.forget_lines();
                }
                let mut shell = ChildGuard::spawn(Command::new("sh").args(["-c", line]).current_dir(self.path("")));
                assert_eq!(shell.exit().await.success(), succeeds, "{line}: {:?}", shell.lines());
                self.printed.clear();
            }
        }
    }

    /// Generates from this clone, which is the reader's.
    fn generate(&self, words: &str) {
        let clone = root().to_str().unwrap();
        let word = |word: &str| match word {
            "mapper-framework/mapper-template" => format!("{clone}/mapper-template"),
            word => word.replace('"', "").replace("$PWD/mapper-framework", clone),
        };
        let words = ["cargo".to_owned()].into_iter().chain(words.split(' ').map(word));
        let Cli::Generate(mut arguments) = Cli::try_parse_from(words).unwrap();
        (arguments.destination, arguments.vcs) = (Some(self.home.path().to_owned()), Some(Vcs::None));
        let project = cargo_generate::generate(arguments).unwrap();
        fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    }

    /// Cargo in the reader's place, which asks no registry.
    fn cargo(&self, words: &str) -> std::process::Command {
        let mut cargo = cargo(&self.path(""), &target().join("generated"));
        cargo.args(words.split(' ')).env("CARGO_NET_OFFLINE", "true").env_remove("RUST_LOG");
        cargo
    }

    /// Waits for a command that may have to build, which has no deadline.
    fn wait_for(&mut self, mut command: std::process::Command, line: &str, succeeds: bool) {
        let output = command.output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        self.printed = String::from_utf8_lossy(&printed).lines().map(str::to_owned).collect();
        assert_eq!(output.status.success(), succeeds, "{line}:\n{}", self.printed.join("\n"));
    }

    /// Starts the mapper, in the place of the one that runs, and leaves it running.
    fn start(&mut self, words: &str) {
        self.wait_for(self.cargo("build"), "cargo build", true);
        self.printed.clear();
        self.mapper = Some(ChildGuard::spawn(&mut Command::from(self.cargo(words))));
    }

    /// Waits for a line with other numbers.
    async fn expect(&mut self, line: &str) {
        let expected = without_numbers(line);
        let fits = |line: &str| without_numbers(line).contains(&expected);
        if self.printed.is_empty() {
            let mapper = self.mapper.as_mut().expect("the tutorial starts the mapper before it tells what that prints");
            mapper.wait_for_line(fits).await;
        } else {
            assert!(self.printed.iter().any(|line| fits(line)), "{line} is not in\n{}", self.printed.join("\n"));
        }
    }
}

/// The text with `#` for each number.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for character in line.chars() {
        let is_number = character.is_ascii_digit() || character == '.';
        if !is_number {
            text.push(character);
        } else if !text.ends_with('#') {
            text.push('#');
        }
    }
    text
}

#[tokio::test]
async fn the_tutorial_s_steps_lead_to_what_it_says() {
    let tutorial = document("docs/getting-started.md");
    let mut reader = Reader::new();
    for block in &tutorial.blocks {
        reader.follow(block).await;
    }
    let mut mapper = reader.mapper.unwrap();
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0));
}
