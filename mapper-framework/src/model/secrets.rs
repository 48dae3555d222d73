//! What must stand in nothing that is printed or kept.

use std::borrow::Cow;

use serde_json::Value;

use super::{ConfigData, Credentials};

/// Ends of keys whose values are secret, in small letters without `-` and `_`.
const KEYS: [&str; 7] = ["password", "passwd", "passphrase", "secret", "apikey", "privatekey", "accesstoken"];

/// Texts that are secret.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// The password and the token.
    pub(crate) fn of(credentials: &Credentials) -> Self {
        let secrets = [credentials.password(), credentials.token()].into_iter().flatten();
        Self(Vec::new()).and(secrets.map(|secret| secret.expose().to_owned()))
    }

    /// These and others.
    pub(crate) fn and(mut self, others: impl IntoIterator<Item = String>) -> Self {
        self.0.extend(others.into_iter().filter(|secret| !secret.is_empty()));
        self
    }

    /// Whether a key is called like a secret.
    pub(crate) fn is_key(key: &str) -> bool {
        let key = key.to_ascii_lowercase().replace(['-', '_'], "");
        key == "token" || KEYS.iter().any(|end| key.ends_with(end))
    }

    /// Takes out each key that is called like a secret, or in whose value one stands. Returns these keys.
    pub(crate) fn take_out_of(&self, data: &mut ConfigData) -> Vec<String> {
        let holds = |value: &Value| value.as_str().is_some_and(|text| self.0.iter().any(|it| text.contains(it)));
        let is_secret = |(key, value): &(&String, &Value)| Self::is_key(key) || holds(value);
        let keys: Vec<_> = data.iter().filter(is_secret).map(|(key, _)| key.clone()).collect();
        data.retain(|key, _| !keys.contains(key));
        keys
    }

    /// The text with `***` for each secret.
    pub(crate) fn blotted(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// The bytes with a `*` for each byte of a secret.
    pub(crate) fn blotted_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        for secret in &self.0 {
            let places = bytes.windows(secret.len()).enumerate();
            let places: Vec<_> = places.filter(|(_, it)| *it == secret.as_bytes()).map(|(place, _)| place).collect();
            for place in places {
                bytes.to_mut()[place..place + secret.len()].fill(b'*');
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out() {
        let secrets = Secrets::of(&Credentials::none().with_password("hunter2").with_token("tok"));
        assert_eq!(secrets.blotted("a hunter2 is no tok"), "a *** is no ***");
        assert_eq!(&*secrets.blotted_bytes(b"PASS hunter2 hunter2\r\n"), b"PASS ******* *******\r\n");
        assert!(matches!(secrets.blotted_bytes(b"hunter"), Cow::Borrowed(b"hunter")));
    }
}
