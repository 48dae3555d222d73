//! `sinks.http.headers` and `sinks.otel.headers`: one `Name: value` on each line.

use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

use super::super::RouteError;

/// Reads the headers of a kind. An error names the line and no value, since it may be one that should not be seen.
pub(in crate::sink) fn parse_headers(kind: &str, text: &str) -> Result<HeaderMap, RouteError> {
    let key = format!("sinks.{kind}.headers");
    let mut headers = HeaderMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |message: String| RouteError::new(&key, format_args!("line {number} {message}"));
        let (name, value) =
            line.split_once(':').ok_or_else(|| wrong("is no header".to_owned()).with_cure("write `Name: value`"))?;
        let name = name.trim();
        let parsed = HeaderName::try_from(name).map_err(|_| {
            wrong(format!("is no header: {name:?} is not a header's name")).with_cure("correct the name")
        })?;
        if holds_a_credential(&parsed) {
            let message = format!("holds the header {name}, a credential, which everybody can read in a config");
            let cure = format!(
                "give it to the mapper by {}_TOKEN, or by a mounted Secret (sinks.{kind}.credentials)",
                kind.to_ascii_uppercase()
            );
            return Err(wrong(message).with_cure(cure));
        }
        if is_ours(&parsed) {
            return Err(wrong(format!("sets {name}, which the sink sets itself")).with_cure("take it out"));
        }
        let value = HeaderValue::try_from(value.trim()).map_err(|_| {
            wrong(format!("gives {name} a value that cannot stand in a header")).with_cure("use visible ASCII")
        })?;
        headers.append(parsed, value);
    }
    Ok(headers)
}

/// The names decide: what an unknown header is for cannot be known.
fn holds_a_credential(name: &HeaderName) -> bool {
    let words = ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey"];
    words.iter().any(|word| name.as_str().contains(word))
}

fn is_ours(name: &HeaderName) -> bool {
    [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING].contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HeaderMap, RouteError> {
        parse_headers("http", text)
    }

    #[test]
    fn each_line_is_a_header() {
        let headers = parse("X-Plant: north: 2\r\n\n  x-hall:7  \nX-Plant: south\n").unwrap();
        let all: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(all, [("x-plant", "north: 2"), ("x-plant", "south"), ("x-hall", "7")]);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number() {
        for line in ["hunter2", ": hunter2", "a b: hunter2", "X-A: hunter2\u{7}"] {
            let error = parse(&format!("X-Fine: 1\n{line}")).unwrap_err().to_string();
            assert!(error.starts_with("sinks.http.headers: line 2 "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_credential_is_refused_with_the_place_where_it_belongs() {
        for name in ["Authorization", "proxy-authorization", "Cookie", "X-Auth-Token", "X-API-Key"] {
            let error = parse(&format!("{name}: hunter2")).unwrap_err().to_string();
            assert!(error.contains("HTTP_TOKEN") && error.contains("sinks.http.credentials"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_the_sink_sets_itself_is_refused() {
        let error = parse("Content-Type: text/plain").unwrap_err().to_string();
        assert!(error.contains("Content-Type"), "{error}");
    }
}
