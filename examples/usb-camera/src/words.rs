//! A command line in one text, as words. No shell is asked, so nothing in it is a variable or another command.

/// The words of a text, which blanks part. What stands between `"` or `'` is one word, or a part of one.
///
/// # Errors
///
/// A quote is not closed.
pub(crate) fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a {open} is opened and not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_part_words_and_quotes_keep_them_together() {
        let all =
            words("  -f lavfi\t-i 'testsrc2=size=64x48: rate=5' \"\" a\"b c\"'d'$HOME;ls").expect("all is closed");
        assert_eq!(all, ["-f", "lavfi", "-i", "testsrc2=size=64x48: rate=5", "", "ab cd$HOME;ls"]);
        assert_eq!(words(" "), Ok(Vec::new()));
        assert_eq!(words("-i \"it's"), Err("a \" is opened and not closed".to_owned()));
    }
}
