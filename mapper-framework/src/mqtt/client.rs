//! A connection that lives on its own: a task polls the library, so that pings go out and a loss is noticed while nothing is
//! written.

use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio_util::task::AbortOnDropHandle;

use crate::config::MqttVersion;

use super::{Answer, ConnectOptions, Ended, Event, Library, Limits, Loss, Message, Publisher, V3, V5};

/// How many events wait for the owner. While it is full, the task waits, which is no harm: the owner waits for nothing but events.
const EVENTS: usize = 256;

/// A connection to a broker. When it is dropped, it is cut; [`close`](Self::close) ends it by DISCONNECT.
pub(crate) struct MqttClient {
    publisher: Publisher,
    limits: Limits,
    /// Events, and at last the loss.
    events: mpsc::Receiver<Result<Event, Loss>>,
    /// Polls the library. It ends with the connection.
    task: AbortOnDropHandle<()>,
}

impl MqttClient {
    /// Connects. Nothing is left when the future is dropped.
    pub(crate) async fn open(version: MqttVersion, settings: &ConnectOptions) -> Result<Self, Loss> {
        match version {
            MqttVersion::V3 => Self::of::<V3>(settings).await,
            MqttVersion::V5 => Self::of::<V5>(settings).await,
        }
    }

    async fn of<L: Library>(settings: &ConnectOptions) -> Result<Self, Loss> {
        let (library, publisher, limits) = L::connect(settings).await?;
        let (sender, events) = mpsc::channel(EVENTS);
        let task = AbortOnDropHandle::new(tokio::spawn(poll(library, sender)));
        Ok(Self { publisher, limits, events, task })
    }

    /// What the connection can carry.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Hands over a message.
    pub(crate) fn publish(&self, message: Message) -> Result<(), Ended> {
        self.publisher.publish(message)
    }

    /// Publishes a message, and waits until the broker has it, or does not take it. Nothing else may be on its way. Without
    /// acknowledgement, for QoS 0, it is enough that it is on the wire.
    #[cfg_attr(not(feature = "sink-mqtt"), allow(dead_code))]
    pub(crate) async fn deliver(&mut self, message: Message) -> Result<Answer, Loss> {
        // The events of a connection that has ended say why.
        drop(self.publish(message));
        loop {
            match self.event().await? {
                Event::Sent(0) => return Ok(Answer::Accepted),
                Event::Answered(_, answer) => return Ok(answer),
                Event::Sent(_) | Event::Received(_) | Event::Arrived(_) | Event::Subscribed(_) => {}
            }
        }
    }

    /// Asks for what is published to topics that fit. [`Event::Subscribed`] is the answer.
    pub(crate) fn subscribe(&self, filter: &str) -> Result<(), Ended> {
        self.publisher.subscribe(filter)
    }

    /// What happens next: to the messages that were handed over, and what arrives.
    pub(crate) async fn event(&mut self) -> Result<Event, Loss> {
        self.events.recv().await.unwrap_or_else(|| Err(ended()))
    }

    /// Whether the connection still stands, as far as is known. Not to be asked while messages are on their way.
    pub(crate) fn health(&mut self) -> Result<(), Loss> {
        match self.events.try_recv() {
            Ok(Err(loss)) => Err(loss),
            Ok(Ok(_)) | Err(TryRecvError::Empty) => Ok(()),
            Err(TryRecvError::Disconnected) => Err(ended()),
        }
    }

    /// Takes leave of the broker.
    pub(crate) async fn close(self) {
        let Self { publisher, events, task, .. } = self;
        if publisher.disconnect().is_ok() {
            // A task that has panicked has cut the connection, which is an end as well.
            drop(task.await);
        }
        // Until here, since the task would end before its time when nobody listens.
        drop(events);
    }
}

/// The loss of a connection that has reported it before, or never will.
fn ended() -> Loss {
    Loss::Connection("the connection is no more".to_owned())
}

/// Polls until the connection ends, or nobody listens any more.
async fn poll(mut library: impl Library, events: mpsc::Sender<Result<Event, Loss>>) {
    loop {
        let event = match library.next().await {
            Ok(Some(event)) => Ok(event),
            Ok(None) => return,
            Err(loss) => Err(loss),
        };
        let is_last = event.is_err();
        if events.send(event).await.is_err() || is_last {
            return;
        }
    }
}
