//! The two traits.

use std::{
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use serde::de::DeserializeOwned;

use crate::model::{AccessMode, Device, DeviceState, Property, Reading, Value};

use super::{Call, Change, Discovery, DriverError, FrameSender, Reads, Review, Subscriptions};

/// Opens sessions to devices. One driver serves all devices of a mapper.
///
/// # Contract
///
/// The driver is shared: what several devices use together, such as a serial bus or the connection to a gateway, lives in it.
/// What belongs to one device lives in its [`Session`]. A driver in an `Arc` or a `Box` is a driver, too.
///
/// # Lifecycle
///
/// [`connect`](Self::connect) is called when a device arrives, when its `protocol` has changed, and after a session has ended: at once
/// if it has worked, and with exponential backoff up to `driver.backoff_max`, ten seconds by default, if attempts fail. It never runs twice at the same time for one device, and it may well run for
/// many devices at the same time.
///
/// # Cancellation
///
/// Every call has a deadline (ten seconds unless the config says otherwise), at which its future is dropped. It is dropped as
/// well when the device is removed or the mapper stops. A driver that blocks its thread cannot be stopped: run blocking code
/// in `tokio::task::spawn_blocking`.
///
/// # Errors
///
/// [`DriverError`] says what the framework does: [`failed`](DriverError::failed) is tried again with the next cycle,
/// [`disconnected`](DriverError::disconnected) costs the session. A panic costs the session of the device it happened in, and
/// nothing else.
///
/// # Example
///
/// ```
/// use mapper_framework::{Device, Driver, DriverError, Property, Reading, Session};
/// use serde::Deserialize;
///
/// struct Dice;
/// struct Thrown { sides: u32 }
///
/// /// `spec.protocol.configData` of a device.
/// #[derive(Deserialize)]
/// struct Config { sides: u32 }
///
/// /// `visitors.configData` of a property.
/// #[derive(Deserialize)]
/// struct Visitor { plus: u32 }
///
/// impl Driver for Dice {
///     type Config = Config;
///     type Session = Thrown;
///
///     async fn connect(&self, _device: &Device, config: Config) -> Result<Thrown, DriverError> {
///         Ok(Thrown { sides: config.sides })
///     }
/// }
///
/// impl Session for Thrown {
///     type Visitor = Visitor;
///
///     async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
///         Ok((self.sides + property.visitor().plus).into())
///     }
/// }
/// ```
///
/// # Upgrading
///
/// A later version adds methods only with default bodies, so a driver compiles with every 0.1 release.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a driver",
    label = "implement `Driver` for it: a `connect` that gives a `Session`",
    note = "`cargo doc --open -p mapper-framework` has an example at the trait `Driver`"
)]
pub trait Driver: Send + Sync + 'static {
    /// The driver's type for `spec.protocol.configData`. It is read when the device arrives; what does not fit becomes an error
    /// that names the device and the field, and the device's state.
    type Config: DeserializeOwned + Send + 'static;

    /// What [`connect`](Self::connect) gives.
    type Session: Session;

    /// The arguments of [`discover`](Self::discover), each with its meaning in one line, such as `("last", "Last unit to ask [default: 247]")`:
    /// `my-mapper discover --help` lists them. The argument `credentials` is the framework's, and always there.
    ///
    /// Any other argument is refused before the search. By default none is listed, and all reach the driver, where
    /// [`Discovery::args`] refuses what the driver's type does not have.
    const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = &[];

    /// Connects to a device.
    ///
    /// An `Err` of any kind is tried again with backoff; until then the device's state is `disconnected`, with the error as its
    /// reason. It is logged when failing begins and when the error becomes another one; numbers in it do not make it another one.
    ///
    /// The state becomes `online` when something comes from the device: a value read, or one that it delivers.
    fn connect(
        &self,
        device: &Device,
        config: Self::Config,
    ) -> impl Future<Output = Result<Self::Session, DriverError>> + Send;

    /// Says what will be read of a property, and what of it works, though hardly as it was meant. By default it says nothing.
    ///
    /// Called for each property whose config and visitor fit, and that [`Session::check`] takes: by `my-mapper check`, which prints it, and
    /// when a device arrives, to log the doubts. Nothing is connected to.
    fn review(
        &self,
        device: &Device,
        config: &Self::Config,
        property: &Property<<Self::Session as Session>::Visitor>,
    ) -> Review {
        let _ = (device, config, property);
        Review::new()
    }

    /// Returns how long a call of this driver waits at most by the device's own keys, connecting among them: for all the answers that it needs,
    /// with all repetitions. By default the driver does not say it.
    ///
    /// What is longer than `driver.call_timeout`, which ends each call, is doubted: by `my-mapper check`, and in the log when a device arrives.
    fn longest_wait(config: &Self::Config) -> Option<Duration> {
        let _ = config;
        None
    }

    /// Searches for devices, and [adds](Discovery::add) each as soon as it is known: `my-mapper discover` prints them as manifests. By
    /// default the driver cannot search.
    ///
    /// Called once, in a program that serves no device. It reads and never writes: what it asks may be a machine that runs. It has no
    /// deadline; when the user has enough, its future is dropped, and what it has added, or adds while it is dropped, is printed.
    ///
    /// # Errors
    ///
    /// What was added is printed all the same, and the program ends with the error. A device that does not answer is none: leave it out.
    fn discover(&self, discovery: &Discovery) -> impl Future<Output = Result<(), DriverError>> + Send {
        let _ = discovery;
        async {
            Err(DriverError::unsupported(
                "this driver cannot search for devices: write their manifests by hand, or implement Driver::discover",
            ))
        }
    }
}

/// A connection to one device, used by one task.
///
/// # Contract
///
/// One method runs at a time. [`read`](Self::read) is the only one that has to be written.
///
/// # Lifecycle
///
/// [`Driver::connect`] makes the session, and [`subscribe`](Self::subscribe) gives it its properties, before anything is read and
/// again whenever they change. It is closed, by [`close`](Self::close), when the device is removed or its protocol
/// config changes, when the mapper stops, and when three rounds of reads in a row have failed altogether. After
/// [`DriverError::disconnected`], a missed deadline or a panic the session is dropped without `close`, since its connection
/// can no longer be trusted. What was read before that is published all the same.
///
/// # Cancellation
///
/// [`changed`](Self::changed) is cancelled whenever something else is to be done, and must lose nothing then; what
/// `tokio::sync::mpsc::Receiver::recv` gives is safe. The other methods are cancelled at their deadline only, or at the end of
/// the session, and are never continued after that.
///
/// # Errors
///
/// See [`DriverError`].
///
/// # Example
///
/// See [`Driver`].
///
/// # Upgrading
///
/// See [`Driver`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session",
    label = "implement `Session` for it: a `read` is enough",
    note = "`cargo doc --open -p mapper-framework` has an example at the trait `Driver`"
)]
pub trait Session: Send + 'static {
    /// The driver's type for `visitors.configData`, which says where a property is found in the device. It is read when the
    /// device arrives; what does not fit costs that property only, with an error that names it.
    type Visitor: DeserializeOwned + Send + Sync + 'static;

    /// Checks a property before it is ever read, where its visitor alone does not show whether it can be: whether the visitor
    /// suits the property's data type, say, or whether it can be written as its access mode promises. By default all is well.
    ///
    /// Called when the device arrives. An `Err` costs that property only.
    ///
    /// # Errors
    ///
    /// The property cannot be served. The message becomes part of the device's state.
    fn check(property: &Property<Self::Visitor>) -> Result<(), DriverError> {
        let _ = property;
        Ok(())
    }

    /// Gives the session the properties of its device, all of them, and asks which of them the device will deliver by itself. By
    /// default it delivers none.
    ///
    /// Called once after `connect`, before anything is read, and again when a property was added, removed or changed in any way: its
    /// visitor, a cycle, its desired value. What is to be subscribed or unsubscribed then shows by comparing.
    ///
    /// A property that is returned is not polled: its values come from [`changed`](Self::changed), the first one, too. It is still
    /// read back after a write. One whose manifest has `poll: true` in `visitors.configData` is polled as well, and one with
    /// `poll: false` never is; that key is the framework's, and the driver's own type does not see it. One that is left out is polled
    /// as ever.
    ///
    /// # Errors
    ///
    /// An `Err` of any kind costs the session, and the device is connected to anew. Where only some properties cannot be subscribed,
    /// leave them out, so that they are polled, or deliver [`Change::failed`] for them. The deadline is for the whole call.
    fn subscribe(
        &mut self,
        properties: &[Arc<Property<Self::Visitor>>],
    ) -> impl Future<Output = Result<Subscriptions, DriverError>> + Send {
        let _ = properties;
        async { Ok(Subscriptions::none()) }
    }

    /// Reads one property. The framework brings the value into the property's data type.
    ///
    /// A plain value is a reading: `Ok(21.5.into())`. Where the device knows when the value was taken and how good it is,
    /// [`Reading`] carries both.
    ///
    /// An `Err` is counted, and logged when it begins and when it ends; the other properties are read all the same. A lost
    /// connection is logged once for the device.
    fn read(&mut self, property: &Property<Self::Visitor>)
    -> impl Future<Output = Result<Reading, DriverError>> + Send;

    /// Reads all properties that are due now, by default one after the other with [`read`](Self::read), each with a deadline of its
    /// own, and no further than to a lost connection.
    ///
    /// Write it where several properties can be had in one request, and put each result into `reads` as soon as it is there: what is
    /// in it is published even if the call fails, panics or misses its deadline, which is then one for the whole call.
    ///
    /// # Errors
    ///
    /// All properties without a result fail with this one error, which is logged in one line for the device. After an `Ok`, a missing
    /// result is an error that names its property.
    fn read_many(
        &mut self,
        reads: &mut Reads<'_, Self::Visitor>,
    ) -> impl Future<Output = Result<(), DriverError>> + Send {
        async move {
            for (index, property) in reads.properties().iter().enumerate() {
                reads.next_step();
                let result = self.read(property).await;
                let lost = result.as_ref().err().filter(|error| error.is_disconnected()).cloned();
                reads.set_at(index, result);
                if let Some(error) = lost {
                    return Err(error);
                }
            }
            Ok(())
        }
    }

    /// Writes one property. By default the driver cannot write.
    ///
    /// The framework has checked the access mode, the type and the bounds: the value has the variant of [`Property::data_type`]. It reads
    /// the property back afterwards, unless the manifest says `writeConfirm: none` or `writePolicy: once`. A write may be repeated, so it
    /// sets a value and does not add to one.
    fn write(
        &mut self,
        property: &Property<Self::Visitor>,
        value: &Value,
    ) -> impl Future<Output = Result<(), DriverError>> + Send {
        let _ = value;
        let message = format!("this driver cannot write (property {:?}): implement Session::write", property.name());
        async move { Err(DriverError::unsupported(message)) }
    }

    /// Calls a method of the device, and returns its results, which may be none. By default each argument is
    /// [written](Self::write), in order.
    ///
    /// The framework has checked that the method names the properties, and type and bounds of the values. A property that is an
    /// argument may be `ReadOnly`: then it can be set by a call only. The default refuses such a call, and one without arguments, since it
    /// could do nothing but write. A call is never repeated. The
    /// arguments are read back afterwards.
    fn call(&mut self, call: &Call<'_, Self::Visitor>) -> impl Future<Output = Result<Vec<Value>, DriverError>> + Send {
        async move {
            let method = &call.method().name;
            if call.arguments().len() == 0 {
                return Err(DriverError::unsupported(format_args!(
                    "this driver cannot call {method:?} (without an argument): implement Session::call"
                )));
            }
            if let Some((property, _)) = call.arguments().find(|(it, _)| it.access_mode() != AccessMode::ReadWrite) {
                return Err(DriverError::unsupported(format_args!(
                    "this driver cannot call {method:?} (its argument {:?} is ReadOnly): implement Session::call",
                    property.name()
                )));
            }
            for (property, value) in call.arguments() {
                self.write(property, value).await?;
            }
            Ok(Vec::new())
        }
    }

    /// The device's own view of its state, by default `online`. Asked for every `reportCycle` of the manifest's state report,
    /// if it has one.
    fn state(&mut self) -> impl Future<Output = Result<DeviceState, DriverError>> + Send {
        async { Ok(DeviceState::Online) }
    }

    /// Waits for the device to deliver values by itself, as a subscription or an interrupt does. By default it never does.
    ///
    /// A [`Change`] is a reading of one property, or says that this one property has failed.
    ///
    /// Awaited whenever the session has nothing else to do, without a deadline. Must be safe to cancel. An `Err` of any kind means
    /// that nothing more will be delivered, so it costs the session, and the device is connected to anew.
    fn changed(&mut self) -> impl Future<Output = Result<Vec<Change>, DriverError>> + Send {
        pending()
    }

    /// Starts to send the device's frames. By default the driver has no stream.
    ///
    /// Called after [`subscribe`](Self::subscribe) for a device of which a property has the key `stream` in `visitors.configData`, and
    /// again when its stream was stopped and is started again: the sender before that is closed then. Returns as soon as frames are on
    /// their way; what captures them runs on a thread or a task of its own, and ends when
    /// [`FrameSender::is_closed`] or [`FrameSender::send`] says so. The session's other methods are called meanwhile.
    ///
    /// When no frame comes for ten intervals of the granted rate, at least for five seconds, or for the time of the key
    /// `streamStall`, the device is unhealthy, and the session is closed and opened anew.
    ///
    /// # Errors
    ///
    /// [`unsupported`](DriverError::unsupported) and [`refused`](DriverError::refused) leave the session as it is: the device is unhealthy,
    /// and goes without a stream. Any other error costs the session, and the device is connected to anew.
    fn stream(&mut self, frames: FrameSender) -> impl Future<Output = Result<(), DriverError>> + Send {
        drop(frames);
        async { Err(DriverError::unsupported("this driver has no stream: implement Session::stream")) }
    }

    /// Ends the session, by default by dropping it.
    fn close(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        async {}
    }
}
