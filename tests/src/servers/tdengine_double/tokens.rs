//! Statements taken apart into tokens, as TDengine does it.

use super::{MAX_ROW_BYTES, SqlError, error};

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A word without quotes: a keyword or an identifier.
    Word(String),
    /// An identifier in back quotes, without them.
    Quoted(String),
    /// A text in quotes, without them and with its escapes resolved.
    Text(String),
    /// A number without a sign.
    Number(String),
    /// Anything else that has a meaning.
    Symbol(&'static str),
}

/// The longer ones first.
const SYMBOLS: [&str; 17] = ["<=", ">=", "<>", "!=", "(", ")", ",", ".", ";", "=", "<", ">", "+", "-", "*", "/", "%"];

/// The tokens of a statement.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token>, SqlError> {
    // A statement is a C string to TDengine.
    let mut rest = sql.split('\0').next().unwrap_or_default();
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, length) = match first {
            '`' => quoted(rest)?,
            '\'' | '"' => text(rest, first)?,
            '0'..='9' => number(rest),
            'a'..='z' | 'A'..='Z' | '_' => {
                let word = prefix(rest, |char| char.is_ascii_alphanumeric() || char == '_');
                (Token::Word(word.to_owned()), word.len())
            }
            _ => {
                let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
                let symbol = symbol.ok_or_else(|| error::syntax(rest))?;
                (Token::Symbol(symbol), symbol.len())
            }
        };
        tokens.push(token);
        rest = &rest[length..];
    }
}

/// The beginning that consists of such characters.
fn prefix(text: &str, matches: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|char| !matches(char)).unwrap_or(text.len())]
}

/// The length of what begins with a quote, with both quotes. A backslash takes the character after it along, and two quotes are one.
fn quoted_length(rest: &str, quote: char) -> Result<usize, SqlError> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((index, char)) = chars.next() {
        if char == '\\' || (char == quote && chars.peek().is_some_and(|(_, next)| *next == quote)) {
            chars.next();
        } else if char == quote {
            return Ok(index + quote.len_utf8());
        }
    }
    Err(error::syntax(rest))
}

/// An identifier: what stands in back quotes is taken as it is.
fn quoted(rest: &str) -> Result<(Token, usize), SqlError> {
    let length = quoted_length(rest, '`')?;
    let name = &rest[1..length - 1];
    if name.is_empty() { Err(error::syntax(rest)) } else { Ok((Token::Quoted(name.to_owned()), length)) }
}

/// A text, which quotes, escapes and all must be shorter than a row.
fn text(rest: &str, quote: char) -> Result<(Token, usize), SqlError> {
    let length = quoted_length(rest, quote)?;
    if length >= MAX_ROW_BYTES {
        return Err(error::syntax("too long string"));
    }
    let mut text = String::new();
    let mut chars = rest[1..length - 1].chars();
    while let Some(char) = chars.next() {
        if char == quote {
            chars.next();
            text.push(quote);
        } else if char == '\\' {
            match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(kept @ ('%' | '_' | 'x')) => text.extend(['\\', kept]),
                other => text.extend(other),
            }
        } else {
            text.push(char);
        }
    }
    Ok((Token::Text(text), length))
}

/// Digits, perhaps with a fraction and an exponent.
fn number(rest: &str) -> (Token, usize) {
    let digits = |from: usize| prefix(&rest[from..], |char| char.is_ascii_digit()).len();
    let mut length = digits(0);
    if rest[length..].starts_with('.') {
        length += 1 + digits(length + 1);
    }
    if rest[length..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    (Token::Number(rest[..length].to_owned()), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(sql: &str) -> Token {
        let tokens = tokens(sql).expect("tokens");
        let [token] = &tokens[..] else { panic!("one token: {tokens:?}") };
        token.clone()
    }

    #[test]
    fn a_text_ends_at_its_quote_and_its_escapes_are_resolved() {
        for (sql, text) in [
            ("'a'", "a"),
            ("''", ""),
            (r"'it\'s'", "it's"),
            ("'it''s'", "it's"),
            (r#""a\"b""#, "a\"b"),
            (r"'\\'", r"\"),
            (r"'a\nb\tc\rd'", "a\nb\tc\rd"),
            (r"'50\%'", r"50\%"),
            (r"'a\qb'", "aqb"),
            ("'größe\n2'", "größe\n2"),
        ] {
            assert_eq!(only(sql), Token::Text(text.to_owned()), "{sql}");
        }
    }

    #[test]
    fn what_does_not_end_is_an_error() {
        for sql in ["'a", r"'a\'", "`a", "``", "#", "'a''"] {
            assert_eq!(tokens(sql).expect_err(sql).code, 0x2600, "{sql}");
        }
    }

    #[test]
    fn numbers_have_fractions_and_exponents() {
        for sql in ["0", "1.5", "1e300", "1.5e-7", "2E+3"] {
            assert_eq!(only(sql), Token::Number(sql.to_owned()));
        }
        assert_eq!(tokens("1e").expect("tokens"), [Token::Number("1".into()), Token::Word("e".into())]);
    }

    #[test]
    fn a_statement_ends_at_a_nul() {
        assert_eq!(only("a\0b"), Token::Word("a".into()));
    }

    #[test]
    fn a_text_as_long_as_a_row_is_refused() {
        assert!(tokens(&format!("'{}'", "x".repeat(49_000))).is_ok());
        assert!(tokens(&format!("'{}'", "\\\\".repeat(25_000))).is_err());
    }
}
