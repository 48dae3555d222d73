//! A device: what has come from it, and what is sent to it.

mod commands;

use std::{sync::Arc, time::Duration};

use mapper_framework::{Change, DeviceState, DriverError, Property, Reading, Reads, Session, Subscriptions, Value};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    plan::Plan,
    point::Point,
    points::Points,
    presence,
    share::{QUESTION_PAUSE, Refused, Share},
    sparkplug::Node,
    traffic::Message,
    visitor::Visitor,
};

/// The most messages that are taken before they are handed on.
const BATCH: usize = 1000;

/// How long after a refusal the broker is asked for the same topics again.
const REFUSAL_PAUSE: Duration = Duration::from_secs(10);

/// The session of a device.
pub struct MqttDevice {
    plan: Plan,
    share: Share,
    points: Points,
    /// What was found out while something else was done.
    pending: Vec<Change>,
    /// Why the device is not there, by what has come so far.
    absence: Option<String>,
    /// Why the device has not taken the last command, if it has said so.
    refusal: Option<String>,
    /// Whether the device was asked to publish its values.
    is_asked: bool,
    /// When the topics that the broker has refused are asked for again, if there are any.
    next_attempt: Option<Instant>,
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
        if let Some(refused) = share.refused(needed.chain(plan.node.iter().flat_map(Node::filters))).first() {
            return Err(DriverError::disconnected(refused));
        }
        let points = Points::default();
        let mut session = Self {
            plan,
            share,
            points,
            pending: Vec::new(),
            absence: None,
            refusal: None,
            is_asked: false,
            next_attempt: None,
        };
        session.ask_for_births()?;
        while let Some(absence) = session.absence() {
            match timeout_at(deadline.min(Instant::now() + QUESTION_PAUSE), session.share.next()).await {
                Ok(message) => session.take(&message?),
                Err(_) if Instant::now() < deadline => session.ask_for_births()?,
                Err(_) => return Err(DriverError::disconnected(absence)),
            }
        }
        session.absence = None;
        Ok(session)
    }

    /// Why the device is not there; `None` if it is.
    fn absence(&self) -> Option<String> {
        let node = self.plan.node.as_ref().and_then(|node| node.absence(Instant::now()));
        node.or_else(|| presence::absence(&self.plan.availability))
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
            self.change_points(|points| points.add(added)).await?;
        }
        Ok(results)
    }

    /// Changes the properties, and with them what is subscribed. Once it returns, the broker has the subscriptions.
    async fn change_points(&mut self, change: impl FnOnce(&mut Points) -> Vec<Change>) -> Result<(), DriverError> {
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
        self.learn_refusals();
        if let Some((topic, payload)) = self.plan.refresh.as_ref().filter(|_| !self.is_asked && !after.is_empty()) {
            self.is_asked = true;
            self.share.ask(topic, payload.as_str())?;
        }
        Ok(())
    }

    /// Learns which topics the broker refuses, and returns them.
    fn learn_refusals(&mut self) -> Vec<Refused> {
        let refused = self.share.refused(self.points.filters());
        self.next_attempt = (!refused.is_empty()).then(|| Instant::now() + REFUSAL_PAUSE);
        self.points.set_refused(&refused, &mut self.pending);
        refused
    }

    /// Asks again for the topics that the broker has refused, if it is time to.
    fn ask_for_refused(&mut self) -> Result<(), DriverError> {
        if self.next_attempt.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        let refused: Vec<_> = self.learn_refusals().into_iter().map(|refused| refused.filter).collect();
        self.share.subscribe_again(&refused)
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
            match message.too_large {
                Some(bytes) => availability.take(format!("{bytes} bytes").as_bytes()),
                None => availability.take(&message.payload),
            }
            self.absence = presence::absence(&self.plan.availability);
        }
        if let Some(refusal) = self.plan.refusal(&message.topic, &message.payload) {
            self.refusal = Some(refusal);
        }
        self.points.take(message, &mut self.pending);
    }

    /// Takes a message of an edge node.
    fn take_of_node(&mut self, message: &Message) {
        let Some(node) = &mut self.plan.node else { return };
        let taken = match message.excess() {
            Some(excess) => node.unreadable(&message.topic, &excess),
            None => node.take(&message.topic, &message.payload, Instant::now()),
        };
        match taken {
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
        self.absence = self.absence();
        // A connection that is lost says so by itself.
        self.ask_for_births().ok();
    }

    /// Takes what is there.
    fn take_all(&mut self) -> Result<(), DriverError> {
        for _ in 0..BATCH {
            let Some(message) = self.share.next_now()? else { break };
            self.take(&message);
        }
        self.check_presence()
    }

    /// Fails if the device has gone.
    fn check_presence(&self) -> Result<(), DriverError> {
        self.absence.as_ref().map_or(Ok(()), |why| Err(DriverError::disconnected(why)))
    }

    /// Waits for the first values of these properties.
    async fn wait_for(&mut self, names: &[&str]) -> Result<(), DriverError> {
        loop {
            self.take_all()?;
            let due = names.iter().filter_map(|name| self.points.get(name)?.first_value_due()).max();
            let Some(due) = due.filter(|it| *it > Instant::now()) else { return Ok(()) };
            match timeout_at(due, self.share.next()).await {
                Ok(message) => self.take(&message?),
                Err(_) => return Ok(()),
            }
        }
    }

    /// The last value of a property.
    fn last_reading(&self, name: &str) -> Result<Reading, DriverError> {
        let point = self.points.get(name).ok_or_else(|| DriverError::failed("it is not served"))?;
        point.read()
    }
}

impl Session for MqttDevice {
    type Visitor = Visitor;

    async fn subscribe(&mut self, properties: &[Arc<Property<Visitor>>]) -> Result<Subscriptions, DriverError> {
        // One whose topics make no sense is polled, so that its error shows.
        let points: Vec<_> = properties.iter().filter_map(|property| self.point(property).ok()).collect();
        let subscriptions =
            properties.iter().filter(|it| points.iter().any(|point| point.name() == it.name())).collect();
        self.change_points(|before| before.replace(points)).await?;
        Ok(subscriptions)
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        self.add(&[property]).await?.into_iter().collect::<Result<(), _>>()?;
        self.wait_for(&[property.name()]).await?;
        self.last_reading(property.name())
    }

    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        let properties = reads.properties();
        let added = self.add(&properties.iter().map(|property| &**property).collect::<Vec<_>>()).await?;
        let names: Vec<_> = properties.iter().map(|property| property.name()).collect();
        self.wait_for(&names).await?;
        for (index, (name, added)) in names.into_iter().zip(added).enumerate() {
            reads.set_at(index, added.and_then(|()| self.last_reading(name)));
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
        } else if read().any(|point| point.has_come() || point.is_refused()) {
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
            self.check_presence()?;
            let due = [self.points.due(), self.plan.node.as_ref().and_then(Node::due), self.next_attempt];
            let due = due.into_iter().flatten().min();
            tokio::select! {
                message = self.share.next() => {
                    self.take(&message?);
                    // What has come is handed on, and why nothing more comes is the next thing to learn.
                    self.take_all().or_else(|error| if self.pending.is_empty() { Err(error) } else { Ok(()) })?;
                }
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {
                    self.absence = self.absence();
                    self.ask_for_births()?;
                    self.ask_for_refused()?;
                }
            }
        }
    }
}
