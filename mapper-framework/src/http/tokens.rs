//! The file of tokens, which is read for each request that shows one, so that a changed token is in force at once.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

/// The shortest token: what is shorter can be guessed.
const SHORTEST: usize = 16;

/// The word behind a token that may not write.
const READ: &str = "read";

/// The tokens of `http.token`.
#[derive(Debug)]
pub(super) struct Tokens {
    path: PathBuf,
    /// Why the file could not be used, as it was logged last.
    logged: Mutex<Option<String>>,
}

/// One token, which is not kept itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) may_write: bool,
    digest: [u8; 32],
}

/// The file cannot be used, which has been logged.
#[derive(Debug)]
pub(super) struct Unusable;

impl Tokens {
    /// Those in a file; none if its path is empty.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), logged: Mutex::default() }
    }

    /// Whether there is a file.
    pub(super) fn is_set(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }

    /// Checks that the file holds a token, if there is one.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.is_set() {
            return Ok(());
        }
        self.parse(std::fs::read_to_string(&self.path)).map(drop)
    }

    /// The token that is shown, if it is one of the file's.
    pub(super) async fn find(&self, shown: &str) -> Result<Option<Token>, Unusable> {
        let tokens = self.parse(tokio::fs::read_to_string(&self.path).await);
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = match tokens {
            Ok(tokens) => tokens,
            Err(error) => {
                if logged.as_ref() != Some(&error) {
                    tracing::warn!(%error, "nobody can show a token");
                    *logged = Some(error);
                }
                return Err(Unusable);
            }
        };
        *logged = None;
        // Digests are compared, so that the time says nothing of the token; and all of them.
        let shown = <[u8; 32]>::from(Sha256::digest(shown.as_bytes()));
        let mut found = None;
        for token in tokens {
            if token.digest == shown {
                found = Some(token);
            }
        }
        Ok(found)
    }

    fn parse(&self, text: io::Result<String>) -> Result<Vec<Token>, String> {
        let unusable = |what: &str| format!("http.token: {} {what}", self.path.display());
        let text = text.map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let token = |(number, line)| {
            token(number + 1, line).map_err(|what| unusable(&format!("{what} on line {}", number + 1)))
        };
        let tokens = lines.map(token).collect::<Result<Vec<_>, _>>()?;
        if tokens.is_empty() { Err(unusable("holds no token")) } else { Ok(tokens) }
    }
}

/// Reads a line: a token, or a name and a token, or these two and `read`.
fn token(number: usize, line: &str) -> Result<Token, String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let (name, token, may_write) = match words[..] {
        [token] => (number.to_string(), token, true),
        [name, token] => (name.to_owned(), token, true),
        [name, token, READ] => (name.to_owned(), token, false),
        [_, _, _] => {
            return Err(format!(
                "has a third word that is not `{READ}`, which is what a token has that may not write,"
            ));
        }
        _ => return Err(format!("has more than a name, a token and `{READ}`")),
    };
    if token.len() < SHORTEST {
        return Err(format!("has a token of less than {SHORTEST} characters"));
    }
    Ok(Token { name, may_write, digest: Sha256::digest(token.as_bytes()).into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "correct-horse-battery";

    fn parse(text: &str) -> Result<Vec<(String, bool)>, String> {
        let tokens = Tokens::new(Path::new("/t")).parse(Ok(text.to_owned()))?;
        Ok(tokens.into_iter().map(|token| (token.name, token.may_write)).collect())
    }

    #[test]
    fn a_line_is_a_token_with_a_name_or_none_and_what_it_may_do() {
        let text = format!("{TOKEN}\n\n  anna  {TOKEN}1 \nprometheus {TOKEN}2 read\n");
        let of = |name: &str, may_write| (name.to_owned(), may_write);
        assert_eq!(parse(&text).unwrap(), [of("1", true), of("anna", true), of("prometheus", false)]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let long = format!("a {TOKEN} read more");
        let odd = format!("a {TOKEN} red");
        for (text, error) in [
            ("", "http.token: /t holds no token"),
            ("\n \n", "http.token: /t holds no token"),
            ("\nshort\n", "http.token: /t has a token of less than 16 characters on line 2"),
            (&long, "http.token: /t has more than a name, a token and `read` on line 1"),
            (
                &odd,
                "http.token: /t has a third word that is not `read`, which is what a token has that may not write, on line 1",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), error);
        }
    }

    #[tokio::test]
    async fn a_token_counts_until_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, format!("anna {TOKEN}")).unwrap();
        let tokens = Tokens::new(&path);
        assert_eq!(tokens.find(TOKEN).await.unwrap().map(|token| token.name).as_deref(), Some("anna"));
        assert_eq!(tokens.find("another-of-that-length").await.unwrap(), None);
        std::fs::write(&path, format!("anna {TOKEN}2")).unwrap();
        assert_eq!(tokens.find(TOKEN).await.unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        tokens.find(TOKEN).await.unwrap_err();
    }
}
