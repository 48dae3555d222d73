//! What every driver has to do, tried on the devices of your manifests.
//!
//! [`check`] takes a driver and a folder of manifests, and reaches for each device in it as the framework does: by the rules of
//! [`Driver`] and [`Session`](crate::Session), and by what goes wrong in the field. The devices must be there, or something that
//! stands in for them.
//!
//! <div class="warning">
//!
//! **`check` moves machines.** It writes every `ReadWrite` property, with the desired value of the manifest or else the value that
//! the device has, and it calls **every method** of each device whose arguments have a value. On a valve, a drive or a heater that is
//! more than a test. Use a simulator, or [`check_without_writes`], which only connects, subscribes and reads. What a property's visitor
//! says of writes holds here, too: nothing is written with `writePolicy: never` or `writeDryRun: true`, and what is read back is compared
//! by `writeTolerance` and after `writeReadBackDelay`.
//!
//! </div>
//!
//! ```no_run
//! # async fn a_test(driver: impl mapper_framework::Driver) {
//! mapper_framework::testing::driver_contract::check(driver, "devices").await;
//! # }
//! ```

mod deliveries;
mod reads;
mod writes;

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

use crate::{
    driver::{Deadline, Driver, ErasedDriver, ErasedProperty, ErasedSession, erase},
    local_edge,
    model::{Device, Misfit, Problem, Property, Resolved, StreamOrder, StreamTwin, Value},
    runtime::panic_message,
};

/// The time that each call gets: what the framework gives it unless the config says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How often something is repeated that may look wrong once by chance, or go well once.
const ROUNDS: usize = 3;

/// Runs the whole suite on each device whose manifest lies in the folder. It **writes** every `ReadWrite` property and **calls** every
/// method: see the [module](self).
///
/// # Panics
///
/// The future panics at the first thing that the driver does otherwise, and names device, property, call and cure.
pub async fn check(driver: impl Driver, devices: impl AsRef<Path>) {
    run(driver, devices.as_ref(), true).await;
}

/// Runs the part of the suite that changes nothing in the devices: no write, no call of a method.
///
/// # Panics
///
/// As [`check`].
pub async fn check_without_writes(driver: impl Driver, devices: impl AsRef<Path>) {
    run(driver, devices.as_ref(), false).await;
}

async fn run(driver: impl Driver, folder: &Path, with_writes: bool) {
    let devices = local_edge::devices(folder).await;
    let devices = devices.unwrap_or_else(|error| panic!("the manifests cannot be used: {error}"));
    assert!(!devices.is_empty(), "{}: there is no Device in it: put its manifest there", folder.display());
    let driver = erase(driver);
    for device in devices {
        let suite = Suite::new(&*driver, device);
        suite.reads_fit_their_property().await;
        suite.a_round_answers_in_order().await;
        suite.the_state_is_known().await;
        if with_writes {
            suite.what_is_written_is_read_back().await;
            suite.methods_can_be_called().await;
        }
        suite.changed_may_be_cancelled().await;
        suite.what_is_subscribed_is_delivered().await;
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
    fn new(driver: &'a dyn ErasedDriver, Resolved { mut device, problems }: Resolved) -> Self {
        let stream = device.properties().filter_map(|property| Some((property, StreamTwin::of(property).err()?)));
        let of_stream = |(property, misfits): (&Property, Vec<Misfit>)| {
            misfits.into_iter().map(|misfit| Problem::of_visitor(property, misfit)).collect::<Vec<_>>()
        };
        let stream: Vec<_> = stream.flat_map(of_stream).collect();
        // What shows the stream, starts it and stops it is the framework's.
        let recorded = device.properties().filter(|property| StreamTwin::of(property) == Ok(Some(StreamTwin::File)));
        let recorded: Vec<_> = recorded.map(|property| property.name().to_owned()).collect();
        let properties = device.properties.len();
        device.properties.retain(|property| StreamTwin::of(property) == Ok(None));
        if device.properties.len() < properties {
            let records = |name: &str| recorded.iter().any(|recorded| recorded == name);
            device.methods.retain(|method| StreamOrder::of(method, records).is_none());
        }
        let id = device.id();
        let bound: Vec<_> = device.properties().map(|property| driver.bind(property)).collect();
        let misfits = bound.iter().filter_map(|bound| bound.as_ref().err().cloned()).flatten();
        let config = driver.check_config(&device).err().into_iter().flatten();
        let wrong: Vec<_> =
            problems.into_iter().chain(stream).chain(config).chain(misfits).map(|it| it.to_string()).collect();
        if !wrong.is_empty() {
            panic!("device {id}: {}: correct the manifest, or the driver's type for it", wrong.join("; "));
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
        self.call_until(call, &Deadline::after(DEADLINE), future).await
    }

    /// As [`call`](Self::call), until a deadline that the call may move on.
    async fn call_until<T>(&self, call: &'static str, deadline: &Deadline, future: impl Future<Output = T>) -> T {
        let outcome = tokio::select! {
            biased;
            outcome = AssertUnwindSafe(future).catch_unwind() => Some(outcome),
            () = deadline.missed() => None,
        };
        let violation = match outcome {
            Some(Ok(outcome)) => return outcome,
            Some(Err(panic)) => {
                let what = format!("it panicked: {}", panic_message(&*panic));
                Violation::new(call, what, "return a DriverError instead, which costs no session")
            }
            None => {
                let what = format!("it was not done within {DEADLINE:?}");
                Violation::new(call, what, "give what it awaits a shorter timeout of its own")
            }
        };
        self.violated(violation)
    }

    /// A call that may take as long as it likes.
    async fn call_for_ever<T>(&self, call: &'static str, future: impl Future<Output = T>) -> T {
        self.call_until(call, &Deadline::after(Duration::MAX), future).await
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
