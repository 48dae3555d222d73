//! Which names a request may come by: what keeps a page elsewhere on the web from using a browser beside the mapper.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, header},
};

/// Whether somebody without a token may ask by this name. A page that has its own name point to this machine (DNS rebinding) asks by that name.
pub(super) fn is_allowed(request: &Request, allowed: &[String]) -> bool {
    if request.extensions().get::<super::access::Peer>() == Some(&super::access::Peer::Socket) {
        return true;
    }
    let host = match request.headers().get(header::HOST) {
        Some(_) => named_host(request.headers()),
        None => request.uri().host().map(str::to_owned),
    };
    // HTTP/1.0 names none, and is no browser.
    let Some(host) = host else { return !request.headers().contains_key(header::HOST) };
    host.eq_ignore_ascii_case("localhost")
        || is_ip(&host)
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host))
}

/// Whether a browser says that a page of another site has made the request.
pub(super) fn comes_from_elsewhere(request: &Request) -> bool {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return false };
    let origin = origin.split_once("://").map_or(origin, |(_, host)| host);
    text("host").is_none_or(|host| !host.eq_ignore_ascii_case(origin))
}

/// The host that is asked for, without its port.
fn named_host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let end = if host.starts_with('[') {
        host.find(']').map_or(host.len(), |end| end + 1)
    } else {
        host.find(':').unwrap_or(host.len())
    };
    Some(host[..end].to_owned())
}

fn is_ip(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}
