//! WS-Discovery: asks the network for cameras.

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use rand::Rng as _;
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};
use url::Url;

use super::xml::Element;

/// Where all devices listen.
pub(crate) const EVERYBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 3702);

/// The most cameras that are remembered: anybody may answer.
const MOST: usize = 1024;

/// The most characters of an address.
const LONGEST: usize = 1024;

/// How often a question is repeated: a datagram may get lost.
const REPEATS: u32 = 2;

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
    let mut search = Search { socket, id: format!("urn:uuid:{}", uuid()), known: HashSet::new() };
    let end = Instant::now() + wait;
    //= SOAP-over-UDP 1.1, section 3.4: the same message again after 50 to 250 ms, and once more after twice as long
    let mut pause = Duration::from_millis(rand::thread_rng().gen_range(50..=250));
    for _ in 0..REPEATS {
        search.send(at).await?;
        search.receive(end.min(Instant::now() + pause), &mut found).await;
        pause *= 2;
    }
    search.send(at).await?;
    search.receive(end, &mut found).await;
    Ok(())
}

/// A question that is under way.
struct Search {
    socket: UdpSocket,
    /// What answers to it refer to.
    id: String,
    /// The addresses of the cameras that have answered.
    known: HashSet<String>,
}

impl Search {
    async fn send(&self, at: SocketAddr) -> io::Result<()> {
        self.socket.send_to(probe(&self.id).as_bytes(), at).await.map(drop)
    }

    /// Takes answers until this time.
    async fn receive(&mut self, until: Instant, found: &mut impl FnMut(Camera)) {
        let mut buffer = vec![0; 65_535];
        while self.known.len() < MOST {
            // Late, or a network that reports an earlier datagram as undeliverable.
            let Ok(received) = timeout_at(until, self.socket.recv_from(&mut buffer)).await else { break };
            let Ok((length, _)) = received else { continue };
            for camera in matches(&String::from_utf8_lossy(&buffer[..length]), &self.id) {
                if self.known.insert(camera.address.clone()) {
                    found(camera);
                }
            }
        }
    }
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
    let address = found.text(&["XAddrs"])?.split_whitespace().find(|address| is_usable(address))?.to_owned();
    let scope = |name: &str| {
        let begin = format!("onvif://www.onvif.org/{name}/");
        let value = found.text(&["Scopes"])?.split_whitespace().find_map(|scope| scope.strip_prefix(begin.as_str()))?;
        Some(plain(value))
    };
    let (name, hardware) = (scope("name").unwrap_or_default(), scope("hardware").unwrap_or_default());
    Some(Camera { address, name, hardware })
}

/// Whether a manifest takes the address as it is. What a URI may not have in it moves a terminal's cursor.
fn is_usable(address: &str) -> bool {
    let is_plain = address.len() <= LONGEST && address.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain
        && Url::parse(address)
            .is_ok_and(|url| url.scheme() == "http" && url.username().is_empty() && url.password().is_none())
}

/// A part of a path without percent signs, and without what would move a terminal's cursor.
fn plain(text: &str) -> String {
    // These have a meaning in forms, and none in paths.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let decoded: String = url::form_urlencoded::parse(text.as_bytes()).map(|(key, _)| key.into_owned()).collect();
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

    #[test]
    fn an_address_stays_as_it_is_and_one_that_no_manifest_takes_is_passed_over() {
        let address = |addresses: &str| {
            let text = format!("<m><XAddrs>{addresses}</XAddrs></m>");
            camera(&Element::parse(&text).expect("it is XML")).map(|camera| camera.address)
        };
        let whole = "http://192.0.2.7:8080/onvif/a%20b?c=1&amp;d=2+3";
        assert_eq!(address(whole).as_deref(), Some("http://192.0.2.7:8080/onvif/a%20b?c=1&d=2+3"));
        let long = format!("http://192.0.2.7/{}", "a".repeat(LONGEST));
        let unusable =
            ["https://a/", "http://", "http://[fe80::1%25eth0]/", "http://u:p@a/", "http://a/&#155;2J", &long];
        assert_eq!(address(&format!("{}\n{whole}", unusable.join(" "))), address(whole));
        for it in unusable {
            assert_eq!(address(it), None, "{it}");
        }
    }

    #[test]
    fn a_name_is_decoded_and_moves_no_cursor() {
        assert_eq!(plain("Gate%20camera+1=2&3"), "Gate camera+1=2&3");
        assert_eq!(plain("a%1b%5b2Jb%ff"), "a[2Jb\u{fffd}");
    }
}
