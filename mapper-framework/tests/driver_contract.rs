//! The suite for drivers: a sound one passes, and each way to be unsound is found and named.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
    },
};

use mapper_framework::{
    Call, Change, DataType, Device, DeviceState, Driver, DriverError, Property, Reading, Reads, Session, Subscriptions,
    Value,
    testing::driver_contract::{check, check_without_writes},
};
use serde::Deserialize;
use tokio::task::yield_now;

/// What is wrong with the driver.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    ConnectHangs,
    ConnectsOnce,
    ReadFails,
    ReadPanics,
    ReadHangs,
    ReadsText,
    ReadsTooMuch,
    ForgetsTheLast,
    AnswersInReverse,
    FailsForAllOfThem,
    StateFails,
    StateHangs,
    WriteFails,
    WriteIsForgotten,
    CallFails,
    CallPanics,
    SubscribesOnce,
    SubscribeHangs,
    SubscribesToAStranger,
    NeverDeliversTheLevel,
    ChangedFails,
    ChangedPanicsTheSecondTime,
    ChangedEndsTheSecondTime,
    ChangedTellsOfAStranger,
    CancelledReadKeepsTheDevice,
    CloseHangs,
}

/// A tank, which one session at a time can use.
struct Tank {
    flaw: Flaw,
    busy: Arc<AtomicBool>,
    /// What has been written last.
    target: Arc<AtomicI64>,
}

impl Tank {
    fn new(flaw: Flaw) -> Self {
        Self { flaw, busy: Arc::default(), target: Arc::default() }
    }
}

struct Connection {
    flaw: Flaw,
    /// Freed when the session is dropped, but not by the driver that forgets to.
    busy: Arc<AtomicBool>,
    reading: bool,
    target: Arc<AtomicI64>,
    reads: i64,
    changes: u32,
    subscribed: u32,
}

/// A property that no device has.
fn property(name: &str) -> Property<Visitor> {
    Property::builder(name, DataType::Int).visitor(Visitor { point: Point::Level })
}

#[derive(Clone, Copy, Deserialize)]
struct Visitor {
    point: Point,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Point {
    Level,
    Reads,
    Target,
    Reset,
    Dose,
}

impl Driver for Tank {
    type Config = ();
    type Session = Connection;

    async fn connect(&self, _device: &Device, (): ()) -> Result<Connection, DriverError> {
        if self.flaw == Flaw::ConnectHangs {
            pending::<()>().await;
        }
        if self.busy.swap(true, SeqCst) {
            return Err(DriverError::failed("the tank is in use"));
        }
        let (busy, target) = (Arc::clone(&self.busy), Arc::clone(&self.target));
        Ok(Connection { flaw: self.flaw, busy, reading: false, target, reads: 0, changes: 0, subscribed: 0 })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let kept = self.flaw == Flaw::ConnectsOnce || (self.flaw == Flaw::CancelledReadKeepsTheDevice && self.reading);
        self.busy.store(kept, SeqCst);
    }
}

impl Session for Connection {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        self.reading = true;
        yield_now().await;
        self.reading = false;
        self.reads += 1;
        match (self.flaw, property.visitor().point) {
            (Flaw::ReadFails, _) => Err(DriverError::failed("no answer")),
            (Flaw::ReadPanics, _) => panic!("an index out of range"),
            (Flaw::ReadHangs, _) => pending().await,
            (Flaw::ReadsText, Point::Level) => Ok("much".into()),
            (Flaw::ReadsTooMuch, Point::Level) => Ok(101.into()),
            (_, Point::Level) => Ok(42.into()),
            (_, Point::Reads) => Ok(self.reads.into()),
            (_, Point::Target) => Ok(self.target.load(SeqCst).into()),
            (_, Point::Dose) => Err(DriverError::unsupported("is an argument only")),
            (_, Point::Reset) => Err(DriverError::unsupported("can only be written")),
        }
    }

    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        let properties = reads.properties();
        let last = properties.len() - 1;
        for (index, property) in properties.iter().enumerate() {
            let reading = self.read(property).await;
            match self.flaw {
                Flaw::ForgetsTheLast if index == last && index > 0 => {}
                Flaw::AnswersInReverse => reads.set_at(last - index, reading),
                Flaw::FailsForAllOfThem => reads.set(property, Ok(reading?)),
                _ => reads.set(property, reading),
            }
        }
        Ok(())
    }

    async fn subscribe(&mut self, properties: &[Arc<Property<Visitor>>]) -> Result<Subscriptions, DriverError> {
        self.subscribed += 1;
        match self.flaw {
            Flaw::SubscribesOnce if self.subscribed == 2 => Err(DriverError::failed("subscribed already")),
            Flaw::SubscribeHangs => pending().await,
            Flaw::SubscribesToAStranger => Ok([Arc::new(property("pressure"))].iter().collect()),
            Flaw::NeverDeliversTheLevel | Flaw::None => {
                Ok(properties.iter().filter(|property| property.name() == "level").collect())
            }
            _ => Ok(Subscriptions::none()),
        }
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        match self.flaw {
            Flaw::StateFails => Err(DriverError::failed("no state")),
            Flaw::StateHangs => pending().await,
            _ => Ok(DeviceState::Ok),
        }
    }

    async fn call(&mut self, call: &Call<'_, Visitor>) -> Result<Vec<Value>, DriverError> {
        match (self.flaw, call.argument("dose")) {
            (Flaw::CallFails, _) => Err(DriverError::unsupported("not implemented")),
            (Flaw::CallPanics, _) => panic!("no arm for it"),
            (_, Some(Value::Int(dose))) => Ok(vec![Value::Int(dose * 2)]),
            _ => Err(DriverError::refused("the dose is missing")),
        }
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        match (self.flaw, property.visitor().point, value) {
            (Flaw::WriteFails, ..) => return Err(DriverError::refused("not now")),
            (Flaw::WriteIsForgotten, ..) => {}
            (_, Point::Target, Value::Int(target)) => self.target.store(*target, SeqCst),
            _ => return Err(DriverError::refused("only the target can be written")),
        }
        Ok(())
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        self.changes += 1;
        match self.flaw {
            Flaw::ChangedPanicsTheSecondTime if self.changes == 2 => panic!("polled after it was done"),
            Flaw::ChangedEndsTheSecondTime if self.changes == 2 => {
                Err(DriverError::disconnected("the channel is closed"))
            }
            Flaw::ChangedTellsOfAStranger => Ok(vec![Change::new("pressure", 1)]),
            Flaw::ChangedFails => Ok(vec![Change::failed("level", DriverError::failed("the sensor is broken"))]),
            Flaw::None if self.changes == 2 || self.subscribed > 0 => Ok(vec![Change::new("level", 43)]),
            _ => pending().await,
        }
    }

    async fn close(self) {
        if self.flaw == Flaw::CloseHangs {
            pending::<()>().await;
        }
    }
}

const MODEL: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: tank}
spec:
  protocol: tank
  properties:
    - {name: level, type: INT, accessMode: ReadOnly, minimum: '0', maximum: '100', visitors: {configData: {point: level}}}
    - {name: reads, type: INT, accessMode: ReadOnly, visitors: {configData: {point: reads}}}
    - {name: target, type: INT, accessMode: ReadWrite, maximum: '100', visitors: {configData: {point: target}}}
    - {name: reset, type: BOOLEAN, accessMode: ReadWrite, visitors: {configData: {point: reset}}}
    - {name: dose, type: INT, accessMode: ReadOnly, visitors: {configData: {point: dose}}}
";

const DEVICE: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: tank-1}
spec:
  deviceModelRef: {name: tank}
  protocol: {protocolName: tank}
  properties: [{name: level}, {name: reads}, {name: target, desired: {value: '7'}}, {name: reset}, {name: dose, desired: {value: '5'}}]
  methods: [{name: fill, propertyNames: [dose, target]}]
";

/// Runs the suite on a driver with this flaw, and on these manifests.
async fn check_on(flaw: Flaw, manifests: &[&str]) {
    let devices = tempfile::tempdir().expect("a folder");
    for (number, manifest) in manifests.iter().enumerate() {
        std::fs::write(devices.path().join(format!("{number}.yaml")), manifest).expect("written");
    }
    check(Tank::new(flaw), devices.path()).await;
}

#[tokio::test(start_paused = true)]
async fn a_sound_driver_passes() {
    let tank = Tank::new(Flaw::None);
    let target = Arc::clone(&tank.target);
    let devices = tempfile::tempdir().expect("a folder");
    std::fs::write(devices.path().join("all.yaml"), format!("{MODEL}---{DEVICE}")).expect("written");
    check(tank, devices.path()).await;
    assert_eq!(target.load(SeqCst), 7, "the desired value was written");
}

#[tokio::test(start_paused = true)]
async fn without_writes_nothing_is_written_and_no_method_is_called() {
    for flaw in [Flaw::None, Flaw::WriteFails, Flaw::CallFails] {
        let tank = Tank::new(flaw);
        let target = Arc::clone(&tank.target);
        let devices = tempfile::tempdir().expect("a folder");
        std::fs::write(devices.path().join("all.yaml"), format!("{MODEL}---{DEVICE}")).expect("written");
        check_without_writes(tank, devices.path()).await;
        assert_eq!(target.load(SeqCst), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_without_a_desired_value_keeps_its_own() {
    check_on(Flaw::None, &[MODEL, &DEVICE.replace(", desired: {value: '7'}", "")]).await;
}

/// A test for each flaw: its name, the flaw, and what the suite says.
macro_rules! found {
    ($($name:ident: $flaw:ident => $message:literal,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            #[should_panic(expected = $message)]
            async fn $name() {
                check_on(Flaw::$flaw, &[MODEL, DEVICE]).await;
            }
        )*
    };
}

found! {
    a_connect_that_hangs_is_found: ConnectHangs =>
        "device default/tank-1, connect: it was not done within 10s: give what it awaits a shorter timeout of its own",
    a_driver_that_connects_once_only_is_found: ConnectsOnce =>
        "device default/tank-1, connect: the tank is in use: is the device there? One that was connected to before must be",
    a_read_that_fails_is_found: ReadFails =>
        "device default/tank-1, property \"level\", read: no answer: is its visitor right",
    a_read_that_panics_is_found: ReadPanics =>
        "device default/tank-1, read_many: it panicked: an index out of range: return a DriverError instead",
    a_read_that_hangs_is_found: ReadHangs => "device default/tank-1, read_many: it was not done within 10s",
    a_value_of_another_type_is_found: ReadsText =>
        "device default/tank-1, property \"level\", read: \"much\" is not a value of type INT: correct",
    a_value_outside_the_bounds_is_found: ReadsTooMuch =>
        "device default/tank-1, property \"level\", read: 101 lies outside 0 to 100",
    a_round_that_lacks_values_is_found: ForgetsTheLast =>
        "device default/tank-1, property \"dose\", read_many: it returned no result for it: put one into `reads`",
    a_round_that_mixes_its_properties_up_is_found: AnswersInReverse =>
        "device default/tank-1, property \"level\", read_many: read by itself it is 42, in a round with others: is an argument",
    a_round_that_fails_for_all_because_of_one_is_found: FailsForAllOfThem =>
        "device default/tank-1, read_many: it failed as a whole (can only be written), and by itself each property can be read",
    a_state_that_fails_is_found: StateFails => "device default/tank-1, state: no state: return the state that",
    a_state_that_hangs_is_found: StateHangs => "device default/tank-1, state: it was not done within 10s",
    a_call_that_fails_is_found: CallFails =>
        "device default/tank-1, call: method \"fill\": not implemented: implement it, or take the method out",
    a_call_that_panics_is_found: CallPanics => "device default/tank-1, call: it panicked: no arm for it",
    a_session_that_subscribes_once_only_is_found: SubscribesOnce =>
        "device default/tank-1, subscribe: subscribed already: it is called at each change of the properties",
    a_subscribe_that_hangs_is_found: SubscribeHangs => "device default/tank-1, subscribe: it was not done within 10s",
    a_subscription_of_a_property_that_is_none_is_found: SubscribesToAStranger =>
        "device default/tank-1, subscribe: it subscribed to \"pressure\", which the device does not have",
    a_subscribed_property_that_is_never_delivered_is_found: NeverDeliversTheLevel =>
        "device default/tank-1, property \"level\", subscribe: it is subscribed, and nothing of it was delivered within 10s",
    a_change_that_fails_is_found: ChangedFails =>
        "device default/tank-1, property \"level\", changed: it delivered that the property has failed: the sensor is broken",
    a_write_that_fails_is_found: WriteFails =>
        "device default/tank-1, property \"target\", write: not now: implement it, or make the property ReadOnly",
    a_write_that_is_forgotten_is_found: WriteIsForgotten =>
        "device default/tank-1, property \"target\", write: 7 was written, and 0 is read back",
    a_changed_that_does_not_bear_to_be_cancelled_is_found: ChangedPanicsTheSecondTime =>
        "device default/tank-1, changed: it panicked: polled after it was done",
    a_changed_that_ends_when_it_is_cancelled_is_found: ChangedEndsTheSecondTime =>
        "device default/tank-1, changed: the channel is closed: await the next change",
    a_change_of_a_property_that_is_none_is_found: ChangedTellsOfAStranger =>
        "device default/tank-1, changed: it delivered \"pressure\", which the device does not have",
    a_cancelled_read_that_keeps_the_device_is_found: CancelledReadKeepsTheDevice =>
        "device default/tank-1, connect: the tank is in use",
    a_close_that_hangs_is_found: CloseHangs => "device default/tank-1, close: it was not done within 10s",
}

#[tokio::test]
#[should_panic(expected = "property \"level\", visitors.configData.point: found `depth`, expected one of `level`")]
async fn a_visitor_that_does_not_fit_is_found() {
    check_on(Flaw::None, &[&MODEL.replace("{point: level}", "{point: depth}"), DEVICE]).await;
}

#[tokio::test]
#[should_panic(expected = "property \"target\", desired: 700 lies outside -∞ to 100")]
async fn a_desired_value_that_is_illegal_is_found() {
    check_on(Flaw::None, &[MODEL, &DEVICE.replace("'7'", "'700'")]).await;
}

#[tokio::test]
#[should_panic(expected = "there is no Device in it: put its manifest there")]
async fn a_folder_without_a_device_is_found() {
    check_on(Flaw::None, &[MODEL]).await;
}
