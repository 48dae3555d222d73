//! The properties of a session, and which of them has its value on which topic.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mapper_framework::{Change, DriverError};
use tokio::time::Instant;

use crate::{
    codec::Payload,
    kept::{Kept, Wanted},
    point::Point,
    share::Refused,
    sparkplug::{Datum, Node},
    topic,
    traffic::Message,
};

/// Which property, and which of its sources.
type Place = (usize, usize);

/// The properties of a session.
#[derive(Default)]
pub(crate) struct Points {
    points: Vec<Point>,
    /// Where each property stands in `points`.
    places: HashMap<String, usize>,
    /// Whose values come on a topic.
    exact: HashMap<String, Vec<Place>>,
    /// Whose values come on topics that fit a filter.
    wild: HashMap<String, Vec<Place>>,
    /// Which properties stand for a metric of Sparkplug.
    metrics: HashMap<String, Vec<usize>>,
    /// Whether any value can become too old.
    is_limited: bool,
    /// The last message of each topic, for properties that come later.
    last: Kept,
}

impl Points {
    pub(crate) fn get(&self, name: &str) -> Option<&Point> {
        self.points.get(*self.places.get(name)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// All topics and filters that are to be subscribed.
    pub(crate) fn filters(&self) -> HashSet<String> {
        self.exact.keys().chain(self.wild.keys()).cloned().collect()
    }

    /// Has these properties from now on. Those that were there and are found as before keep their value; what is known of the others from
    /// topics that are subscribed already is returned.
    pub(crate) fn replace(&mut self, points: Vec<Point>) -> Vec<Change> {
        let mut before: HashMap<_, _> = self.points.drain(..).map(|point| (point.name().to_owned(), point)).collect();
        self.points = points;
        let (mut changes, last) = (Vec::new(), self.last.in_order());
        for point in &mut self.points {
            match before.remove(point.name()) {
                Some(old) if old.has_same_source(point) => point.inherit(old),
                _ => changes.extend(last.iter().flat_map(|message| catch_up(point, message))),
            }
        }
        self.index();
        changes
    }

    /// Has these properties beside those that are there.
    pub(crate) fn add(&mut self, points: Vec<Point>) -> Vec<Change> {
        let (mut changes, last) = (Vec::new(), self.last.in_order());
        for mut point in points {
            changes.extend(last.iter().flat_map(|message| catch_up(&mut point, message)));
            self.points.push(point);
        }
        self.index();
        changes
    }

    fn index(&mut self) {
        let Self { points, places, exact, wild, metrics, last, is_limited } = self;
        *is_limited = points.iter().any(Point::is_limited);
        places.clear();
        exact.clear();
        wild.clear();
        metrics.clear();
        for (place, point) in points.iter().enumerate() {
            places.insert(point.name().to_owned(), place);
            metrics.entry(point.metric().to_owned()).or_default().push(place);
            for (number, source) in point.sources().iter().enumerate() {
                let table = if topic::is_wild(&source.filter) { &mut *wild } else { &mut *exact };
                table.entry(source.filter.clone()).or_default().push((place, number));
            }
        }
        last.retain(|topic| match exact.contains_key(topic) {
            true => Some(Wanted::ByName),
            false => wild.keys().any(|filter| topic::fits(filter, topic)).then_some(Wanted::ByFilter),
        });
    }

    /// Takes a message, and adds what it changes.
    pub(crate) fn take(&mut self, message: &Arc<Message>, changes: &mut Vec<Change>) {
        // What the broker has kept comes again whenever anybody subscribes.
        let is_known = || self.last.get(&message.topic).is_some_and(|last| last.says_the_same(message));
        if message.retained && is_known() {
            return;
        }
        let payload = Payload::new(&message.payload);
        let wild = self.wild.iter().filter(|(filter, _)| topic::fits(filter, &message.topic));
        let by_name = self.exact.get(&message.topic).map(|places| (Wanted::ByName, places));
        let mut wanted = None;
        for (why, places) in by_name.into_iter().chain(wild.map(|(_, places)| (Wanted::ByFilter, places))) {
            wanted = wanted.or(Some(why));
            for &(place, source) in places {
                changes.extend(self.points[place].take(source, message, &payload));
            }
        }
        if let Some(wanted) = wanted {
            self.last.put(message, wanted);
        }
    }

    /// Takes what has changed of a metric, and adds what it changes.
    pub(crate) fn take_datum(&mut self, metric: &str, datum: &Datum, changes: &mut Vec<Change>) {
        for &place in self.metrics.get(metric).into_iter().flatten() {
            changes.extend(self.points[place].take_datum(datum));
        }
    }

    /// Has properties look up their metrics: all of them, or those of which nothing has come.
    pub(crate) fn look_up(&mut self, node: &Node, all: bool, changes: &mut Vec<Change>) {
        for point in self.points.iter_mut().filter(|point| all || !point.has_come()) {
            match node.metric(point.metric()) {
                Ok(datum) => changes.extend(point.take_datum(datum)),
                Err(error) => changes.push(point.put(Err(DriverError::refused(error)))),
            }
        }
    }

    /// All properties fail.
    pub(crate) fn fail(&mut self, error: &str, changes: &mut Vec<Change>) {
        changes.extend(self.points.iter_mut().map(|point| point.put(Err(DriverError::failed(error)))));
    }

    /// Has properties learn which topics the broker refuses, and adds what that changes.
    pub(crate) fn set_refused(&mut self, refused: &[Refused], changes: &mut Vec<Change>) {
        changes.extend(self.points.iter_mut().filter_map(|point| point.set_refused(refused)));
    }

    /// When there is something to report if no message comes.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.is_limited { self.points.iter().filter_map(Point::due).min() } else { None }
    }

    /// Adds that values are too old by now.
    pub(crate) fn expire(&mut self, now: Instant, changes: &mut Vec<Change>) {
        if self.is_limited {
            changes.extend(self.points.iter_mut().filter_map(|point| point.expire(now)));
        }
    }
}

/// What a message that has come before says of a property.
fn catch_up(point: &mut Point, message: &Message) -> Vec<Change> {
    let payload = Payload::new(&message.payload);
    let fitting = |point: &Point, source: usize| topic::fits(&point.sources()[source].filter, &message.topic);
    let sources: Vec<_> = (0..point.sources().len()).filter(|source| fitting(point, *source)).collect();
    sources.into_iter().filter_map(|source| point.take(source, message, &payload)).collect()
}

#[cfg(test)]
mod tests {
    use mapper_framework::{DataType, Device, Property, Value};
    use serde_json::json;

    use super::*;
    use crate::plan::Plan;

    fn point(name: &str) -> Point {
        let config = serde_json::from_value(json!({"broker": "mqtt://b"})).expect("it is a config");
        let plan = Plan::new(&Device::builder("tank").build(), config).expect("it makes sense");
        let visitor = serde_json::from_value(json!({"topic": "plant/+"})).expect("it is a visitor");
        let property = Property::builder(name, DataType::Int).visitor(visitor);
        let sources = plan.sources(&property).expect("it has a topic");
        Point::new(property, sources, &plan)
    }

    #[test]
    fn a_property_that_comes_later_learns_what_has_come_in_that_order() {
        let mut points = Points::default();
        points.add(vec![point("first")]);
        for number in (0..50).rev() {
            let (topic, payload) = (format!("plant/{number}"), number.to_string().into());
            let message = Message::now(topic, payload, false);
            points.take(&Arc::new(message), &mut Vec::new());
        }
        let values = |changes: Vec<Change>| {
            let value = |change: Change| change.result().map(|reading| reading.get_value().clone()).ok();
            changes.into_iter().filter_map(value).collect::<Vec<_>>()
        };
        let expected: Vec<_> = (0..50).rev().map(Value::Int).collect();
        assert_eq!(values(points.add(vec![point("second")])), expected);
        assert_eq!(values(points.replace(vec![point("third")])), expected);
    }
}
