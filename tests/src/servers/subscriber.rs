//! A subscriber that speaks MQTT 3.1.1 by hand, so that what a client library gets wrong does not cancel out.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

use crate::DEADLINE;

/// A message as the broker has passed it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The topic.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// Its QoS, or that of the subscription if this is lower.
    pub qos: u8,
    /// Whether the broker has kept it from before the subscription.
    pub retained: bool,
}

/// A subscriber to all topics, which keeps all that comes. It reads until the connection ends.
#[derive(Debug)]
pub struct Subscriber {
    port: u16,
    qos: u8,
    login: Option<(&'static str, &'static str)>,
    messages: Arc<watch::Sender<Vec<Published>>>,
}

impl Subscriber {
    /// Subscribes, and waits until the broker has confirmed it: whatever is published from now on arrives.
    ///
    /// # Panics
    ///
    /// If the broker refuses, or does not answer.
    pub async fn connect(port: u16, qos: u8, login: Option<(&'static str, &'static str)>) -> Self {
        let subscriber = Self { port, qos, login, messages: Arc::new(watch::channel(Vec::new()).0) };
        subscriber.reconnect().await;
        subscriber
    }

    /// Subscribes again after the broker was away. What has come before is kept.
    ///
    /// # Panics
    ///
    /// If the broker refuses, or does not answer.
    pub async fn reconnect(&self) {
        let handshake = async {
            let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?);
            stream.write_all(&connect(self.login)).await?;
            assert_eq!(read_packet(&mut stream).await?, (0x20, vec![0, 0]), "CONNACK that accepts");
            stream.write_all(&packet(0x82, &[&[0, 1], &text("#")[..], &[self.qos]].concat())).await?;
            assert_eq!(read_packet(&mut stream).await?, (0x90, vec![0, 1, self.qos]), "SUBACK that accepts");
            io::Result::Ok(stream)
        };
        let stream = timeout(DEADLINE, handshake).await.expect("the broker answers").expect("the broker is there");
        tokio::spawn(read(stream, Arc::clone(&self.messages)));
    }

    /// Waits for so many messages of those that are `wanted`, and gives all of these that have come, in their order.
    ///
    /// # Panics
    ///
    /// If they do not come in time.
    pub async fn wait_for(&self, at_least: usize, wanted: impl Fn(&Published) -> bool) -> Vec<Published> {
        let wanted = |message: &&Published| wanted(message);
        let messages = self.wait_until(|messages| messages.iter().filter(wanted).count() >= at_least).await;
        messages.iter().filter(wanted).cloned().collect()
    }

    /// Waits for a message that nothing follows, and gives all that have come.
    ///
    /// # Panics
    ///
    /// If it does not come in time.
    pub async fn wait_for_last(&self, is_last: impl Fn(&Published) -> bool) -> Vec<Published> {
        self.wait_until(|messages| messages.last().is_some_and(&is_last)).await
    }

    async fn wait_until(&self, enough: impl Fn(&[Published]) -> bool) -> Vec<Published> {
        let mut messages = self.messages.subscribe();
        let came = timeout(DEADLINE, messages.wait_for(|messages| enough(messages))).await.is_ok();
        let messages = self.messages.borrow().clone();
        assert!(came, "what is awaited is not among {} messages after {DEADLINE:?}", messages.len());
        messages
    }
}

/// Keeps what comes until the connection ends, and acknowledges it.
async fn read(mut stream: BufReader<TcpStream>, messages: Arc<watch::Sender<Vec<Published>>>) {
    while let Ok((kind, body)) = read_packet(&mut stream).await {
        let answer = match kind & 0xF0 {
            0x30 => {
                let (message, id) = parse(kind, &body);
                let answer = [None, Some(0x40), Some(0x50)][usize::from(message.qos)];
                messages.send_modify(|messages| messages.push(message));
                answer.map(|kind| packet(kind, &id))
            }
            // PUBREL by PUBCOMP.
            0x60 => Some(packet(0x70, &body)),
            _ => None,
        };
        if let Some(answer) = answer
            && stream.write_all(&answer).await.is_err()
        {
            return;
        }
    }
}

/// The message in a PUBLISH, and the id of the packet, which is empty for QoS 0.
fn parse(kind: u8, body: &[u8]) -> (Published, Vec<u8>) {
    let qos = kind >> 1 & 3;
    let (length, rest) = body.split_at(2);
    let (topic, rest) = rest.split_at(u16::from_be_bytes([length[0], length[1]]).into());
    let (id, payload) = rest.split_at(if qos > 0 { 2 } else { 0 });
    let topic = String::from_utf8(topic.to_vec()).expect("a topic is UTF-8");
    (Published { topic, payload: payload.to_vec(), qos, retained: kind & 1 > 0 }, id.to_vec())
}

/// CONNECT with a clean session, an id of the broker's choice, and no keep-alive.
fn connect(login: Option<(&str, &str)>) -> Vec<u8> {
    let flags = if login.is_some() { 0xC2 } else { 0x02 };
    let mut body = [&text("MQTT")[..], &[4, flags, 0, 0], &text("")[..]].concat();
    if let Some((user, password)) = login {
        body.extend([text(user), text(password)].concat());
    }
    packet(0x10, &body)
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// A packet that is short enough for its length to stand in one byte.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).ok().filter(|length| *length < 0x80).expect("a short packet");
    [&[kind, length], body].concat()
}

async fn read_packet(stream: &mut BufReader<TcpStream>) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await?;
        length |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}
