//! A device: what has come from it, and what is sent to it.

use std::sync::Arc;

use mapper_framework::{Change, DeviceState, DriverError, Property, Reading, Reads, Session, Subscriptions, Value};
use serde_json::Value as Json;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    codec,
    plan::Plan,
    point::Point,
    points::Points,
    presence,
    share::{ONCE, Share},
    sparkplug::Node,
    traffic::Message,
    visitor::{Confirm, Visitor},
};

/// The most messages that are taken before they are handed on.
const BATCH: usize = 1000;

/// The session of a device.
pub struct MqttDevice {
    plan: Plan,
    share: Share,
    points: Points,
    /// What was found out while something else was done.
    pending: Vec<Change>,
    /// Why the device is away.
    away: Option<String>,
    /// Why the device has not taken the last command, if it has said so.
    refusal: Option<String>,
    /// Whether the device was asked to publish its values.
    is_asked: bool,
}

impl MqttDevice {
    /// Begins a session, as soon as the device is there.
    ///
    /// # Errors
    ///
    /// The device is not there by the deadline, or the broker refuses a topic that says whether it is.
    pub(crate) async fn begin(plan: Plan, share: Share, deadline: Instant) -> Result<Self, DriverError> {
        let availability = plan.availability.iter().map(|it| it.topic.clone());
        let of_node = plan.node.iter().flat_map(Node::filters);
        share.subscribe(&availability.chain(plan.answers.clone()).chain(of_node).collect::<Vec<_>>()).await?;
        let needed = plan.availability.iter().filter(|it| !it.is_optional()).map(|it| it.topic.clone());
        if let Some(refused) = needed.chain(plan.node.iter().flat_map(Node::filters)).find(|it| share.is_refused(it)) {
            return Err(DriverError::disconnected(refusal(&refused)));
        }
        let points = Points::default();
        let mut session = Self { plan, share, points, pending: Vec::new(), away: None, refusal: None, is_asked: false };
        session.ask_for_births()?;
        while let Some(complaint) = session.complaint() {
            match timeout_at(deadline.min(Instant::now() + ONCE), session.share.next()).await {
                Ok(message) => session.take(&message?),
                Err(_) if Instant::now() < deadline => session.ask_for_births()?,
                Err(_) => return Err(DriverError::disconnected(complaint)),
            }
        }
        session.away = None;
        Ok(session)
    }

    /// Why the device is not there; `None` if it is.
    fn complaint(&self) -> Option<String> {
        let node = self.plan.node.as_ref().and_then(|node| node.complaint(Instant::now()));
        node.or_else(|| presence::complaint(&self.plan.availability))
    }

    /// Has an edge node publish its births, if they are missed.
    fn ask_for_births(&mut self) -> Result<(), DriverError> {
        match self.plan.node.as_mut().and_then(|node| node.rebirth(Instant::now())) {
            Some((topic, payload)) => self.share.ask_once(&topic, payload),
            None => Ok(()),
        }
    }

    /// The property as it is served.
    ///
    /// # Errors
    ///
    /// It has no topic that makes sense.
    fn point(&self, property: &Property<Visitor>) -> Result<Point, DriverError> {
        Ok(Point::new(property.clone(), self.plan.sources(property)?, &self.plan))
    }

    /// Serves properties that it was not given before, and returns for each whether it can be.
    async fn add(&mut self, properties: &[&Property<Visitor>]) -> Result<Vec<Result<(), DriverError>>, DriverError> {
        let (mut added, mut results) = (Vec::new(), Vec::with_capacity(properties.len()));
        for property in properties {
            let is_there = self.points.get(property.name()).is_some();
            results.push(if is_there { Ok(()) } else { self.point(property).map(|point| added.push(point)) });
        }
        if !added.is_empty() {
            self.renew(|points| points.add(added)).await?;
        }
        Ok(results)
    }

    /// Changes the properties, and with them what is subscribed. Once it returns, the broker has the subscriptions.
    async fn renew(&mut self, change: impl FnOnce(&mut Points) -> Vec<Change>) -> Result<(), DriverError> {
        let before = self.points.filters();
        let changes = change(&mut self.points);
        self.pending.extend(changes);
        if let Some(node) = &self.plan.node {
            // Its topics are subscribed from the beginning.
            self.points.look_up(node, false, &mut self.pending);
            return Ok(());
        }
        let after = self.points.filters();
        let is_kept = |filter: &&String| {
            self.plan.availability.iter().any(|it| it.topic == **filter) || self.plan.answers.as_ref() == Some(*filter)
        };
        self.share.unsubscribe(before.difference(&after).filter(|filter| !is_kept(filter)));
        self.share.subscribe(&after.difference(&before).cloned().collect::<Vec<_>>()).await?;
        if let Some((topic, payload)) = self.plan.refresh.as_ref().filter(|_| !self.is_asked && !after.is_empty()) {
            self.is_asked = true;
            // The answer is a message as any other.
            drop(self.share.publish(topic, payload.as_str())?);
        }
        Ok(())
    }

    /// Takes a message: for whether the device is there, and for each property whose value stands in it.
    fn take(&mut self, message: &Arc<Message>) {
        if self.plan.node.is_some() {
            // No message of Sparkplug is to be kept, so one that is says nothing of now.
            if !message.retained {
                self.take_of_node(message);
            }
            return;
        }
        let availability = self.plan.availability.iter_mut().find(|it| it.topic == message.topic);
        if let Some(availability) = availability {
            availability.take(&message.payload);
            self.away = presence::complaint(&self.plan.availability);
        }
        if let Some(refusal) = self.plan.refusal(&message.topic, &message.payload) {
            self.refusal = Some(refusal);
        }
        self.points.take(message, &mut self.pending);
    }

    /// Takes a message of an edge node.
    fn take_of_node(&mut self, message: &Message) {
        let Some(node) = &mut self.plan.node else { return };
        match node.take(&message.topic, &message.payload, Instant::now()) {
            Ok(changed) => {
                for (metric, datum) in changed {
                    self.points.take_datum(&metric, &datum, &mut self.pending);
                }
            }
            Err(error) => self.points.fail(&error, &mut self.pending),
        }
        if node.is_new() {
            self.points.look_up(node, true, &mut self.pending);
        }
        self.away = self.complaint();
        // A connection that is lost says so by itself.
        self.ask_for_births().ok();
    }

    /// Takes what is there.
    fn take_all(&mut self) -> Result<(), DriverError> {
        for _ in 0..BATCH {
            let Some(message) = self.share.next_now()? else { break };
            self.take(&message);
        }
        self.is_there()
    }

    /// Fails if the device has gone.
    fn is_there(&self) -> Result<(), DriverError> {
        self.away.as_ref().map_or(Ok(()), |away| Err(DriverError::disconnected(away)))
    }

    /// Waits for the first values of these properties.
    async fn wait_for(&mut self, names: &[&str]) -> Result<(), DriverError> {
        loop {
            self.take_all()?;
            let patience = names.iter().filter_map(|name| self.points.get(name)?.patience()).max();
            let Some(patience) = patience.filter(|it| *it > Instant::now()) else { return Ok(()) };
            match timeout_at(patience, self.share.next()).await {
                Ok(message) => self.take(&message?),
                Err(_) => return Ok(()),
            }
        }
    }

    /// The last value of a property.
    fn known(&self, name: &str) -> Result<Reading, DriverError> {
        let point = self.points.get(name).ok_or_else(|| DriverError::failed("it is not served"))?;
        match point.sources().iter().find(|source| self.share.is_refused(&source.filter)) {
            Some(source) if !point.has_come() => Err(DriverError::refused(refusal(&source.filter))),
            _ => point.read(),
        }
    }

    /// Whether the device has shown this value since a command, or has shown it before and would have shown another one. `before` is the
    /// point's [`fresh`](Point::fresh) before the command.
    fn is_shown(&self, point: &Point, value: &Value, before: u64) -> bool {
        let is_shown = point.shown().is_some_and(|shown| shown.is_close_to(value));
        // By Sparkplug, a value that has not changed is not published again.
        let is_kept = || self.plan.node.as_ref().is_some_and(Node::is_complete);
        is_shown && (point.fresh() > before || point.is_recent() || is_kept())
    }

    /// Waits until the device shows that it has taken a value.
    async fn confirmed(&mut self, name: &str, value: &Value, confirm: Confirm, before: u64) -> Result<(), DriverError> {
        loop {
            self.take_all()?;
            if let Some(refusal) = self.refusal.take() {
                return Err(DriverError::failed(format_args!("the device does not take the command: {refusal}")));
            }
            let Some(point) = self.points.get(name) else { return Ok(()) };
            let is_confirmed = match confirm {
                Confirm::Broker => true,
                _ if point.sources().is_empty() => true,
                Confirm::Answer => point.fresh() > before,
                Confirm::Value => self.is_shown(point, value, before),
            };
            if is_confirmed {
                return Ok(());
            }
            let message = self.share.next().await?;
            self.take(&message);
        }
    }

    /// What sets a property: topic and payload.
    fn order(&self, property: &Property<Visitor>, json: &Json) -> Result<(String, Vec<u8>), DriverError> {
        if let Some(node) = &self.plan.node {
            return node.write(property.visitor().metric.as_deref().unwrap_or_default(), json);
        }
        let command = self.plan.command(property)?;
        Ok((command.topic, codec::fill(&command.template, json).into_bytes()))
    }

    /// Publishes a command, and waits for what confirms it.
    async fn command(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let json = codec::encode(value, property, self.plan.words())?;
        let (topic, payload) = self.order(property, &json)?;
        let (name, confirm) = (property.name(), property.visitor().confirm);
        let before = self.points.get(name).map_or(0, Point::fresh);
        let shown = self.points.get(name).and_then(Point::shown);
        let is_unchanged = confirm == Confirm::Value && shown.is_some_and(|shown| shown.is_close_to(value));
        let within = self.plan.config.timeout();
        let deadline = Instant::now() + within;
        self.refusal = None;
        let acknowledged = self.share.publish(&topic, payload)?;
        match timeout_at(deadline, acknowledged).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.share.lost()),
            Err(_) => {
                return Err(DriverError::failed(format_args!(
                    "the broker has not taken the command to {topic} within {within:?}"
                )));
            }
        }
        if let Some((topic, payload)) = self.plan.refresh.as_ref().filter(|_| is_unchanged) {
            // A device that has nothing to change may publish nothing, so that it is asked what holds.
            drop(self.share.publish(topic, payload.as_str())?);
        }
        if let Ok(outcome) = timeout_at(deadline, self.confirmed(name, value, confirm, before)).await {
            return outcome;
        }
        let (topics, shows) = self.points.get(name).map(|it| (it.topics(), it.shows(before))).unwrap_or_default();
        Err(DriverError::failed(format_args!(
            "the device has not confirmed {json} on {topic} within {within:?}: {shows} on {topics}"
        )))
    }
}

/// That the broker does not let the mapper read a topic.
fn refusal(filter: &str) -> String {
    format!("the broker refuses the subscription to {filter}: allow the mapper's user to read it")
}

impl Session for MqttDevice {
    type Visitor = Visitor;

    async fn subscribe(&mut self, properties: &[Arc<Property<Visitor>>]) -> Result<Subscriptions, DriverError> {
        // One whose topics make no sense is polled, so that its error shows.
        let points: Vec<_> = properties.iter().filter_map(|property| self.point(property).ok()).collect();
        let subscriptions =
            properties.iter().filter(|it| points.iter().any(|point| point.name() == it.name())).collect();
        self.renew(|before| before.replace(points)).await?;
        Ok(subscriptions)
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        self.add(&[property]).await?.into_iter().collect::<Result<(), _>>()?;
        self.wait_for(&[property.name()]).await?;
        self.known(property.name())
    }

    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        let properties = reads.properties();
        let added = self.add(&properties.iter().map(|property| &**property).collect::<Vec<_>>()).await?;
        let names: Vec<_> = properties.iter().map(|property| property.name()).collect();
        self.wait_for(&names).await?;
        for (index, (name, added)) in names.into_iter().zip(added).enumerate() {
            reads.set_at(index, added.and_then(|()| self.known(name)));
        }
        Ok(())
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        self.add(&[property]).await?.into_iter().collect::<Result<(), _>>()?;
        self.take_all()?;
        self.command(property, value).await
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        let read = || self.points.iter().filter(|point| !point.sources().is_empty());
        Ok(if read().next().is_none() || read().any(Point::is_alive) {
            DeviceState::Online
        } else if read().any(Point::has_come) {
            DeviceState::Unhealthy
        } else {
            DeviceState::Unknown
        })
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        loop {
            let now = Instant::now();
            self.points.expire(now, &mut self.pending);
            if !self.pending.is_empty() {
                return Ok(std::mem::take(&mut self.pending));
            }
            self.is_there()?;
            let due = self.points.due().into_iter().chain(self.plan.node.as_ref().and_then(Node::due)).min();
            tokio::select! {
                message = self.share.next() => {
                    self.take(&message?);
                    // What has come is handed on, and why nothing more comes is the next thing to learn.
                    self.take_all().or_else(|error| if self.pending.is_empty() { Err(error) } else { Ok(()) })?;
                }
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {
                    self.away = self.complaint();
                    self.ask_for_births()?;
                }
            }
        }
    }
}
