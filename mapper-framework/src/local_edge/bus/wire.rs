//! MQTT packets on a connection.

use std::io;

use bytes::BytesMut;
use rumqttc::{Packet, mqttbytes};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The largest packet in bytes, both ways.
const MAX_PACKET: usize = 4 * 1024 * 1024;

/// Why the broker ends a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not MQTT 3.1.1: {0}")]
    Malformed(#[from] mqttbytes::Error),
    #[error("{0}")]
    Forbidden(&'static str),
}

/// A connection by packets.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    incoming: BytesMut,
    outgoing: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, incoming: BytesMut::new(), outgoing: BytesMut::new() }
    }

    /// The next packet; `None` once the client has closed the connection. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Packet>, Ended> {
        loop {
            if let Some(packet) = read(&mut self.incoming)? {
                return Ok(Some(packet));
            }
            if self.stream.read_buf(&mut self.incoming).await? == 0 {
                return Ok(None);
            }
        }
    }

    pub(super) async fn send(&mut self, packet: &Packet) -> Result<(), Ended> {
        packet.write(&mut self.outgoing, MAX_PACKET)?;
        self.stream.write_all_buf(&mut self.outgoing).await?;
        Ok(())
    }
}

/// Takes the first packet off the bytes; `None` while it is not whole.
fn read(bytes: &mut BytesMut) -> Result<Option<Packet>, mqttbytes::Error> {
    match Packet::read(bytes, MAX_PACKET) {
        Ok(packet) => Ok(Some(packet)),
        Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rumqttc::{Connect, Publish, QoS, Subscribe, Unsubscribe};

    use super::*;

    /// Reads until nothing is left, or something is wrong.
    fn drain(bytes: &[u8]) -> usize {
        let mut bytes = BytesMut::from(bytes);
        std::iter::from_fn(|| read(&mut bytes).ok().flatten()).count()
    }

    /// One packet of each kind that clients send.
    fn packets() -> Vec<u8> {
        let mut bytes = BytesMut::new();
        let mut publish = Publish::new("a/b", QoS::AtLeastOnce, "payload");
        publish.pkid = 1;
        for packet in [
            Packet::Connect(Connect::new("client")),
            Packet::Publish(publish),
            Packet::Subscribe(Subscribe::new("a/+", QoS::AtLeastOnce)),
            Packet::Unsubscribe(Unsubscribe::new("a/+")),
            Packet::PingReq,
            Packet::Disconnect,
        ] {
            packet.write(&mut bytes, MAX_PACKET).unwrap();
        }
        bytes.to_vec()
    }

    #[test]
    fn packets_are_read_one_by_one() {
        assert_eq!(drain(&packets()), 6);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drain(&bytes);
        }

        #[test]
        fn no_change_of_good_packets_makes_the_reader_panic(at in 0..packets().len(), byte in any::<u8>(), end in 0..100_usize) {
            let mut bytes = packets();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - end.min(bytes.len()));
            drain(&bytes);
        }
    }
}
