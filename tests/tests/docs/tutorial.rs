//! The tutorial's commands, one after the other in an empty folder, with what it says they print.
//!
//! Two of them are not entered into a shell: `cargo xtask new` runs within this process, whose crates are built already, and is given
//! the folder to make the mapper in; and cargo builds where it builds the other projects of the template.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser;
use integration_tests::{ChildGuard, cargo::cargo};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{document, markdown::Block, root};

/// How a line begins that cargo prints for each crate.
const COMPILING: &str = "   Compiling ";

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
            ("cd", folder) => self.go(folder),
            ("cargo", words) if words.starts_with("xtask new ") => self.make(words),
            ("cargo", words) if words.starts_with("run -- --standalone ") => self.start(words),
            ("cargo", words) => drop(self.wait_for(self.cargo(words), line, succeeds)),
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

    /// Into a folder, or into one beside.
    fn go(&mut self, folder: &str) {
        let beside = folder.strip_prefix("../").unwrap_or(folder);
        assert!(
            !beside.contains('/') && (beside == folder) == self.place.is_empty(),
            "cd {folder} from {:?}",
            self.place
        );
        beside.clone_into(&mut self.place);
    }

    /// Makes a mapper from this clone, which is the reader's.
    fn make(&self, words: &str) {
        assert_eq!(self.place, "mapper-framework", "cargo knows xtask in the clone only");
        let words = words.split(' ').skip(1).chain(["--destination", self.home.path().to_str().unwrap()]);
        let project = new_mapper::Arguments::try_parse_from(words).unwrap().run(false).unwrap();
        fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    }

    /// Cargo in the reader's place, which asks no registry.
    fn cargo(&self, words: &str) -> std::process::Command {
        let mut cargo = cargo(&self.path(""));
        cargo.args(words.split(' ')).env("CARGO_NET_OFFLINE", "true").env_remove("RUST_LOG");
        cargo
    }

    /// Waits for a command that may have to build, which has no deadline, and gives what it took.
    fn wait_for(&mut self, mut command: std::process::Command, line: &str, succeeds: bool) -> Duration {
        let start = Instant::now();
        let output = command.output().unwrap();
        let took = start.elapsed();
        let printed = [output.stdout, output.stderr].concat();
        self.printed = String::from_utf8_lossy(&printed).lines().map(str::to_owned).collect();
        assert_eq!(output.status.success(), succeeds, "{line}:\n{}", self.printed.join("\n"));
        took
    }

    /// Starts the mapper, in the place of the one that runs, and leaves it running.
    fn start(&mut self, words: &str) {
        let took = self.wait_for(self.cargo("build"), "cargo build", true).as_secs_f64();
        if self.mapper.is_none() {
            let crates = self.printed.iter().filter(|line| line.starts_with(COMPILING)).count();
            // Past what catches the output of tests that pass.
            let mut stderr = io::stderr();
            writeln!(stderr, "the tutorial's first build: {crates} crates in {took:.1} s").unwrap();
        }
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

/// The text with `#` for each number, but for that of a line in a file: the reader's file is the tutorial's.
fn without_numbers(text: &str) -> String {
    let mut without = String::new();
    for word in text.split_inclusive(' ') {
        if word.contains(".yaml:") {
            without += word;
            continue;
        }
        for character in word.chars() {
            let is_number = character.is_ascii_digit() || character == '.';
            if !is_number {
                without.push(character);
            } else if !without.ends_with('#') {
                without.push('#');
            }
        }
    }
    without
}

#[test]
fn numbers_may_differ_but_lines_of_files_may_not() {
    assert_eq!(without_numbers("twin a-1 load = 0.42"), without_numbers("twin a-2 load = 17"));
    assert_ne!(without_numbers("d/i.yaml:9: error: x"), without_numbers("d/i.yaml:11: error: x"));
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
