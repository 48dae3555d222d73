//! Who is at fault for an answer of HTTP: the content of the request, the target, or the moment.

use reqwest::StatusCode;

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Fault {
    /// What was sent, as far as the status says: it may be split, and the framework finds out whether a record or the target is wrong.
    Content,
    /// The target, or a setting that leads to it.
    Target,
    /// Nobody for long: the same request may pass later.
    Moment,
}

impl Fault {
    /// Who is at fault for a status that is no success. What is not known to be the content's fault waits.
    pub(in crate::sink) fn of(status: StatusCode, body: &str) -> Self {
        match status.as_u16() {
            _ if cure_of_tls(body).is_some() => Self::Target,
            400 | 413 | 422 => Self::Content,
            // Not implemented, an HTTP version, a network that asks for a login first.
            501 | 505 | 511 => Self::Target,
            408 | 425 | 429 | 500.. => Self::Moment,
            _ => Self::Target,
        }
    }
}

/// What to do about an answer for which the target is at fault. `kind` is the sink's, in whose section of the config the keys are.
pub(in crate::sink) fn cure(kind: &str, status: StatusCode, body: &str) -> String {
    if let Some(cure) = cure_of_tls(body) {
        return cure.to_owned();
    }
    match status.as_u16() {
        300..=399 => "write that address into the manifest".to_owned(),
        // tinyproxy answers 401 to a wrong password, and 407 to none.
        401 | 403 if body.to_lowercase().contains("this proxy") => PROXY.to_owned(),
        401 | 403 => {
            format!("put right what stands in the folder sinks.{kind}.credentials, or the rights of that user")
        }
        404 | 405 | 410 | 421 => {
            "put right host, port and path in the manifest, or make what is missing there".to_owned()
        }
        407 => PROXY.to_owned(),
        415 if kind == "http" => "choose another sinks.http.format, or set sinks.http.gzip to false".to_owned(),
        415 => format!("set sinks.{kind}.gzip to false"),
        _ => "put right the address in the manifest, or the server".to_owned(),
    }
}

const PROXY: &str =
    "the proxy wants to be logged in to: put right username and password in the folder sinks.proxy_credentials";

/// What web servers say to plain HTTP on a port for TLS, and to a client without a certificate.
fn cure_of_tls(body: &str) -> Option<&'static str> {
    // The words of nginx, of Go's net/http, of Apache, and of nginx again.
    const PLAIN: [&str; 3] = [
        "plain http request was sent to https port",
        "http request to an https server",
        "speaking plain http to an ssl",
    ];
    const CERTIFICATE: [&str; 2] = ["no required ssl certificate", "ssl certificate error"];
    let body = body.to_lowercase();
    if PLAIN.iter().any(|words| body.contains(words)) {
        Some("the port speaks TLS: write https:// into the manifest")
    } else if CERTIFICATE.iter().any(|words| body.contains(words)) {
        Some("the server wants to see a client certificate: set sinks.tls.cert_file and sinks.tls.key_file")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Fault {
        Fault::of(StatusCode::from_u16(status).unwrap(), body)
    }

    #[test]
    fn each_status_has_somebody_who_is_at_fault() {
        for status in [400, 413, 422] {
            assert_eq!(of(status, "no"), Fault::Content, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 507, 529, 599] {
            assert_eq!(of(status, "no"), Fault::Moment, "{status}");
        }
        let target = [
            101, 301, 302, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 414, 415, 421, 431, 451, 495, 501,
            505, 511,
        ];
        for status in target {
            assert_eq!(of(status, "no"), Fault::Target, "{status}");
        }
    }

    #[test]
    fn what_servers_say_of_tls_is_the_targets_fault_whatever_the_status() {
        for (body, key) in [
            ("<h1>400 Bad Request</h1> The plain HTTP request was sent to HTTPS port", "https://"),
            ("Client sent an HTTP request to an HTTPS server.", "https://"),
            ("Reason: You're speaking plain HTTP to an SSL-enabled server port.", "https://"),
            ("<title>400 No required SSL certificate was sent</title>", "sinks.tls.cert_file"),
            ("<title>400 The SSL certificate error</title>", "sinks.tls.cert_file"),
        ] {
            assert_eq!(of(400, body), Fault::Target, "{body}");
            let cure = cure("http", StatusCode::BAD_REQUEST, body);
            assert!(cure.contains(key), "{cure}");
        }
    }

    #[test]
    fn a_cure_names_the_key() {
        assert!(cure("influxdb2", StatusCode::UNAUTHORIZED, "").contains("sinks.influxdb2.credentials"));
        assert!(cure("http", StatusCode::UNSUPPORTED_MEDIA_TYPE, "").contains("sinks.http.format"));
        assert!(cure("otel", StatusCode::NOT_FOUND, "").contains("path"));
    }
}
