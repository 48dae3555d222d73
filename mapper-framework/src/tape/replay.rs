//! A driver that answers with what was recorded.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Tape,
    entry::{Failure, Outcome, Read, Text, state},
    sessions::{Answer, Called, Changes, Recorded, Taken, sessions},
};
use crate::{
    driver::{
        Change, Deadline, Discovery, DriverError, ErasedDriver, ErasedProperty, ErasedSession, FrameSender, Results,
        Subscriptions,
    },
    model::{Device, DeviceState, Method, Problem, Property, Value},
};

/// A driver that connects to nothing, and answers as the recorded one has, `speed` times as fast. The driver reads manifests only.
pub(crate) fn replaying(driver: Arc<dyn ErasedDriver>, tape: Tape, speed: f64) -> Arc<dyn ErasedDriver> {
    Arc::new(Replay { driver, devices: Mutex::new(sessions(tape)), speed })
}

struct Replay {
    driver: Arc<dyn ErasedDriver>,
    /// The sessions of each device that are still to come. Held to take one.
    devices: Mutex<HashMap<String, VecDeque<Recorded>>>,
    speed: f64,
}

#[async_trait]
impl ErasedDriver for Replay {
    /// A recorded config lacks what is secret, and need not fit any more.
    fn check_config(&self, device: &Device) -> Result<(), Vec<Problem>> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if devices.contains_key(device.id().as_str()) { Ok(()) } else { self.driver.check_config(device) }
    }

    fn bind(&self, property: &Property) -> Result<ErasedProperty, Vec<Problem>> {
        self.driver.bind(property)?;
        Ok(Arc::new(property.clone()))
    }

    left_to_the_driver!();

    async fn connect(&self, device: &Device) -> Result<Box<dyn ErasedSession>, DriverError> {
        let next = {
            let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
            devices.get_mut(device.id().as_str()).and_then(VecDeque::pop_front)
        };
        let Some(mut recorded) = next else { return Err(missing(format_args!("further connect to {}", device.id()))) };
        let pace = Pace(self.speed);
        let connect = std::mem::replace(&mut recorded.connect, Taken::nothing());
        pace.answer(connect).await?;
        Ok(Box::new(Replayed { recorded, began: Instant::now(), pace }))
    }

    async fn discover(&self, _: &Discovery) -> Result<(), DriverError> {
        Err(missing("search"))
    }
}

/// The error of a call that was not recorded.
fn missing(what: impl std::fmt::Display) -> DriverError {
    DriverError::failed(format_args!("the recording has no {what}"))
}

/// How fast it goes.
#[derive(Clone, Copy)]
struct Pace(f64);

impl Pace {
    fn of(self, time: Duration) -> Duration {
        Duration::try_from_secs_f64(time.as_secs_f64() / self.0).unwrap_or(Duration::MAX)
    }

    /// Gives an answer after the time that it took.
    async fn answer<T>(self, taken: Taken<T>) -> Result<T, DriverError> {
        let Taken { took, outcome } = taken;
        match outcome {
            Answer::Given(outcome) => {
                sleep(self.of(took)).await;
                outcome.into_result()
            }
            Answer::OfRound(failure) => {
                sleep(self.of(took)).await;
                Err(failure.map_or_else(|| missing("result here"), Failure::into_error))
            }
            // Whoever has given it up then does so again.
            Answer::CutOff => pending().await,
        }
    }
}

impl<T> Taken<T> {
    fn nothing() -> Self {
        Self { took: Duration::ZERO, outcome: Answer::OfRound(None) }
    }
}

/// A session that is replayed.
struct Replayed {
    recorded: Recorded,
    /// When it was connected to.
    began: Instant,
    pace: Pace,
}

fn bound(property: &ErasedProperty) -> Arc<Property> {
    let property: Arc<dyn Any + Send + Sync> = Arc::clone(property);
    property.downcast().expect("properties are bound by the driver that made the session")
}

fn readings(changes: Changes) -> Result<Vec<Change>, DriverError> {
    let change = |(property, outcome): (String, Outcome<Read>)| {
        Ok(match outcome.into_result() {
            Ok(read) => Change::new(property, read.reading()?),
            Err(error) => Change::failed(property, error),
        })
    };
    changes.into_iter().map(change).collect()
}

#[async_trait]
impl ErasedSession for Replayed {
    async fn subscribe(&mut self, properties: &[ErasedProperty]) -> Result<Subscriptions, DriverError> {
        let next = self.recorded.subscribe.pop_front();
        let names = self.pace.answer(next.ok_or_else(|| missing("further subscription"))?).await?;
        let all = properties.iter().map(bound);
        let subscribed: Vec<_> = all.filter(|property| names.iter().any(|name| name == property.name())).collect();
        Ok(Subscriptions::all(&subscribed))
    }

    /// Each property has its own row of results, since rounds need not be composed as they were.
    async fn read_many(
        &mut self,
        properties: &[ErasedProperty],
        results: &mut Results,
        deadline: &Deadline,
    ) -> Result<(), DriverError> {
        let (mut failure, mut is_cut_off, mut took) = (None, false, Duration::ZERO);
        for (index, property) in properties.iter().map(bound).enumerate() {
            let next = self.recorded.reads.get_mut(property.name()).and_then(VecDeque::pop_front);
            let Some(taken) = next else {
                results.set(index, Err(missing(format_args!("further read of {:?}", property.name()))));
                continue;
            };
            took = took.max(taken.took);
            match taken.outcome {
                Answer::Given(outcome) => {
                    results.set(index, outcome.into_result().and_then(|read| read.reading()));
                }
                Answer::OfRound(Some(error)) => failure = Some(error),
                Answer::OfRound(None) => {}
                Answer::CutOff => is_cut_off = true,
            }
        }
        if is_cut_off {
            return pending().await;
        }
        // A driver that has read one after the other had more time.
        deadline.next_step();
        sleep(self.pace.of(took).min(deadline.patience() / 2)).await;
        failure.map_or(Ok(()), |failure: Failure| Err(failure.into_error()))
    }

    async fn write(&mut self, property: &ErasedProperty, value: &Value) -> Result<(), DriverError> {
        let (property, value) = (bound(property), Text::of(value));
        let is_asked = |(name, written, _): &(String, Option<Text>, _)| {
            name == property.name() && written.as_ref().is_none_or(|written| *written == value)
        };
        let Some(index) = self.recorded.writes.iter().position(is_asked) else {
            return Err(missing(format_args!("further write of {} to {:?}", value.text(), property.name())));
        };
        let (_, _, taken) = self.recorded.writes.remove(index);
        self.pace.answer(taken).await
    }

    async fn call(
        &mut self,
        method: &Method,
        arguments: Vec<(ErasedProperty, Value)>,
    ) -> Result<Vec<Value>, DriverError> {
        let arguments: Vec<_> =
            arguments.iter().map(|(it, value)| (bound(it).name().to_owned(), Text::of(value))).collect();
        let is_asked =
            |(name, given, _): &Called| *name == method.name && given.as_ref().is_none_or(|given| *given == arguments);
        let Some(index) = self.recorded.calls.iter().position(is_asked) else {
            return Err(missing(format_args!("further call of {:?} with these arguments", method.name)));
        };
        let (_, _, taken) = self.recorded.calls.remove(index);
        Ok(self.pace.answer(taken).await?.iter().filter_map(Text::value).collect())
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        let next = self.recorded.states.pop_front();
        Ok(state(&self.pace.answer(next.ok_or_else(|| missing("further state"))?).await?))
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        let Some((at, _)) = self.recorded.changes.front() else { return pending().await };
        // Since the session was connected to, as then.
        sleep_until(self.began + self.pace.of(at.saturating_sub(self.recorded.connected))).await;
        match self.recorded.changes.pop_front() {
            Some((_, outcome)) => readings(outcome.into_result()?),
            None => pending().await,
        }
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        drop(frames);
        Err(DriverError::unsupported("a recording has no frames"))
    }

    async fn close(self: Box<Self>) {}
}
