//! Ports picked by the system.

use std::net::{Ipv4Addr, TcpListener};

/// A TCP port of the loopback interface that nobody listened on a moment ago.
///
/// Somebody else can take it before the test does. A server that can listen on port 0 and tell which port it got is
/// better served that way; this is for those that cannot.
///
/// # Panics
///
/// If the system has no port left.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "port {port}");
    }
}
