//! A small MQTT 3.1.1 broker for tests.
//!
//! It has QoS 0 and 1, wildcards, and the takeover of a client id by a second client. It lacks QoS 2 (such a message ends the
//! connection), sessions that outlive a connection, retained messages, wills, keep-alive, logins and TLS, and it does not
//! repeat a message whose acknowledgement is missing. A client that reads too slowly is cut.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use rumqttc::QoS;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::mpsc,
    task::JoinSet,
    time,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{client, topic};

/// Messages that may wait for a client that reads slowly, before its connection is cut.
const CLIENT_QUEUE: usize = 1024;

/// How many connections wait to be accepted.
const BACKLOG: u32 = 128;

/// Messages that may wait for edgecore. Past it they are lost.
const EDGE_QUEUE: usize = 16 * 1024;

/// A message that is being delivered.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
}

/// The broker. Dropping it cuts its clients and frees its port.
#[derive(Debug)]
pub(super) struct Broker {
    address: SocketAddr,
    clients: Arc<Clients>,
    /// `None` while stopped. Held while the broker starts or stops, so that neither overtakes the other.
    listening: tokio::sync::Mutex<Option<Listening>>,
    /// Keeps the port while nobody listens there, so that nobody else gets it.
    _port: TcpSocket,
}

/// The listener and its connections. Dropping it ends them.
#[derive(Debug)]
struct Listening {
    token: CancellationToken,
    /// Ends by itself once the token is cancelled.
    task: AbortOnDropHandle<()>,
}

impl Broker {
    /// Listens on a free port of the loopback device.
    pub(super) async fn start() -> io::Result<Self> {
        let port = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = port.local_addr()?;
        let listener = socket(address)?.listen(BACKLOG)?;
        let clients = Arc::<Clients>::default();
        let listening = tokio::sync::Mutex::new(Some(Listening::start(listener, &clients)));
        Ok(Self { address, clients, listening, _port: port })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all clients, and refuses those that connect. Does nothing if it is stopped.
    pub(super) async fn stop(&self) {
        if let Some(listening) = self.listening.lock().await.take() {
            listening.stop().await;
        }
    }

    /// Listens again on the same port. Does nothing if it listens.
    pub(super) async fn listen_again(&self) -> io::Result<()> {
        let mut listening = self.listening.lock().await;
        if listening.is_none() {
            let listener = socket(self.address)?.listen(BACKLOG)?;
            *listening = Some(Listening::start(listener, &self.clients));
        }
        Ok(())
    }

    /// Delivers a message to all who have subscribed to its topic, but not to edgecore.
    pub(super) fn publish(&self, message: &Message) {
        self.clients.deliver(message);
    }

    /// Edgecore's own subscription, to all that clients publish from now on. It replaces an earlier one.
    pub(super) fn subscribe_edge(&self) -> mpsc::Receiver<Message> {
        let (sender, receiver) = mpsc::channel(EDGE_QUEUE);
        self.clients.lock().edge = Some(sender);
        receiver
    }
}

/// A socket of a port that others of this kind may share. Only those that listen get connections.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Listening {
    fn start(listener: TcpListener, clients: &Arc<Clients>) -> Self {
        let token = CancellationToken::new();
        let task = tokio::spawn(accept(listener, Arc::clone(clients), token.clone()));
        Self { token, task: AbortOnDropHandle::new(task) }
    }

    async fn stop(mut self) {
        self.token.cancel();
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the broker of the local edge has panicked");
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// Serves whoever connects, until the token is cancelled, and then waits until nothing is left.
async fn accept(listener: TcpListener, clients: Arc<Clients>, token: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = token.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(client::serve(stream, Arc::clone(&clients), token.child_token()));
            }
            Err(error) => {
                tracing::warn!(%error, "the broker of the local edge cannot accept a connection");
                time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Who is connected. Locked for the few instructions of one operation, and never across an await.
#[derive(Debug, Default)]
pub(super) struct Clients {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By client id.
    clients: BTreeMap<String, Client>,
    /// Edgecore's queue. Nobody receives from it while edgecore is away.
    edge: Option<mpsc::Sender<Message>>,
    /// How many clients there have been.
    serial: u64,
}

#[derive(Debug)]
struct Client {
    /// Tells it from an earlier client with the same id.
    serial: u64,
    /// The QoS that was granted to each filter.
    filters: BTreeMap<String, QoS>,
    queue: mpsc::Sender<Message>,
    /// Ends the connection.
    token: CancellationToken,
}

impl Client {
    /// Queues a message that the client has subscribed to. `false` if it is too slow.
    fn take(&self, message: &Message) -> bool {
        let granted = self.filters.iter().filter(|(filter, _)| topic::matches(&message.topic, filter));
        let Some(qos) = granted.map(|(_, qos)| *qos as u8).max() else { return true };
        let qos = if qos == 0 { QoS::AtMostOnce } else { message.qos };
        self.queue.try_send(Message { qos, ..message.clone() }).is_ok()
    }
}

impl Clients {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a client, and cuts the one that has had its id before.
    pub(super) fn enter(self: &Arc<Self>, id: String, token: &CancellationToken) -> (Seat, mpsc::Receiver<Message>) {
        let (queue, receiver) = mpsc::channel(CLIENT_QUEUE);
        let mut inner = self.lock();
        inner.serial += 1;
        let serial = inner.serial;
        // Without an id of its own a client gets one.
        let id = if id.is_empty() { format!("anonymous-{serial}") } else { id };
        let client = Client { serial, filters: BTreeMap::new(), queue, token: token.clone() };
        if let Some(earlier) = inner.clients.insert(id.clone(), client) {
            earlier.token.cancel();
        }
        drop(inner);
        (Seat { clients: Arc::clone(self), id, serial }, receiver)
    }

    /// Takes what a client has published.
    pub(super) fn publish(&self, message: &Message) {
        self.deliver(message);
        if let Some(edge) = &self.lock().edge
            && let Err(mpsc::error::TrySendError::Full(_)) = edge.try_send(message.clone())
        {
            tracing::warn!(topic = message.topic, "a message is lost: {EDGE_QUEUE} others wait for the local edge");
        }
    }

    fn deliver(&self, message: &Message) {
        self.lock().clients.retain(|id, client| {
            let keeps_up = client.take(message);
            if !keeps_up {
                tracing::warn!(
                    client = id,
                    "a client of the local edge's broker is cut: {CLIENT_QUEUE} messages wait for it"
                );
                client.token.cancel();
            }
            keeps_up
        });
    }
}

/// A client's place among the others; given up when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    clients: Arc<Clients>,
    id: String,
    serial: u64,
}

impl Seat {
    pub(super) fn subscribe(&self, filter: String, qos: QoS) {
        self.change(|filters| _ = filters.insert(filter, qos));
    }

    pub(super) fn unsubscribe(&self, filter: &str) {
        self.change(|filters| _ = filters.remove(filter));
    }

    pub(super) fn publish(&self, message: &Message) {
        self.clients.publish(message);
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, QoS>)) {
        if let Some(client) =
            self.clients.lock().clients.get_mut(&self.id).filter(|client| client.serial == self.serial)
        {
            change(&mut client.filters);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.clients.lock();
        if inner.clients.get(&self.id).is_some_and(|client| client.serial == self.serial) {
            inner.clients.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests;
