//! The questions of the template, as `cargo-generate.toml` has them, and which answers are legal.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde::Deserialize;

use crate::template::Answer;

/// The answer that names the source of the framework, and those that say where that is.
const SOURCE: &str = "framework";
const GIT: &str = "framework_git";
const PATH: &str = "framework_path";

/// What is read of `cargo-generate.toml`.
#[derive(Debug, Deserialize)]
struct File {
    placeholders: BTreeMap<String, Question>,
    #[serde(default)]
    conditional: BTreeMap<String, Conditional>,
}

/// Questions that are asked after a certain answer only.
#[derive(Debug, Deserialize)]
struct Conditional {
    placeholders: BTreeMap<String, Question>,
}

#[derive(Debug, Deserialize)]
struct Question {
    /// Ends with what is legal, in parentheses, unless there are choices.
    prompt: String,
    #[serde(default)]
    choices: Vec<Choice>,
    regex: Option<String>,
    /// The question that decides whether this one is asked, and the answer that does.
    #[serde(skip)]
    after: Option<Answer>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    value: String,
}

/// All questions, by name.
#[derive(Debug)]
pub(crate) struct Questions(BTreeMap<String, Question>);

impl Questions {
    /// Reads those of a template.
    pub(crate) fn read(template: &Path) -> Result<Self> {
        let path = template.join("cargo-generate.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let file: File = toml::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))?;
        let mut questions = file.placeholders;
        for (condition, Conditional { placeholders }) in file.conditional {
            let after = condition.split_once(" == ").map(|(name, value)| (name.to_owned(), value.replace('"', "")));
            let after = after.with_context(|| format!("{}: {condition} is no `name == \"value\"`", path.display()))?;
            questions.extend(
                placeholders
                    .into_iter()
                    .map(|(name, question)| (name, Question { after: Some(after.clone()), ..question })),
            );
        }
        Ok(Self(questions))
    }

    /// The answers in `key=value`, with the source of the framework, which is the folder `framework` unless they name another. With
    /// `ask`, one that has to be there may be missing.
    pub(crate) fn check(&self, defined: &[String], framework: &Path, ask: bool) -> Result<Vec<Answer>> {
        let mut answers = BTreeMap::new();
        for definition in defined {
            let (name, value) = definition
                .split_once('=')
                .with_context(|| format!("--define {definition}: there is no `=` in it: write --define KEY=VALUE"))?;
            self.is_legal(name, value)?;
            let before = answers.insert(name.to_owned(), value.to_owned());
            ensure!(before.is_none(), "--define {name} is given twice");
        }
        fill_in_source(&mut answers, framework)?;
        for (name, question) in &self.0 {
            question.fits(name, &answers, ask)?;
        }
        Ok(answers.into_iter().collect())
    }

    fn is_legal(&self, name: &str, value: &str) -> Result<()> {
        let Some(question) = self.0.get(name) else {
            let names: Vec<_> = self.0.keys().map(String::as_str).collect();
            bail!("--define {name}={value}: there is no question {name}, but {}", names.join(", "));
        };
        // It is made absolute before the template sees it.
        ensure!(name == PATH || question.takes(value)?, "--define {name}={value}: legal is {}", question.legal());
        Ok(())
    }

    /// A line for each question.
    pub(crate) fn help(&self) -> String {
        let lines = self.0.iter().map(|(name, question)| format!("  {name:<15} {}\n", question.legal()));
        format!("Questions of the template, for --define:\n{}", lines.collect::<String>())
    }
}

impl Question {
    fn takes(&self, value: &str) -> Result<bool> {
        let is_choice = self.choices.is_empty() || self.choices.iter().any(|choice| choice.value == value);
        let fits = self.regex.as_ref().map(|regex| Ok::<_, regex::Error>(Regex::new(regex)?.is_match(value)));
        Ok(is_choice && fits.transpose()?.unwrap_or(true))
    }

    /// What may be answered.
    fn legal(&self) -> String {
        let choices: Vec<_> = self.choices.iter().map(|choice| choice.value.as_str()).collect();
        let in_parentheses = self.prompt.split_once(" (").and_then(|(_, legal)| legal.strip_suffix(')'));
        match in_parentheses {
            _ if !choices.is_empty() => format!("one of {}", choices.join(", ")),
            Some(legal) => legal.to_owned(),
            None => self.prompt.clone(),
        }
    }

    /// Fails if the question is answered though it would not be asked, or has to be answered and is not.
    fn fits(&self, name: &str, answers: &BTreeMap<String, String>, ask: bool) -> Result<()> {
        let Some((asked, with)) = &self.after else { return Ok(()) };
        let is_asked = answers.get(asked) == Some(with);
        match answers.get(name) {
            Some(_) if !is_asked => bail!("--define {name} goes with --define {asked}={with} only"),
            Some(value) => ensure!(self.takes(value)?, "--define {name}={value}: legal is {}", self.legal()),
            None if is_asked && !ask => {
                bail!("--define {asked}={with} needs --define {name}=…, which is {}", self.legal())
            }
            None => {}
        }
        Ok(())
    }
}

/// Says where the framework comes from: what the answers imply, and else the folder.
fn fill_in_source(answers: &mut BTreeMap<String, String>, framework: &Path) -> Result<()> {
    let implied = if answers.contains_key(GIT) { "git" } else { "path" };
    let source = answers.entry(SOURCE.to_owned()).or_insert_with(|| implied.to_owned());
    if source == "path" {
        let path = answers.get(PATH).map_or_else(|| framework.to_owned(), PathBuf::from);
        answers.insert(PATH.to_owned(), absolute(&path)?);
    }
    Ok(())
}

/// The path of the framework's folder, which must be there.
fn absolute(path: &Path) -> Result<String> {
    let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    ensure!(
        manifest.contains("name = \"mapper-framework\""),
        "--define {PATH}={}: no Cargo.toml of mapper-framework lies there: name the folder mapper-framework of a clone",
        path.display()
    );
    let path = path.canonicalize().with_context(|| format!("{} cannot be read", path.display()))?;
    path.to_str().map(str::to_owned).with_context(|| format!("{} is not text", path.display()))
}
