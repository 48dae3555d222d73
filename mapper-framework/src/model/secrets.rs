//! What must stand in nothing that is printed or kept.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{ConfigData, Credentials};

/// Ends of keys whose values are secret, in small letters without `-` and `_`.
const KEYS: [&str; 7] = ["password", "passwd", "passphrase", "secret", "apikey", "privatekey", "accesstoken"];

/// Texts that are secret, the longest first, so that one that begins another does not leave the rest of that.
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
        self.0.sort_by(|one, two| two.len().cmp(&one.len()).then_with(|| one.cmp(two)));
        self.0.dedup();
        self
    }

    /// These, the user's name, what in `data` is called like a secret, and the forms that all of them have in HTTP.
    pub(crate) fn on_the_wire(self, credentials: &Credentials, data: &[&ConfigData]) -> Self {
        let user = credentials.username().unwrap_or_default();
        let login = credentials.password().map(|password| STANDARD.encode(format!("{user}:{}", password.expose())));
        let texts = data.iter().flat_map(|data| data.iter()).filter(|(key, _)| Self::is_key(key)).filter_map(text);
        let all = self.and(texts.chain([user.to_owned()]));
        let encoded: Vec<_> = all.0.iter().map(|secret| percent_encoded(secret)).collect();
        all.and(encoded.into_iter().chain(login))
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
    pub(crate) fn redacted(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// The bytes with a `*` for each byte of a secret.
    pub(crate) fn redacted_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
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

/// What is secret in an entry of a config. A number is a code or a PIN.
fn text((_, value): (&String, &Value)) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The form of a text within a URL or a form.
fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_begins_another_does_not_leave_its_rest() {
        let secrets = Secrets::of(&Credentials::none().with_password("pass").with_token("password1"));
        assert_eq!(secrets.redacted("pass password1"), "*** ***");
    }

    #[test]
    fn user_names_and_the_forms_of_http_are_redacted() {
        let credentials = Credentials::none().with_username("operator").with_password("a/b c");
        let data = serde_json::json!({"apiKey": "k&k", "pinSecret": 4711, "host": "plc"});
        let secrets = Secrets::of(&credentials).on_the_wire(&credentials, &[data.as_object().unwrap()]);
        let said = "operator at plc: ?key=k%26k&p=a%2Fb%20c Basic b3BlcmF0b3I6YS9iIGM= 4711";
        assert_eq!(secrets.redacted(said), "*** at plc: ?key=***&p=*** Basic *** ***");
    }

    #[test]
    fn secrets_are_redacted() {
        let secrets = Secrets::of(&Credentials::none().with_password("hunter2").with_token("tok"));
        assert_eq!(secrets.redacted("a hunter2 is no tok"), "a *** is no ***");
        assert_eq!(&*secrets.redacted_bytes(b"PASS hunter2 hunter2\r\n"), b"PASS ******* *******\r\n");
        assert!(matches!(secrets.redacted_bytes(b"hunter"), Cow::Borrowed(b"hunter")));
    }
}
