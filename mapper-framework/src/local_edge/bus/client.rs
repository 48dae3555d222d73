//! One client of the broker, from its CONNECT to its end.

use std::{sync::Arc, time::Duration};

use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, Packet, Protocol, PubAck, Publish, QoS, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck, Unsubscribe, valid_filter, valid_topic,
};
use tokio::{net::TcpStream, sync::mpsc, time};
use tokio_util::sync::CancellationToken;

use super::{
    broker::{Clients, Message, Seat},
    wire::{Ended, Wire},
};

/// The time in which a client has to send its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a connection until it ends, or the token is cancelled.
pub(super) async fn serve(stream: TcpStream, clients: Arc<Clients>, token: CancellationToken) {
    // Without it answers may wait for each other; a failure shows with the first packet.
    drop(stream.set_nodelay(true));
    let served = token.run_until_cancelled(connect_and_run(Wire::new(stream), &clients, &token)).await;
    if let Some(Err(error)) = served {
        tracing::debug!(%error, "the local edge's broker has ended a connection");
    }
}

async fn connect_and_run(mut wire: Wire, clients: &Arc<Clients>, token: &CancellationToken) -> Result<(), Ended> {
    let packet = time::timeout(CONNECT_TIMEOUT, wire.next());
    let connect = match packet.await.map_err(|_| Ended::Forbidden("no CONNECT within 10 s"))?? {
        Some(Packet::Connect(connect)) => connect,
        Some(_) => return Err(Ended::Forbidden("a packet before CONNECT")),
        None => return Ok(()),
    };
    let code = judge(&connect);
    let ack = Packet::ConnAck(ConnAck::new(code, false));
    if code != ConnectReturnCode::Success {
        return wire.send(&ack).await;
    }
    let (seat, queue) = clients.enter(connect.client_id, token);
    wire.send(&ack).await?;
    Session { wire, seat, queue, last_id: 0 }.run().await
}

fn judge(connect: &Connect) -> ConnectReturnCode {
    if connect.protocol != Protocol::V4 {
        ConnectReturnCode::RefusedProtocolVersion
    } else if connect.client_id.is_empty() && !connect.clean_session {
        ConnectReturnCode::BadClientId
    } else {
        ConnectReturnCode::Success
    }
}

/// A client that is connected.
#[derive(Debug)]
struct Session {
    wire: Wire,
    seat: Seat,
    queue: mpsc::Receiver<Message>,
    /// The packet id of the latest message that went out with QoS 1.
    last_id: u16,
}

impl Session {
    async fn run(mut self) -> Result<(), Ended> {
        loop {
            tokio::select! {
                packet = self.wire.next() => match packet? {
                    Some(Packet::Disconnect) | None => return Ok(()),
                    Some(packet) => self.handle(packet).await?,
                },
                Some(message) = self.queue.recv() => self.deliver(message).await?,
            }
        }
    }

    async fn handle(&mut self, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::Publish(publish) => self.publish(publish).await,
            Packet::Subscribe(subscribe) => self.subscribe(subscribe).await,
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(unsubscribe).await,
            Packet::PingReq => self.wire.send(&Packet::PingResp).await,
            Packet::PubAck(_) => Ok(()),
            _ => Err(Ended::Forbidden("a packet that the broker does not take")),
        }
    }

    async fn publish(&mut self, publish: Publish) -> Result<(), Ended> {
        let Publish { topic, payload, qos, pkid, .. } = publish;
        if topic.is_empty() || !valid_topic(&topic) {
            return Err(Ended::Forbidden("a message whose topic is empty or has wildcards"));
        }
        if qos == QoS::ExactlyOnce {
            return Err(Ended::Forbidden("a message with QoS 2, which the broker lacks"));
        }
        self.seat.publish(&Message { topic, payload, qos });
        if qos == QoS::AtLeastOnce {
            self.wire.send(&Packet::PubAck(PubAck::new(pkid))).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), Ended> {
        let grant = |qos| if qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut codes = Vec::new();
        for filter in subscribe.filters {
            if valid_filter(&filter.path) {
                codes.push(SubscribeReasonCode::Success(grant(filter.qos)));
                self.seat.subscribe(filter.path, grant(filter.qos));
            } else {
                codes.push(SubscribeReasonCode::Failure);
            }
        }
        self.wire.send(&Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await
    }

    async fn unsubscribe(&mut self, unsubscribe: Unsubscribe) -> Result<(), Ended> {
        unsubscribe.topics.iter().for_each(|filter| self.seat.unsubscribe(filter));
        self.wire.send(&Packet::UnsubAck(UnsubAck { pkid: unsubscribe.pkid })).await
    }

    async fn deliver(&mut self, message: Message) -> Result<(), Ended> {
        let mut publish = Publish::from_bytes(message.topic, message.qos, message.payload);
        if message.qos == QoS::AtLeastOnce {
            // Zero is no packet id.
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            publish.pkid = self.last_id;
        }
        self.wire.send(&Packet::Publish(publish)).await
    }
}
