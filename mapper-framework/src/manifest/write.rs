//! Text of manifests, for what prints some.

/// Milliseconds from one report of a device's state to the next.
pub(crate) const STATE_CYCLE: u64 = 10_000;

/// The report of a device's state each so many milliseconds, for all releases of KubeEdge.
pub(crate) fn state_report(cycle: u64) -> String {
    format!(
        "  stateReport: # since KubeEdge v1.23; for v1.19 to v1.22 replace it by the lines below, without their #
    reportToCloud: true
    reportCycle: {cycle}
# status:
#   reportToCloud: true
#   reportCycle: {cycle}
"
    )
}

/// A string as YAML has it, with quotes where it would be something else without them.
pub(crate) fn scalar(text: &str) -> String {
    const OTHERS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_word = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(text));
    if is_word { text.to_owned() } else { quoted(text) }
}

/// A string in quotes. JSON's are YAML's, but for what YAML does not take as it is.
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let is_odd = |character: char| {
        matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let written = |character: char| match character {
        odd if is_odd(odd) => format!("\\u{:04x}", u32::from(odd)),
        other => other.to_string(),
    };
    if json.contains(is_odd) { json.chars().map(written).collect() } else { json }
}

/// Text in one line, with signs that nobody sees spelt out.
pub(crate) fn line(text: &str) -> String {
    let spelt = |character: char| match character {
        '\'' | '"' | '\\' => character.to_string(),
        _ => character.escape_debug().to_string(),
    };
    text.split_whitespace().map(|word| word.chars().map(spelt).collect()).collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_stays_one() {
        assert_eq!(scalar("low-water"), "low-water");
        for text in ["on", "Null", "0x1F", "12:30", "", "a: b", "é", "\u{85}\u{7f}\u{feff}\t\"", "- x"] {
            let written = scalar(text);
            let read: String = serde_saphyr::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
            assert_eq!((read.as_str(), written.starts_with('"')), (text, true));
        }
    }

    #[test]
    fn a_line_stays_one() {
        assert_eq!(line(" two\n\tlines\r\nand \u{202e}a\u{7} bell \\ "), r"two lines and \u{202e}a\u{7} bell \");
    }
}
