//! A config file with every key, and what it sets: what it sets today, it sets in every later version.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use mapper_framework::config::{Config, Sources};
use serde_json::Value as Json;

/// Every key there is, written as people write it. A test of the framework says that none is missing.
const ALL_KEYS: &str = include_str!("../../mapper-framework/tests/config/all-keys.yaml");

/// The file, as it is kept of a version, and what it sets.
///
/// # Errors
///
/// The framework refuses the file.
pub fn of(version: &str) -> Result<(String, Json)> {
    let about = format!(
        "# Every key of {version}, each on a line of its own. It is frozen: what it set then, it sets for ever."
    );
    let text = format!("{about}\n{}", one_key_a_line(ALL_KEYS));
    let set = read(&text)?;
    ensure!(set == read(ALL_KEYS)?, "with a line for each key, all-keys.yaml sets something else:\n{text}");
    Ok((text, set))
}

/// What a config file sets.
fn read(text: &str) -> Result<Json> {
    let (config, _) = Config::load(Sources::new(Config::default()).contents("all-keys.yaml", text))?;
    Ok(serde_json::to_value(config)?)
}

/// The same file without `{…}` and `|`, so that a key which is refused one day can be taken out with its line.
///
/// Values stay as they are written: through a parser, `1.10` would become a number.
fn one_key_a_line(text: &str) -> String {
    let mut written = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((section, entries)) = line.strip_suffix('}').and_then(|line| line.split_once(" {")) {
            let indent = " ".repeat(depth(section) + 2);
            let entries = entries.split(", ").map(|entry| format!("\n{indent}{entry}"));
            written.extend([section.to_owned()].into_iter().chain(entries));
        } else if let Some(key) = line.strip_suffix(" |") {
            let mut block = String::new();
            while let Some(line) = lines.next_if(|next| depth(next) > depth(key)) {
                block.extend([line.trim_start(), "\n"]);
            }
            write!(written, "{key} {}", Json::from(block)).expect("a string takes everything");
        } else {
            written.push_str(line);
        }
        written.push('\n');
    }
    written
}

/// How far a line is indented.
fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_texts_are_written_out() {
        let text = "a:\n  version: 1.10\n  tls: {ca: /a, key: /b}\n  headers: |\n    X: 1\n    Y: 2\nb: 2s 500ms\n";
        let written =
            "a:\n  version: 1.10\n  tls:\n    ca: /a\n    key: /b\n  headers: \"X: 1\\nY: 2\\n\"\nb: 2s 500ms\n";
        assert_eq!(one_key_a_line(text), written);
    }

    #[test]
    fn each_key_can_be_taken_out_with_its_line() -> Result<()> {
        let (text, all) = of("0.1.0")?;
        let keys = text.lines().filter(|line| line.contains(": ") && !line.starts_with('#'));
        // Without a protocol there is no config, nor with half of a server's certificate.
        let needed = ["  protocol: ", "    cert_file: ", "    key_file: "];
        for key in keys.filter(|line| !needed.iter().any(|needed| line.starts_with(needed))) {
            let without = read(&text.replacen(&format!("{key}\n"), "", 1))?;
            assert_ne!(without, all, "{key}");
        }
        Ok(())
    }
}
