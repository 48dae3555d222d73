//! What every driver has to do, tried on the devices of your manifests.
//!
//! [`check`] takes a driver and a folder of manifests, and reaches for each device in it as the framework does: by the rules of
//! [`Driver`] and [`Session`](crate::Session), and by what goes wrong in the field. The devices must be there, or something that
//! stands in for them. It writes to each property that may be written: the desired value, or else the value that it has.
//!
//! ```no_run
//! # async fn a_test(driver: impl mapper_framework::Driver) {
//! mapper_framework::testing::driver_contract::check(driver, "devices").await;
//! # }
//! ```

use std::{
    fmt::Display,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    path::Path,
    pin::pin,
    task::Poll,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::{sleep, timeout};

use crate::{
    driver::{Driver, DriverError, ErasedDriver, ErasedProperty, ErasedSession, erase},
    local_edge,
    model::{AccessMode, Device, Property, Reading, Resolved, Value},
    runtime::panic_message,
    twin,
};

/// The time that each call gets: what the framework gives it unless the config says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// The pause between two looks at whether what was written has taken effect.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How often a round of reads may look out of order before it is held to be: a value may change and change back between two reads.
const ROUNDS: usize = 3;

/// At how many awaits a round of reads is cancelled at most, each on a session of its own.
const CANCELLATIONS: usize = 32;

/// Runs the whole suite on each device whose manifest lies in the folder.
///
/// # Panics
///
/// The future panics at the first thing that the driver does otherwise, and names device, property, call and cure.
pub async fn check(driver: impl Driver, devices: impl AsRef<Path>) {
    let folder = devices.as_ref();
    let devices = local_edge::devices(folder).await;
    let devices = devices.unwrap_or_else(|error| panic!("the manifests cannot be used: {error}"));
    assert!(!devices.is_empty(), "{}: there is no Device in it: put its manifest there", folder.display());
    let driver = erase(driver);
    for device in devices {
        let suite = Suite::new(&*driver, device);
        suite.reads_fit_their_property().await;
        suite.a_round_answers_in_order().await;
        suite.what_is_written_is_read_back().await;
        suite.changed_may_be_cancelled().await;
        suite.a_cancelled_read_costs_its_session_only().await;
    }
}

/// One device, and what the driver makes of its properties.
struct Suite<'a> {
    driver: &'a dyn ErasedDriver,
    device: Device,
    /// In the order of the device's.
    erased: Vec<ErasedProperty>,
}

/// What has happened, and what its author can do about it.
struct Violation<'a> {
    call: &'static str,
    property: Option<&'a Property>,
    what: String,
    cure: &'static str,
}

impl<'a> Violation<'a> {
    fn new(call: &'static str, what: impl Display, cure: &'static str) -> Self {
        Self { call, property: None, what: what.to_string(), cure }
    }

    fn of(property: &'a Property, call: &'static str, what: impl Display, cure: &'static str) -> Self {
        Self { property: Some(property), ..Self::new(call, what, cure) }
    }
}

impl<'a> Suite<'a> {
    fn new(driver: &'a dyn ErasedDriver, Resolved { device, problems }: Resolved) -> Self {
        let id = device.id();
        let bound: Vec<_> = device.properties().map(|property| driver.bind(property)).collect();
        let misfits = bound.iter().filter_map(|bound| bound.as_ref().err().cloned());
        let mut wrong = problems.into_iter().chain(driver.check_config(&device).err()).chain(misfits);
        if let Some(problem) = wrong.next() {
            panic!("device {id}: {problem}: correct the manifest, or the driver's type for it");
        }
        let erased = bound.into_iter().flatten().collect();
        Self { driver, device, erased }
    }

    /// Ends the suite.
    fn violated(&self, Violation { call, property, what, cure }: Violation<'_>) -> ! {
        let property = property.map_or_else(String::new, |property| format!(", property {:?}", property.name()));
        panic!("device {}{property}, {call}: {what}: {cure}", self.device.id());
    }

    /// A call as the framework makes it.
    async fn call<T>(&self, call: &'static str, future: impl Future<Output = T>) -> T {
        let violation = match timeout(DEADLINE, AssertUnwindSafe(future).catch_unwind()).await {
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(panic)) => {
                let what = format!("it panicked: {}", panic_message(&*panic));
                Violation::new(call, what, "return a DriverError instead, which costs no session")
            }
            Err(_) => {
                let what = format!("it was not done within {DEADLINE:?}");
                Violation::new(call, what, "give what it awaits a shorter timeout of its own")
            }
        };
        self.violated(violation)
    }

    async fn connect(&self) -> Box<dyn ErasedSession> {
        let session = self.call("connect", self.driver.connect(&self.device)).await;
        session.unwrap_or_else(|error| {
            let cure = "is the device there? One that was connected to before must be reachable again, however that session ended";
            self.violated(Violation::new("connect", error, cure))
        })
    }

    async fn close(&self, session: Box<dyn ErasedSession>) {
        self.call("close", session.close()).await;
    }

    /// Reads the properties at these places, and gives a result for each.
    async fn read(&self, session: &mut dyn ErasedSession, places: &[usize]) -> Vec<Result<Value, DriverError>> {
        let erased: Vec<_> = places.iter().map(|&place| self.erased[place].clone()).collect();
        let results = self.call("read_many", session.read_many(&erased)).await;
        if results.len() != erased.len() {
            let what = format!("it gave {} results for {} properties", results.len(), erased.len());
            self.violated(Violation::new("read_many", what, "give one for each property, in their order"));
        }
        results
    }

    /// The property's value in its own type; `None` if it can only be written.
    async fn value(&self, session: &mut dyn ErasedSession, place: usize) -> Option<Value> {
        let property = self.property(place);
        match self.read(session, &[place]).await.swap_remove(0) {
            Ok(value) => Some(self.fitting(property, "read", value)),
            Err(error) if !error.is_retryable() && property.access_mode() == AccessMode::ReadWrite => None,
            Err(error) => {
                self.violated(Violation::of(property, "read", error, "is its visitor right for this device?"))
            }
        }
    }

    async fn values(&self, session: &mut dyn ErasedSession) -> Vec<Option<Value>> {
        let mut values = Vec::with_capacity(self.erased.len());
        for place in 0..self.erased.len() {
            values.push(self.value(session, place).await);
        }
        values
    }

    /// The value in the type of its property, and within its bounds.
    fn fitting(&self, property: &Property, call: &'static str, value: Value) -> Value {
        let fits = value.conform(property.data_type()).and_then(|value| property.check_bounds(&value).map(|()| value));
        fits.unwrap_or_else(|error| {
            let cure = "correct what the driver makes of the device's answer, or the device model";
            self.violated(Violation::of(property, call, error, cure))
        })
    }

    fn property(&self, place: usize) -> &Property {
        self.device.properties().nth(place).expect("a place is that of a property")
    }

    /// Each property by itself; and once more on another session, after the first one was closed.
    async fn reads_fit_their_property(&self) {
        for _ in 0..2 {
            let mut session = self.connect().await;
            self.values(&mut *session).await;
            self.close(session).await;
        }
    }

    async fn a_round_answers_in_order(&self) {
        let mut session = self.connect().await;
        let forwards: Vec<usize> = (0..self.erased.len()).collect();
        let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
        for places in [forwards, backwards] {
            let mut misplaced = None;
            for _ in 0..ROUNDS {
                misplaced = self.misplaced(&mut *session, &places).await;
                if misplaced.is_none() {
                    break;
                }
            }
            if let Some((property, what)) = misplaced {
                let cure = "give the results in the order of the properties that were asked for";
                self.violated(Violation::of(property, "read_many", what, cure));
            }
        }
        self.close(session).await;
    }

    /// A property whose value was the same before and after a round, and another one in it.
    async fn misplaced(&self, session: &mut dyn ErasedSession, places: &[usize]) -> Option<(&Property, String)> {
        let before = self.values(session).await;
        let round = self.read(session, places).await;
        let after = self.values(session).await;
        for (&place, result) in places.iter().zip(round) {
            let (Some(before), Some(after)) = (&before[place], &after[place]) else { continue };
            let property = self.property(place);
            let told = match result.map(|value| value.conform(property.data_type())) {
                Ok(Ok(value)) if value.is_close_to(before) || !before.is_close_to(after) => continue,
                Ok(Ok(value)) => value.to_string(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            return Some((property, format!("read by itself it is {before}, in a round with others: {told}")));
        }
        None
    }

    async fn what_is_written_is_read_back(&self) {
        let mut session = self.connect().await;
        for (place, erased) in self.erased.iter().enumerate() {
            let property = self.property(place);
            if property.access_mode() != AccessMode::ReadWrite {
                continue;
            }
            let Some(own) = self.value(&mut *session, place).await else { continue };
            let value = property.desired().map_or(Ok(own), |desired| twin::check(property, desired));
            let value = value.unwrap_or_else(|error| {
                self.violated(Violation::of(property, "desired", error, "correct `desired.value` in the manifest"))
            });
            if let Err(error) = self.call("write", session.write(erased, &value)).await {
                let cure = "implement it, or make the property ReadOnly in its device model";
                self.violated(Violation::of(property, "write", error, cure));
            }
            let mut last = None;
            let taken = timeout(DEADLINE, self.settled(&mut *session, place, &value, &mut last)).await;
            if taken.is_err() {
                let read = last.map_or_else(|| "nothing".to_owned(), |last| last.to_string());
                let what = format!("{value} was written, and {read} is read back");
                self.violated(Violation::of(property, "write", what, "read what was written, in the same unit"));
            }
        }
        self.close(session).await;
    }

    /// Reads until the value has been reached, and keeps what was read last. A device may take its time.
    async fn settled(&self, session: &mut dyn ErasedSession, place: usize, goal: &Value, last: &mut Option<Value>) {
        loop {
            *last = self.value(session, place).await;
            if last.as_ref().is_some_and(|last| last.is_close_to(goal)) {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// What is delivered must be of the device's; and a session of which `changed` was dropped in the middle goes on.
    async fn changed_may_be_cancelled(&self) {
        let mut session = self.connect().await;
        for _ in 0..ROUNDS {
            let polled = self.call("changed", poll_times(session.changed(), 1)).await;
            if let Some(delivered) = polled {
                self.delivered(delivered);
            }
            self.values(&mut *session).await;
        }
        self.close(session).await;
    }

    fn delivered(&self, delivered: Result<Vec<Reading>, DriverError>) {
        let readings = delivered.unwrap_or_else(|error| {
            let cure = "await the next change; an error ends the session, a cancelled call must not";
            self.violated(Violation::new("changed", error, cure))
        });
        for Reading { property, value, .. } in readings {
            let Some(property) = self.device.property(&property) else {
                let what = format!("it delivered {property:?}, which the device does not have");
                let cure = "give the property's name as the manifest has it";
                self.violated(Violation::new("changed", what, cure));
            };
            self.fitting(property, "changed", value);
        }
    }

    /// The framework drops a session in the middle of a read when a deadline passes; the next one must come to life.
    async fn a_cancelled_read_costs_its_session_only(&self) {
        for polls in 1..=CANCELLATIONS {
            let mut session = self.connect().await;
            let round = self.call("read_many", poll_times(session.read_many(&self.erased), polls)).await;
            drop(session);
            let mut next = self.connect().await;
            self.values(&mut *next).await;
            self.close(next).await;
            if round.is_some() {
                return;
            }
        }
    }
}

/// Polls a future at most so many times, and gives `None` and drops it if it was still pending then.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if polls >= times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
