//! What must not stand in a manifest.

use serde_json::Value;

use crate::{driver::Discovery, model::ConfigData};

/// Ends of keys whose values are secret, without `-` and `_`.
const KEYS: [&str; 7] = ["password", "passwd", "passphrase", "secret", "apikey", "privatekey", "accesstoken"];

/// The secrets that a search was given.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn of(discovery: &Discovery) -> Self {
        let credentials = discovery.credentials();
        let given = [credentials.password(), credentials.token()].into_iter().flatten();
        let given = given.map(|secret| secret.expose().to_owned());
        let args = discovery.raw_args().iter().filter(|(key, _)| is_secret(key));
        let args = args.filter_map(|(_, value)| value.as_str().map(str::to_owned));
        Self(given.chain(args).filter(|secret| !secret.is_empty()).collect())
    }

    /// Takes out each key that is called like a secret, or in whose value one stands. Returns these keys.
    pub(super) fn take_out_of(&self, data: &mut ConfigData) -> Vec<String> {
        let holds =
            |value: &Value| value.as_str().is_some_and(|text| self.0.iter().any(|secret| text.contains(secret)));
        let keys: Vec<_> =
            data.iter().filter(|(key, value)| is_secret(key) || holds(value)).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| drop(data.remove(key)));
        keys
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['-', '_'], "");
    key == "token" || KEYS.iter().any(|end| key.ends_with(end))
}
