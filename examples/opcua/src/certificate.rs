//! What a server's certificate says of itself.

use std::{fmt, net::IpAddr, time::SystemTime};

use ua::crypto::X509;
use x509_cert::{
    Certificate,
    der::Decode as _,
    ext::pkix::{SubjectAltName, name::GeneralName},
    time::Time,
};

/// What is wrong with a certificate, to be read after its name.
#[derive(Debug)]
pub(crate) enum Fault {
    Unreadable(String),
    TooEarly(Time),
    TooLate(Time),
    OtherHost(String),
    OtherApplication(String),
}

/// Makes sure that a certificate is valid at a time, for a host, and for an application. Its names stand in any order; the library's own check
/// knows only those that begin with the application.
///
/// # Errors
///
/// It is not.
pub(crate) fn check(certificate: &X509, host: &str, application: &str, now: SystemTime) -> Result<(), Fault> {
    let der = certificate.to_der().map_err(|error| Fault::Unreadable(error.to_string()))?;
    let read = Certificate::from_der(&der).map_err(|error| Fault::Unreadable(error.to_string()))?;
    check_time(&read, now)?;
    let names = read.tbs_certificate.get::<SubjectAltName>().map_err(|error| Fault::Unreadable(error.to_string()))?;
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    if !names.iter().any(|name| is_of_host(name, host)) {
        return Err(Fault::OtherHost(host.to_owned()));
    }
    if !names
        .iter()
        .any(|name| matches!(name, GeneralName::UniformResourceIdentifier(uri) if uri.as_str() == application))
    {
        return Err(Fault::OtherApplication(application.to_owned()));
    }
    Ok(())
}

/// Makes sure that a certificate is valid at a time.
///
/// # Errors
///
/// It is not.
pub(crate) fn check_time(certificate: &Certificate, now: SystemTime) -> Result<(), Fault> {
    let validity = &certificate.tbs_certificate.validity;
    if now < validity.not_before.to_system_time() {
        return Err(Fault::TooEarly(validity.not_before));
    }
    if now > validity.not_after.to_system_time() {
        return Err(Fault::TooLate(validity.not_after));
    }
    Ok(())
}

/// Whether a name is that of a host, which is a name or an address. Some servers have addresses among their names.
fn is_of_host(name: &GeneralName, host: &str) -> bool {
    match name {
        GeneralName::DnsName(name) => name.as_str().eq_ignore_ascii_case(host),
        GeneralName::IpAddress(bytes) => {
            let address = host.trim_matches(['[', ']']).parse();
            address.is_ok_and(|address| match address {
                IpAddr::V4(address) => address.octets() == bytes.as_bytes(),
                IpAddr::V6(address) => address.octets() == bytes.as_bytes(),
            })
        }
        _ => false,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::TooEarly(time) => {
                write!(f, "is not valid before {time}: correct the clock of the server or of this machine")
            }
            Self::TooLate(time) => {
                write!(f, "was valid until {time}: the server needs a new one, or its or this machine's clock is wrong")
            }
            Self::OtherHost(host) => write!(f, "is not for the host {host}: write in `url` a name that is in it"),
            Self::OtherApplication(uri) => {
                write!(f, "is not for the application that the server says it is, {uri}: the server needs another one")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ua::crypto::X509Data;

    use super::*;

    #[test]
    fn a_certificate_is_for_the_hosts_the_application_and_the_time_that_stand_in_it() {
        let hosts = ["192.0.2.7", "boiler.example", "2001:db8::7"];
        let names = X509Data::alt_host_names("urn:boiler", Some(hosts.map(String::from).to_vec()), false, false, false);
        // A short key is made quickly.
        let data =
            X509Data { key_size: 1024, alt_host_names: names, certificate_duration_days: 1, ..X509Data::sample_cert() };
        let (certificate, _) = X509::cert_and_pkey(&data).unwrap();
        let now = SystemTime::now();
        for host in ["192.0.2.7", "boiler.example", "BOILER.example", "[2001:db8::7]", "[2001:db8:0::7]"] {
            assert!(check(&certificate, host, "urn:boiler", now).is_ok(), "{host}");
        }
        let days = |count: u64| Duration::from_secs(count * 24 * 60 * 60);
        for (host, application, time, message) in [
            ("192.0.2.8", "urn:boiler", now, "is not for the host 192.0.2.8: write in `url` a name that is in it"),
            ("urn:boiler", "urn:boiler", now, "is not for the host urn:boiler"),
            ("192.0.2.7", "urn:mixer", now, "is not for the application that the server says it is, urn:mixer"),
            ("192.0.2.7", "boiler.example", now, "is not for the application"),
            ("192.0.2.7", "urn:boiler", now + days(2), "was valid until "),
            ("192.0.2.7", "urn:boiler", now - days(2), "is not valid before "),
        ] {
            let fault = check(&certificate, host, application, time).expect_err(message).to_string();
            assert!(fault.starts_with(message), "{fault}");
        }
    }
}
