//! Addresses as they stand in manifests and in the config: `host`, `host:port` or `scheme://host:port/path`.

use std::net::Ipv6Addr;

/// The longest name that the DNS knows.
const LONGEST_NAME: usize = 253;

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// In lower case; `None` when the address names none.
    pub(crate) scheme: Option<String>,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// What follows the port, from its `/` on; empty when there is nothing.
    pub(crate) path: String,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// It is empty, has no host, a port that is none, or a credential in it, which it does not repeat.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::new("is empty", "write host:port"));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let before_query = rest.split(['?', '#']).next().unwrap_or(rest);
        if before_query.contains('@') {
            let message = "holds a user name or a password, which everybody can read there";
            let cure = "take it out, and give it to the mapper by the environment or by a mounted Secret (the key `credentials` of \
                        that section of the config)";
            return Err(AddressError::new(message, cure));
        }
        if authority.parse::<Ipv6Addr>().is_ok() {
            return Err(AddressError::new("is an IPv6 address without brackets", format!("write [{authority}]:port")));
        }
        let (host, port) =
            split_port(authority).ok_or_else(|| AddressError::new("is no address", "write host:port"))?;
        let port = match port {
            None => None,
            Some(port) => match port.parse::<u16>() {
                Ok(number) if number > 0 => Some(number),
                _ => return Err(AddressError::new(format!("{port:?} is not a port"), "use 1 to 65535")),
            },
        };
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The same, if the host is one that can be looked up. Where a URL is made of the address, that says so itself.
    ///
    /// # Errors
    ///
    /// The host is neither a name nor an IP address.
    pub(crate) fn checked(self) -> Result<Self, AddressError> {
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
        };
        let name = self.host.strip_suffix('.').unwrap_or(&self.host);
        // A link-local address may name the interface.
        let address = self.host.split('%').next().unwrap_or_default();
        if address.parse::<Ipv6Addr>().is_ok() || name.len() <= LONGEST_NAME && name.split('.').all(is_part) {
            return Ok(self);
        }
        Err(AddressError::new("has a host that is neither a name nor an IP address", "write host:port"))
    }

    /// `host:port` with this port where the address names none, and brackets around an IPv6 host.
    pub(crate) fn host_and_port(&self, default_port: u16) -> String {
        let port = self.port.unwrap_or(default_port);
        if self.host.contains(':') { format!("[{}]:{port}", self.host) } else { format!("{}:{port}", self.host) }
    }

    /// That the scheme is none of the known ones.
    pub(crate) fn unknown_scheme(&self, known: &str) -> AddressError {
        let scheme = self.scheme.as_deref().unwrap_or_default();
        AddressError::new(format!("unknown scheme {scheme:?}"), format!("use {known}"))
    }
}

/// Why a text is no address, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {cure}")]
pub(crate) struct AddressError {
    pub(crate) message: String,
    pub(crate) cure: String,
}

impl AddressError {
    pub(crate) fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { message: message.into(), cure: cure.into() }
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return None,
        }
    } else {
        match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let is_host =
        !host.is_empty() && !host.contains([' ', '[', ']']) && (authority.starts_with('[') || !host.contains(':'));
    is_host.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Option<String>, String, Option<u16>, String), String> {
        Address::parse(text).map(|it| (it.scheme, it.host, it.port, it.path)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (text, scheme, host, port, path) in [
            ("broker", None, "broker", None, ""),
            (" broker:1883 ", None, "broker", Some(1883), ""),
            ("MQTTS://broker", Some("mqtts"), "broker", None, ""),
            ("http://h:8086/api?x=1", Some("http"), "h", Some(8086), "/api?x=1"),
            ("[::1]:6379", None, "::1", Some(6379), ""),
            ("redis://[fe80::1]", Some("redis"), "fe80::1", None, ""),
        ] {
            assert_eq!(parse(text), Ok((scheme.map(str::to_owned), host.into(), port, path.into())), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", ":1883", "h:0", "h:65536", "h:x", "a b:1", "::1", "[::1", "[::1]x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_ipv6_address_without_brackets_is_refused_with_the_right_spelling() {
        assert!(parse("fd00::7").unwrap_err().contains("write [fd00::7]:port"));
    }

    #[test]
    fn a_host_that_cannot_be_looked_up_is_found() {
        let checked = |text: &str| Address::parse(text).unwrap().checked();
        for text in ["broker", "db-1.plant_2.example.", "10.0.0.7:1", "[fd00::7]:1", "[fe80::1%eth0]", "größe.example"]
        {
            assert!(checked(text).is_ok(), "{text}");
        }
        for text in ["h^", "a,b", "a..b", ".a", "h;1", "a\u{7}b", "x".repeat(254).as_str()] {
            assert!(checked(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_credential_in_an_address_is_refused_and_not_repeated() {
        let error = parse("redis://user:hunter2@h:6379").unwrap_err();
        assert!(error.contains("mounted Secret") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_ipv6_host_gets_its_brackets_back() {
        assert_eq!(Address::parse("[::1]").unwrap().host_and_port(6379), "[::1]:6379");
        assert_eq!(Address::parse("h:1").unwrap().host_and_port(6379), "h:1");
    }
}
