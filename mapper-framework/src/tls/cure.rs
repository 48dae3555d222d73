//! What an operator can do about an error of a TLS connection.

/// What to do about an error, if it is one that an operator can put right. `rustls` is read by its words, since the libraries on the
/// way hand its errors on as text. `section` is that of the config with the certificates.
pub(crate) fn cure(error: &str, section: &str) -> Option<String> {
    Some(if error.contains("UnknownIssuer") {
        format!("name the authority that has issued the server's certificate in {section}.ca_file")
    } else if error.contains("NotValidForName") || error.contains("not valid for name") {
        "write the name into the address that stands in the server's certificate".to_owned()
    } else if error.contains("Expired") || error.contains("expired") {
        "renew the certificate, or put right the clock".to_owned()
    } else if error.contains("CertificateRequired") {
        format!("the server wants to see a client certificate: set {section}.cert_file and {section}.key_file")
    } else if error.contains("InvalidContentType") {
        "the port does not speak TLS: put right the scheme or the port in the address".to_owned()
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

    use super::*;

    #[test]
    fn an_error_that_an_operator_can_put_right_has_its_cure() {
        for (error, word) in [
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "sinks.tls.ca_file"),
            (Error::InvalidCertificate(CertificateError::Expired), "renew"),
            (Error::InvalidCertificate(CertificateError::NotValidForName), "name"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "sinks.tls.cert_file"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "does not speak TLS"),
        ] {
            let cure = cure(&error.to_string(), "sinks.tls");
            assert!(cure.as_ref().is_some_and(|cure| cure.contains(word)), "{error}: {cure:?}");
        }
        assert_eq!(cure("connection refused", "sinks.tls"), None);
    }
}
