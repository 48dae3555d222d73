//! The tutorial's commands, one after the other in an empty folder, with what it says they print.
//!
//! `cargo run` is not one of them: it would build the framework once more. The program is built with this package instead, from the
//! code that the tutorial shows.

use std::{fs, path::Path};

use integration_tests::ChildGuard;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{document, markdown::Block, root};

const PROGRAM: &str = env!("CARGO_BIN_EXE_folder-mapper");

/// The folder of the reader, who has the clone in it.
struct Reader {
    home: TempDir,
    /// Where the reader is, below the home.
    place: String,
    /// The mapper, once it runs.
    mapper: Option<ChildGuard>,
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root(), home.path().join("mapper-framework")).unwrap();
        Self { home, place: String::new(), mapper: None }
    }

    async fn follow(&mut self, block: &Block) {
        match (&*block.language, &block.file) {
            (_, Some(file)) => fs::write(self.path(file), &block.text).unwrap(),
            ("console", None) => {
                for line in block.text.lines() {
                    self.enter(line).await;
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

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.home.path().join(&self.place).join(file)
    }

    async fn enter(&mut self, line: &str) {
        if let Some(folder) = line.strip_prefix("cd ") {
            folder.clone_into(&mut self.place);
        } else if let Some(arguments) = line.strip_prefix("cargo run -- ") {
            self.mapper = Some(ChildGuard::spawn(self.command(PROGRAM).args(arguments.split(' '))));
        } else {
            if let Some(mapper) = &mut self.mapper {
                mapper.forget_lines();
            }
            let mut shell = ChildGuard::spawn(self.command("sh").args(["-c", line]));
            assert!(shell.exit().await.success(), "{line}: {:?}", shell.lines());
        }
    }

    /// A command in the reader's place, which asks no registry and finds no config of a mapper's in the environment.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name == "RUST_LOG" || name.to_string_lossy().starts_with("MAPPER_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path("")).env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// Waits for a line with other numbers.
    async fn expect(&mut self, line: &str) {
        let expected = without_numbers(line);
        let mapper = self.mapper.as_mut().expect("the tutorial starts the mapper before it tells what that prints");
        mapper.wait_for_line(|line| without_numbers(line).contains(&expected)).await;
    }
}

/// The text with `#` for each number. The program's name is another one here.
fn without_numbers(line: &str) -> String {
    let line = line.replace("mapper integration-tests for", "mapper folder-mapper for");
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
    let manifest = fs::read_to_string(reader.path("Cargo.toml")).unwrap();
    for dependency in ["mapper-framework", "serde", "tokio"] {
        assert!(manifest.contains(&format!("\n{dependency} = ")), "{manifest}");
    }
    let mut mapper = reader.mapper.unwrap();
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0));
}

#[test]
fn the_tutorial_s_program_is_the_one_that_is_tried() {
    let tutorial = document("docs/getting-started.md");
    let shown = tutorial.blocks.iter().find(|block| block.file.as_deref() == Some("src/main.rs")).unwrap();
    let tried = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/folder-mapper.rs")).unwrap();
    assert_eq!(shown.text, tried, "bring docs/getting-started.md and tests/src/bin/folder-mapper.rs together");
}
