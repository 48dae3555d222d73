//! The broker, with clients of rumqttc and with bare sockets.

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{super::wire::Wire, *};

fn client(broker: &Broker, id: &str) -> (AsyncClient, EventLoop) {
    AsyncClient::new(MqttOptions::new(id, "127.0.0.1", broker.address().port()), 16)
}

/// Polls until a packet fits; `None` if the connection ends before.
async fn wait(events: &mut EventLoop, mut fits: impl FnMut(&Packet) -> bool) -> Option<Packet> {
    loop {
        match events.poll().await.ok()? {
            Event::Incoming(packet) if fits(&packet) => return Some(packet),
            _ => {}
        }
    }
}

async fn subscribed(broker: &Broker, id: &str, filter: &str, qos: QoS) -> (AsyncClient, EventLoop) {
    let (client, mut events) = client(broker, id);
    client.subscribe(filter, qos).await.unwrap();
    wait(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await.unwrap();
    (client, events)
}

async fn message(events: &mut EventLoop) -> Publish {
    let packet = wait(events, |packet| matches!(packet, Packet::Publish(_))).await;
    let Some(Packet::Publish(publish)) = packet else { panic!("the connection has ended") };
    publish
}

fn text(topic: &str, payload: &str) -> Message {
    Message { topic: topic.to_owned(), payload: payload.to_owned().into(), qos: QoS::AtLeastOnce }
}

#[tokio::test]
async fn a_message_reaches_subscribers_at_the_lower_of_both_qos() {
    let broker = Broker::start().await.unwrap();
    let mut edge = broker.subscribe_edge();
    let (_one, mut at_least_once) = subscribed(&broker, "one", "$hw/+/a", QoS::ExactlyOnce).await;
    let (_two, mut at_most_once) = subscribed(&broker, "two", "$hw/#", QoS::AtMostOnce).await;
    let (_three, mut other) = subscribed(&broker, "three", "#", QoS::AtMostOnce).await;
    let (publisher, mut events) = client(&broker, "publisher");
    publisher.publish("$hw//a", QoS::AtLeastOnce, true, "1").await.unwrap();
    wait(&mut events, |packet| matches!(packet, Packet::PubAck(_))).await.unwrap();
    let first = message(&mut at_least_once).await;
    assert_eq!((first.topic.as_str(), &first.payload[..], first.qos), ("$hw//a", &b"1"[..], QoS::AtLeastOnce));
    assert_eq!((first.pkid, first.retain), (1, false));
    assert_eq!(message(&mut at_most_once).await.qos, QoS::AtMostOnce);
    assert_eq!(edge.recv().await.unwrap().topic, "$hw//a");

    publisher.publish("$hw/b/a", QoS::AtMostOnce, false, "2").await.unwrap();
    publisher.publish("other", QoS::AtMostOnce, false, "3").await.unwrap();
    tokio::select! {
        packet = wait(&mut events, |_| false) => panic!("{packet:?}"),
        second = message(&mut at_least_once) => assert_eq!((second.qos, second.pkid), (QoS::AtMostOnce, 0)),
    }
    tokio::select! {
        packet = wait(&mut events, |_| false) => panic!("{packet:?}"),
        third = message(&mut other) => assert_eq!(third.topic, "other", "a wildcard in front matches no topic with a dollar"),
    }
}

#[tokio::test]
async fn nothing_is_retained_and_who_unsubscribes_gets_nothing_more() {
    let broker = Broker::start().await.unwrap();
    broker.publish(&text("a", "before"));
    let (client, mut events) = subscribed(&broker, "one", "a", QoS::AtLeastOnce).await;
    client.subscribe("b", QoS::AtLeastOnce).await.unwrap();
    wait(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await.unwrap();
    client.unsubscribe("a").await.unwrap();
    wait(&mut events, |packet| matches!(packet, Packet::UnsubAck(_))).await.unwrap();
    broker.publish(&text("a", "after"));
    broker.publish(&text("b", "after"));
    assert_eq!(message(&mut events).await.topic, "b");
}

#[tokio::test]
async fn a_second_client_takes_over_the_id_of_the_first() {
    let broker = Broker::start().await.unwrap();
    let (_first, mut earlier) = subscribed(&broker, "same", "a", QoS::AtLeastOnce).await;
    let (_second, mut later) = subscribed(&broker, "same", "a", QoS::AtLeastOnce).await;
    assert!(wait(&mut earlier, |_| false).await.is_none(), "the first is cut");
    broker.publish(&text("a", "1"));
    assert_eq!(message(&mut later).await.topic, "a");
    assert_eq!(broker.clients.lock().clients.len(), 1);
}

/// Sends bytes and waits until the broker closes the connection. Returns what it has sent.
async fn closed_after(broker: &Broker, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is closed with unread bytes is reset.
    drop(stream.read_to_end(&mut answer).await);
    answer
}

fn connect_and(packets: &[u8]) -> Vec<u8> {
    [&b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x"[..], packets].concat()
}

#[tokio::test]
async fn what_is_malformed_or_lacking_ends_its_own_connection_only() {
    let broker = Broker::start().await.unwrap();
    let (_client, mut events) = subscribed(&broker, "one", "a", QoS::AtLeastOnce).await;
    assert_eq!(closed_after(&broker, b"GET / HTTP/1.1\r\n\r\n").await, b"");
    assert_eq!(closed_after(&broker, b"\xc0\x00").await, b"", "a ping before CONNECT");
    assert_eq!(closed_after(&broker, b"\x10\x0c\x00\x04MQTT\x05\x02\x00\x00\x00\x00").await, b"\x20\x02\x00\x01");
    assert_eq!(closed_after(&broker, b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00").await, b"\x20\x02\x00\x02");
    let accepted = b"\x20\x02\x00\x00";
    for (packets, why) in [
        (&b"\xff\xff\xff\xff\xff\xff"[..], "no length"),
        (&b"\x30\xff\xff\xff\x7f"[..], "256 MiB"),
        (&b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x"[..], "a second CONNECT"),
        (&b"\x34\x06\x00\x01a\x00\x011"[..], "QoS 2"),
        (&b"\x30\x04\x00\x01+1"[..], "a wildcard in a topic"),
        (&b"\x30\x02\x00\x00"[..], "no topic"),
    ] {
        let answer = closed_after(&broker, &connect_and(packets)).await;
        assert!(answer == accepted || answer.is_empty(), "{why}: {answer:?}");
    }
    let ping = closed_after(&broker, &connect_and(b"\xc0\x00\x82\x07\x00\x01\x00\x02#a\x00\xe0\x00")).await;
    assert_eq!(ping, b"\x20\x02\x00\x00\xd0\x00\x90\x03\x00\x01\x80", "a pong, and a filter that is refused");
    broker.publish(&text("a", "1"));
    assert_eq!(message(&mut events).await.topic, "a", "nobody else is disturbed");
    let clients: Vec<String> = broker.clients.lock().clients.keys().cloned().collect();
    assert_eq!(clients, ["one"]);
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_cut() {
    let broker = Broker::start().await.unwrap();
    let mut slow = Wire::new(TcpStream::connect(broker.address()).await.unwrap());
    slow.send(&Packet::Connect(rumqttc::Connect::new("slow"))).await.unwrap();
    slow.next().await.unwrap().unwrap();
    let mut subscribe = rumqttc::Subscribe::new("#", QoS::AtMostOnce);
    subscribe.pkid = 1;
    slow.send(&Packet::Subscribe(subscribe)).await.unwrap();
    slow.next().await.unwrap().unwrap();
    let large = text("a", &"x".repeat(64 * 1024));
    let mut sent = 0;
    while !broker.clients.lock().clients.is_empty() {
        broker.publish(&large);
        sent += 1;
        assert!(sent < 16 * CLIENT_QUEUE, "the client is never cut");
        if sent % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(sent > CLIENT_QUEUE);
    while matches!(slow.next().await, Ok(Some(_))) {}
}

#[tokio::test]
async fn a_broker_starts_again_on_the_same_port() {
    let broker = Broker::start().await.unwrap();
    let (_client, mut events) = subscribed(&broker, "one", "a", QoS::AtLeastOnce).await;
    broker.stop().await;
    broker.stop().await;
    assert!(wait(&mut events, |_| false).await.is_none());
    assert!(TcpStream::connect(broker.address()).await.is_err());
    broker.listen_again().await.unwrap();
    broker.listen_again().await.unwrap();
    let (_client, mut events) = subscribed(&broker, "one", "a", QoS::AtLeastOnce).await;
    broker.publish(&text("a", "1"));
    assert_eq!(message(&mut events).await.topic, "a");
}

#[tokio::test]
async fn a_message_that_nobody_receives_is_lost() {
    let broker = Broker::start().await.unwrap();
    drop(broker.subscribe_edge());
    broker.clients.publish(&text("a", "lost"));
    let mut edge = broker.subscribe_edge();
    broker.clients.publish(&text("a", "kept"));
    assert_eq!(&edge.recv().await.unwrap().payload[..], b"kept");
}
