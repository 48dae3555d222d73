//! What a user writes about a device.

use std::{collections::BTreeMap, fmt, num::NonZeroUsize, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use ua::{crypto::SecurityPolicy, types::MessageSecurityMode};
use url::Url;

use crate::node::Node;

/// `spec.protocol.configData` of a device, beside `credentials`, which is the framework's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Where the server is, such as `opc.tcp://192.0.2.7:4840`.
    #[serde(deserialize_with = "address")]
    pub(crate) url: Url,
    #[serde(default)]
    security_policy: Policy,
    security_mode: Option<Mode>,
    /// How long each answer is waited for, in milliseconds.
    #[serde(default = "timeout", deserialize_with = "millis")]
    pub(crate) timeout: Duration,
    /// Whether the server delivers values by itself; else they are polled.
    #[serde(default = "yes")]
    pub(crate) subscribe: bool,
    /// The most nodes that one request asks for, where the server's own limit is too high.
    pub(crate) max_nodes_per_read: Option<NonZeroUsize>,
    /// The nodes of the device's methods, by the method's name.
    #[serde(default)]
    pub(crate) methods: BTreeMap<String, MethodNodes>,
    #[serde(default, rename = "userName", deserialize_with = "in_credentials")]
    _user_name: (),
    #[serde(default, rename = "password", deserialize_with = "in_credentials")]
    _password: (),
    #[serde(default, rename = "certificate", deserialize_with = "in_pki")]
    _certificate: (),
    #[serde(default, rename = "privateKey", deserialize_with = "in_pki")]
    _private_key: (),
}

/// A method, and the object that has it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MethodNodes {
    #[serde(rename = "objectID", alias = "objectId")]
    pub(crate) object: Node,
    #[serde(rename = "methodID", alias = "methodId")]
    pub(crate) method: Node,
}

/// How messages are protected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Security {
    pub(crate) policy: SecurityPolicy,
    pub(crate) mode: MessageSecurityMode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
enum Policy {
    #[default]
    None,
    Basic128Rsa15,
    Basic256,
    Basic256Sha256,
    Aes128Sha256RsaOaep,
    Aes256Sha256RsaPss,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
enum Mode {
    None,
    Sign,
    SignAndEncrypt,
}

impl Config {
    /// How messages are to be protected.
    ///
    /// # Errors
    ///
    /// Policy and mode contradict each other.
    pub(crate) fn security(&self) -> Result<Security, String> {
        let policy = match self.security_policy {
            Policy::None => SecurityPolicy::None,
            Policy::Basic128Rsa15 => SecurityPolicy::Basic128Rsa15,
            Policy::Basic256 => SecurityPolicy::Basic256,
            Policy::Basic256Sha256 => SecurityPolicy::Basic256Sha256,
            Policy::Aes128Sha256RsaOaep => SecurityPolicy::Aes128Sha256RsaOaep,
            Policy::Aes256Sha256RsaPss => SecurityPolicy::Aes256Sha256RsaPss,
        };
        let mode = match (policy, self.security_mode) {
            (SecurityPolicy::None, None | Some(Mode::None)) => MessageSecurityMode::None,
            (SecurityPolicy::None, Some(mode)) => {
                return Err(format!("securityMode {mode:?} needs a securityPolicy, such as Basic256Sha256"));
            }
            (_, Some(Mode::None)) => {
                return Err(format!(
                    "securityPolicy {policy} and securityMode None exclude each other: write Sign or SignAndEncrypt"
                ));
            }
            (_, Some(Mode::Sign)) => MessageSecurityMode::Sign,
            (_, None | Some(Mode::SignAndEncrypt)) => MessageSecurityMode::SignAndEncrypt,
        };
        Ok(Security { policy, mode })
    }
}

impl Security {
    /// Whether certificates are needed.
    pub(crate) fn is_some(self) -> bool {
        self.policy != SecurityPolicy::None
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.policy, self.mode)
    }
}

fn yes() -> bool {
    true
}

fn timeout() -> Duration {
    Duration::from_secs(3)
}

/// edgecore sends all numbers as floats.
fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let millis = f64::deserialize(deserializer)?;
    if (100.0..=60_000.0).contains(&millis) {
        return Ok(Duration::from_secs_f64(millis / 1000.0));
    }
    Err(D::Error::custom(format_args!("found {millis}, expected milliseconds from 100 to 60000")))
}

/// An address of a server. Its text is in no error, for there may be a password in it.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    const EXAMPLE: &str = "opc.tcp://192.0.2.7:4840";
    let text = String::deserialize(deserializer)?;
    let url = Url::parse(&text).map_err(|error| D::Error::custom(format_args!("{error}: expected {EXAMPLE}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return in_credentials(serde_json::Value::Null).map(|()| url).map_err(D::Error::custom);
    }
    if url.scheme() != "opc.tcp" || url.host_str().is_none_or(str::is_empty) {
        let found = url.scheme();
        return Err(D::Error::custom(format_args!("found an address of {found:?}, expected one such as {EXAMPLE}")));
    }
    Ok(url)
}

fn in_credentials<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    let cure = "no login stands in a manifest: take it out, and name a folder in driver.credentials by `credentials`";
    Err(D::Error::custom(cure))
}

fn in_pki<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    let cure =
        "no file of the node's stands in a manifest: take it out; the mapper's certificate lies in driver.settings.pki";
    Err(D::Error::custom(cure))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn config(mut keys: Json) -> Result<Config, String> {
        if keys.get("url").is_none() {
            keys["url"] = json!("opc.tcp://192.0.2.7:4840");
        }
        serde_json::from_value(keys).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_all_that_a_config_needs() {
        let config = config(json!({})).unwrap();
        assert_eq!(config.security().unwrap().to_string(), "None/None");
        assert_eq!((config.timeout, config.subscribe), (Duration::from_secs(3), true));
    }

    #[test]
    fn what_is_wrong_is_named_and_a_password_is_not_shown() {
        for (keys, message) in [
            (json!({"url": "opc.tcp://operator:hunter2@192.0.2.7"}), "no login stands in a manifest: take it out"),
            (json!({"url": "http://192.0.2.7/hunter2"}), r#"found an address of "http", expected one such as opc.tcp"#),
            (json!({"url": "192.0.2.7"}), "expected opc.tcp://192.0.2.7:4840"),
            (json!({"userName": "operator"}), "name a folder in driver.credentials"),
            (json!({"password": "hunter2"}), "name a folder in driver.credentials"),
            (json!({"privateKey": "/etc/hunter2"}), "the mapper's certificate lies in driver.settings.pki"),
            (json!({"timeout": 0}), "found 0, expected milliseconds from 100 to 60000"),
            (json!({"securityPolicy": "Basic"}), "unknown variant `Basic`, expected one of `None`"),
        ] {
            let error = config(keys).expect_err(message);
            assert!(error.contains(message) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn policy_and_mode_have_to_fit() {
        let security = |policy: &str, mode: Json| {
            config(json!({"securityPolicy": policy, "securityMode": mode})).unwrap().security()
        };
        assert_eq!(security("Basic256Sha256", json!(null)).unwrap().to_string(), "Basic256Sha256/SignAndEncrypt");
        assert_eq!(security("Basic256Sha256", json!("Sign")).unwrap().to_string(), "Basic256Sha256/Sign");
        assert!(security("Basic256Sha256", json!("None")).unwrap_err().contains("write Sign or SignAndEncrypt"));
        assert!(security("None", json!("Sign")).unwrap_err().contains("needs a securityPolicy"));
    }
}
