//! A subscription, by which the server delivers values by itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mapper_framework::{DriverError, Property, Subscriptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::info;
use ua::{
    client::{MonitoredItem, OnSubscriptionNotification, Session},
    types::{
        DataChangeFilter, DataChangeTrigger, DataValue, DeadbandType, Error, ExtensionObject,
        MonitoredItemCreateRequest, MonitoringMode, MonitoringParameters, NodeId, StatusChangeNotification, StatusCode,
        TimestampsToReturn,
    },
};

use crate::{
    fetch::{is_too_large, value_of},
    status, value,
    visitor::Visitor,
};

/// How many MiB of values may wait to be taken. A server that delivers faster than they are taken costs the session.
const WAITING: usize = 32;
/// The most values that are handed over at once.
const AT_ONCE: usize = 1024;
/// The most values that the server sends at once.
const PER_PUBLISH: u32 = 1000;
/// After how long without news the server says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// After how long without a request for news the server gives the subscription up.
const LIFETIME: Duration = Duration::from_secs(60);
/// The publishing interval is the shortest sampling interval, within these bounds.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// What the server delivers: a value of an item, or the end of all deliveries.
enum Delivery {
    Value {
        handle: u32,
        value: DataValue,
        /// What it takes while it waits.
        _room: OwnedSemaphorePermit,
    },
    End(StatusCode),
}

/// A subscription and its items, one for each property.
pub(crate) struct Monitor {
    id: u32,
    interval: Duration,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    items: HashMap<u32, Item>,
    next_handle: u32,
}

struct Item {
    /// The server's number of it.
    id: u32,
    node: NodeId,
    property: Arc<Property<Visitor>>,
}

/// A property that is to be delivered, and its node.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) property: Arc<Property<Visitor>>,
    pub(crate) node: NodeId,
}

/// Passes deliveries on until there is no room for one.
struct Listener {
    /// `None` once there was no room.
    sender: Option<mpsc::UnboundedSender<Delivery>>,
    /// The bytes that there still is room for.
    room: Arc<Semaphore>,
}

impl Listener {
    fn new() -> (Self, mpsc::UnboundedReceiver<Delivery>) {
        // What waits in it is bounded by its bytes, which `room` counts.
        let (sender, deliveries) = mpsc::unbounded_channel();
        (Self { sender: Some(sender), room: Arc::new(Semaphore::new(WAITING << 20)) }, deliveries)
    }

    fn value(&mut self, handle: u32, value: DataValue) {
        let size = size_of::<Delivery>() + value.value.as_ref().map_or(0, value::size);
        let room = u32::try_from(size).ok().and_then(|size| Arc::clone(&self.room).try_acquire_many_owned(size).ok());
        match room {
            Some(room) => self.pass_on(Delivery::Value { handle, value, _room: room }),
            None => self.sender = None,
        }
    }

    fn pass_on(&self, delivery: Delivery) {
        if let Some(sender) = &self.sender {
            // Nobody listens any more when the session ends.
            drop(sender.send(delivery));
        }
    }
}

impl OnSubscriptionNotification for Listener {
    fn on_data_value(&mut self, value: DataValue, item: &MonitoredItem) {
        self.value(item.client_handle(), value);
    }

    fn on_subscription_status_change(&mut self, change: StatusChangeNotification) {
        self.pass_on(Delivery::End(change.status));
    }
}

impl Monitor {
    /// Creates a subscription without items. `None` where the server has none to give.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub(crate) async fn create(
        session: &Session,
        device: &str,
        wanted: &[Wanted],
    ) -> Result<Option<Self>, DriverError> {
        let (listener, deliveries) = Listener::new();
        let interval = interval(wanted);
        let created = session
            .create_subscription(
                interval,
                count(LIFETIME, interval),
                count(KEEP_ALIVE, interval),
                PER_PUBLISH,
                0,
                true,
                listener,
            )
            .await
            .map_err(|error| status::of_request("subscribing", error));
        match created {
            Ok(id) => Ok(Some(Self { id, interval, deliveries, items: HashMap::new(), next_handle: 1 })),
            Err(error) if error.is_disconnected() => Err(error),
            Err(error) => {
                info!(device, %error, "the server gives no subscription; its values are polled");
                Ok(None)
            }
        }
    }

    /// Has exactly these properties delivered, and returns those that the server delivers. A request for `per_call` of them that is too large for
    /// the server is halved, and `per_call` with it.
    ///
    /// # Errors
    ///
    /// A request failed.
    pub(crate) async fn update(
        &mut self,
        session: &Session,
        wanted: Vec<Wanted>,
        per_call: &mut usize,
    ) -> Result<Subscriptions, DriverError> {
        let (mut kept, mut added) = (HashMap::new(), Vec::new());
        let interval = interval(&wanted);
        for wanted in wanted {
            match self.items.iter().find(|(_, item)| item.serves(&wanted)).map(|(handle, _)| *handle) {
                Some(handle) => drop(
                    self.items
                        .remove(&handle)
                        .map(|item| kept.insert(handle, Item { property: wanted.property, ..item })),
                ),
                None => added.push(wanted),
            }
        }
        let removed: Vec<_> = std::mem::replace(&mut self.items, kept).into_values().map(|item| item.id).collect();
        for part in removed.chunks(*per_call) {
            let deleted = session.delete_monitored_items(self.id, part).await;
            deleted.map_err(|error| status::of_request("ending the delivery of values", error))?;
        }
        if interval != self.interval && !(self.items.is_empty() && added.is_empty()) {
            let (lifetime, keep_alive) = (count(LIFETIME, interval), count(KEEP_ALIVE, interval));
            let changed = session.modify_subscription(self.id, interval, lifetime, keep_alive, PER_PUBLISH, 0).await;
            changed.map_err(|error| status::of_request("subscribing", error))?;
            self.interval = interval;
        }
        while !added.is_empty() {
            let part = added.len().min(*per_call);
            match self.add(session, &added[..part]).await {
                Ok(()) => drop(added.drain(..part)),
                Err(error) if is_too_large(error.status()) && part > 1 => *per_call = part.div_ceil(2),
                Err(error) => return Err(status::of_request("subscribing", error)),
            }
        }
        Ok(self.items.values().map(|item| &item.property).collect())
    }

    /// Has these delivered, too. One that the server does not deliver is left out.
    async fn add(&mut self, session: &Session, wanted: &[Wanted]) -> Result<(), Error> {
        let first = self.next_handle;
        let requests = wanted.iter().zip(first..).map(|(wanted, handle)| wanted.request(handle)).collect();
        self.next_handle += wanted.len() as u32;
        let created = session.create_monitored_items(self.id, TimestampsToReturn::Both, requests).await?;
        for ((wanted, handle), created) in wanted.iter().zip(first..).zip(created) {
            let result = created.result;
            if result.status_code.is_good() {
                let Wanted { property, node } = wanted.clone();
                self.items.insert(handle, Item { id: result.monitored_item_id, node, property });
            }
        }
        Ok(())
    }

    /// Waits for values, and returns them with their properties. Safe to cancel: what was taken is returned at once.
    ///
    /// # Errors
    ///
    /// Nothing more will come.
    pub(crate) async fn deliveries(&mut self) -> Result<Vec<(Arc<Property<Visitor>>, DataValue)>, DriverError> {
        let mut taken = Vec::new();
        if self.deliveries.recv_many(&mut taken, AT_ONCE).await == 0 {
            return Err(DriverError::disconnected(format_args!(
                "the server delivers faster than values are taken: more than {WAITING} MiB waited; set `samplingInterval` or `deadband`"
            )));
        }
        let mut values = Vec::with_capacity(taken.len());
        for delivery in taken {
            match delivery {
                // What comes after its item was removed is of no interest.
                Delivery::Value { handle, value, .. } => {
                    values.extend(self.items.get(&handle).map(|item| (Arc::clone(&item.property), value)));
                }
                Delivery::End(code) if code.is_bad() => {
                    return Err(DriverError::disconnected(format_args!(
                        "the server has ended the subscription: {code}"
                    )));
                }
                Delivery::End(_) => {}
            }
        }
        Ok(values)
    }
}

impl Item {
    fn serves(&self, wanted: &Wanted) -> bool {
        self.node == wanted.node
            && self.property.name() == wanted.property.name()
            && self.property.visitor() == wanted.property.visitor()
            && Visitor::sampling(&self.property) == Visitor::sampling(&wanted.property)
    }
}

impl Wanted {
    fn request(&self, client_handle: u32) -> MonitoredItemCreateRequest {
        let visitor = self.property.visitor();
        let filter = DataChangeFilter {
            trigger: DataChangeTrigger::StatusValue,
            deadband_type: DeadbandType::Absolute as u32,
            deadband_value: visitor.deadband,
        };
        let parameters = MonitoringParameters {
            client_handle,
            sampling_interval: Visitor::sampling(&self.property).as_secs_f64() * 1000.0,
            filter: if visitor.deadband > 0.0 {
                ExtensionObject::from_message(filter)
            } else {
                ExtensionObject::null()
            },
            queue_size: visitor.queue_size,
            discard_oldest: true,
        };
        let item = value_of(self.node.clone(), &visitor.index_range);
        MonitoredItemCreateRequest::new(item, MonitoringMode::Reporting, parameters)
    }
}

/// How often the server publishes: as often as it samples what changes fastest, within bounds.
fn interval(wanted: &[Wanted]) -> Duration {
    let shortest = wanted.iter().map(|wanted| Visitor::sampling(&wanted.property)).min();
    shortest.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
}

/// How many intervals make up a time.
fn count(time: Duration, interval: Duration) -> u32 {
    (time.as_secs_f64() / interval.as_secs_f64()).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_wait_until_there_is_no_room_and_make_room_when_they_are_taken() {
        let (mut listener, mut deliveries) = Listener::new();
        let value = || DataValue::from(ua::types::Variant::from("x".repeat(1 << 20)));
        for handle in 0..3 * WAITING as u32 {
            listener.value(handle, value());
            assert!(matches!(deliveries.recv().await, Some(Delivery::Value { handle: it, .. }) if it == handle));
        }
        for handle in 0..WAITING as u32 {
            listener.value(handle, value());
        }
        let mut taken = 0;
        while deliveries.recv().await.is_some() {
            taken += 1;
        }
        assert_eq!(taken, WAITING - 1, "the end comes after what there was room for");
    }
}
