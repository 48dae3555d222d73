//! WS-Discovery: asks the network for cameras.

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use super::xml::Element;

/// Where all devices listen.
pub(crate) const EVERYBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 3702);

/// The most cameras that are remembered: anybody may answer.
const MOST: usize = 1024;

/// A camera that has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Camera {
    /// The address for `onvif` in a manifest.
    pub(crate) address: String,
    /// What the camera calls itself; may be empty.
    pub(crate) name: String,
    /// What it is; may be empty.
    pub(crate) hardware: String,
}

/// Asks for cameras at an address, which is [`EVERYBODY`] outside of tests, and hands over those that answer within this time: each camera
/// once, by its address.
///
/// # Errors
///
/// There is no network to ask.
pub(crate) async fn ask(at: SocketAddr, wait: Duration, mut found: impl FnMut(Camera)) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let id = format!("urn:uuid:{}", uuid());
    socket.send_to(probe(&id).as_bytes(), at).await?;
    let (deadline, mut buffer, mut known) = (Instant::now() + wait, vec![0; 65_535], HashSet::new());
    while known.len() < MOST {
        // Late, or a network that reports an earlier datagram as undeliverable.
        let Ok(received) = timeout_at(deadline, socket.recv_from(&mut buffer)).await else { break };
        let Ok((length, _)) = received else { continue };
        for camera in matches(&String::from_utf8_lossy(&buffer[..length]), &id) {
            if known.insert(camera.address.clone()) {
                found(camera);
            }
        }
    }
    Ok(())
}

fn probe(id: &str) -> String {
    format!(
        r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>{id}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"#
    )
}

/// The cameras in an answer to this question; none in what is something else.
fn matches(text: &str, id: &str) -> Vec<Camera> {
    let Ok(root) = Element::parse(text) else { return Vec::new() };
    if root.text(&["Header", "RelatesTo"]) != Some(id) {
        return Vec::new();
    }
    let matches = root.at(&["Body", "ProbeMatches"]);
    matches.into_iter().flat_map(|it| it.children("ProbeMatch")).filter_map(camera).collect()
}

fn camera(found: &Element) -> Option<Camera> {
    let mut addresses = found.text(&["XAddrs"])?.split_whitespace();
    let address = addresses.find(|address| address.starts_with("http://"))?;
    let scope = |name: &str| {
        let begin = format!("onvif://www.onvif.org/{name}/");
        let value = found.text(&["Scopes"])?.split_whitespace().find_map(|scope| scope.strip_prefix(begin.as_str()))?;
        Some(plain(value))
    };
    let (name, hardware) = (scope("name").unwrap_or_default(), scope("hardware").unwrap_or_default());
    Some(Camera { address: plain(address), name, hardware })
}

/// Without percent signs, and without what would move a terminal's cursor.
fn plain(text: &str) -> String {
    let decoded: String =
        url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).map(|(key, _)| key.into_owned()).collect();
    decoded.chars().filter(|it| !it.is_control()).take(200).collect()
}

/// A random UUID of version 4.
fn uuid() -> String {
    let random = rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{random:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_of_version_4_and_no_two_are_alike() {
        let (one, other) = (uuid(), uuid());
        assert_eq!((one.len(), &one[14..15]), (36, "4"));
        assert!("89ab".contains(&one[19..20]), "{one}");
        assert_ne!(one, other);
    }
}
