//! A model's words in comments, where they can break nothing and no lint takes offence.

use crate::manifest::write::line;

/// What a sentence may hold besides letters and digits without meaning something in Markdown.
const HARMLESS: &str = ".,;:!?'\"()%/+-";

/// Text as Markdown, with each word that means something there, or looks like code, as code.
pub(super) fn prose(text: &str) -> String {
    line(text).split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|character| HARMLESS.contains(character));
    if core.is_empty() && word.chars().all(|character| HARMLESS.contains(character)) || is_plain(core) {
        return word.to_owned();
    }
    let (before, after) = word.split_once(core).unwrap_or_default();
    format!("{before}{}{after}", code(core))
}

fn is_plain(word: &str) -> bool {
    let harmless = |character: char| !character.is_ascii_punctuation() || HARMLESS.contains(character);
    let is_camel_case = word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase);
    word.chars().all(harmless) && !is_camel_case && !word.contains("::") && !word.contains("//")
}

/// Text as code in Markdown: between more backticks than it holds in a row.
pub(super) fn code(text: &str) -> String {
    let text = line(text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_stay_as_they_are() {
        let sentence = "The pressure (in the hall's boiler, at 2.5 m/s), \"about\" 20 °C - or 5 %; CO2: äöü.";
        assert_eq!(prose(sentence), sentence);
        assert_eq!(prose(""), "");
    }

    #[test]
    fn what_means_something_in_markdown_becomes_code() {
        for (text, expected) in [
            ("see [heater], or (set_point).", "see `[heater]`, or (`set_point`)."),
            ("*/ # <b> KubeEdge", "`*`/ `#` `<b>` `KubeEdge`"),
            ("http://a/b std::env", "`http://a/b` `std::env`"),
            ("a ` and ``", "a `` ` `` and ``` `` ```"),
            (r"C:\temp", r"`C:\temp`"),
        ] {
            assert_eq!(prose(text), expected, "{text}");
        }
    }
}
