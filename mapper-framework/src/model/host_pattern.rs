//! Hosts as an operator names them in the config: one host, all hosts below a domain, or any host, on one port or on any.

use std::{fmt, net::IpAddr};

use super::{Address, AddressError};

/// Which hosts are meant: `db.example`, `db.example:6379`, `[fd00::1]:6379`, `*.plant.example` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern {
    hosts: Hosts,
    /// `None` is any.
    port: Option<u16>,
}

/// From the least specific to the most specific.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Any,
    /// Those whose names end like this, which begins with a dot.
    Below(String),
    One(String),
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// It is empty, has a scheme, a path or a credential in it, or a `*` elsewhere than before the first dot.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        const CURE: &str = "write host, host:port, *.domain, or * for any host";
        let Address { scheme, host, port, path } = Address::parse(text)?;
        if scheme.is_some() || !path.is_empty() {
            return Err(AddressError::new("is more than a host", CURE));
        }
        let hosts = match host.strip_prefix('*') {
            Some("") => Hosts::Any,
            Some(end) if end.starts_with('.') && end.len() > 1 && !end.contains('*') => Hosts::Below(canonical(end)),
            None if !host.contains('*') => Hosts::One(canonical(&host)),
            _ => return Err(AddressError::new("has a * where none can stand", CURE)),
        };
        Ok(Self { hosts, port })
    }

    /// Whether a host, without the brackets of IPv6, is meant with this port.
    pub(crate) fn fits(&self, host: &str, port: u16) -> bool {
        let host = canonical(host);
        let is_host = match &self.hosts {
            Hosts::Any => true,
            Hosts::Below(end) => host.len() > end.len() && host.ends_with(end.as_str()),
            Hosts::One(one) => *one == host,
        };
        is_host && self.port.is_none_or(|it| it == port)
    }

    /// Greater for what says more: of two patterns that fit the same host, the greater one counts.
    pub(crate) fn rank(&self) -> (usize, bool) {
        let hosts = match &self.hosts {
            Hosts::Any => 0,
            Hosts::Below(end) => end.len(),
            Hosts::One(_) => usize::MAX,
        };
        (hosts, self.port.is_some())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Any => f.write_str("*")?,
            Hosts::Below(end) => write!(f, "*{end}")?,
            Hosts::One(host) if host.contains(':') => write!(f, "[{host}]")?,
            Hosts::One(host) => f.write_str(host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether a host, without the brackets of IPv6, is this machine. A name that only happens to lead here is not: its owner can change that.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = canonical(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// One spelling for each host.
fn canonical(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_the_hosts_that_it_names_and_no_others() {
        for (pattern, host, port, fits) in [
            ("db.example", "db.example", 6379, true),
            ("DB.example.", "db.example", 1, true),
            ("db.example", "db.example.evil", 1, false),
            ("db.example", "xdb.example", 1, false),
            ("db.example:6379", "db.example", 6379, true),
            ("db.example:6379", "db.example", 6380, false),
            ("*.plant.example", "db.plant.example", 1, true),
            ("*.plant.example", "a.b.PLANT.example", 1, true),
            ("*.plant.example", "plant.example", 1, false),
            ("*.plant.example", "evilplant.example", 1, false),
            ("*.plant.example:1", "db.plant.example", 2, false),
            ("[fd00::1]", "fd00:0::1", 1, true),
            ("[::ffff:10.0.0.1]:5", "10.0.0.1", 5, true),
            ("*", "anything", 1, true),
            ("*:80", "anything", 81, false),
        ] {
            assert_eq!(HostPattern::parse(pattern).unwrap().fits(host, port), fits, "{pattern} and {host}:{port}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_cure() {
        for text in ["", "http://h", "h/path", "a.*.b", "*b.example", "*.", "**", "::1", "h:0"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
        let error = HostPattern::parse("user:hunter2@h").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_more_specific_pattern_ranks_higher() {
        let patterns = ["*", "*:80", "*.example", "*.plant.example", "*.plant.example:80", "db.plant.example", "a:1"];
        let ranks: Vec<_> = patterns.iter().map(|text| HostPattern::parse(text).unwrap().rank()).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
    }

    #[test]
    fn a_pattern_is_shown_as_it_is_written() {
        for text in ["*", "*:80", "*.plant.example", "db.example:6379", "[fd00::1]:6379"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["127.0.0.1.evil.example", "localhost.evil", "0.0.0.0", "10.0.0.1", "fe80::1", "127.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
