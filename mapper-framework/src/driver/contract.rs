//! The two traits.

use std::future::{Future, pending};

use serde::de::DeserializeOwned;

use crate::model::{Device, DeviceState, Method, Property, Reading, Value};

use super::DriverError;

/// Opens sessions to devices. One driver serves all devices of a mapper.
///
/// # Contract
///
/// The driver is shared: what several devices use together, such as a serial bus or the connection to a gateway, lives in it.
/// What belongs to one device lives in its [`Session`].
///
/// # Lifecycle
///
/// [`connect`](Self::connect) is called when a device arrives, when its `protocol` has changed, and, with exponential backoff
/// up to a minute, after a session was lost. It never runs twice at the same time for one device, and it may well run for
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
/// use mapper_framework::{Device, Driver, DriverError, Property, Session, Value};
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
///     async fn read(&mut self, property: &Property<Visitor>) -> Result<Value, DriverError> {
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

    /// Connects to a device.
    ///
    /// An `Err` of any kind is tried again with backoff; until then the device's state is `disconnected`, with the error as its
    /// reason. It is logged when failing begins and when the error becomes another one.
    fn connect(
        &self,
        device: &Device,
        config: Self::Config,
    ) -> impl Future<Output = Result<Self::Session, DriverError>> + Send;
}

/// A connection to one device, used by one task.
///
/// # Contract
///
/// One method runs at a time. [`read`](Self::read) is the only one that has to be written.
///
/// # Lifecycle
///
/// [`Driver::connect`] makes the session. It is closed, by [`close`](Self::close), when the device is removed or its protocol
/// config changes, when the mapper stops, and when three rounds of reads in a row have failed altogether. After
/// [`DriverError::disconnected`], a missed deadline or a panic the session is dropped without `close`, since its connection
/// can no longer be trusted. A changed or added property does not touch the session.
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

    /// Checks a property before it is ever read, where its visitor alone does not tell whether it can be: whether the visitor
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

    /// Reads one property. The framework brings the value into the property's data type.
    ///
    /// An `Err` is counted, and logged when it begins and when it ends; the other properties are read all the same. A lost
    /// connection is logged once for the device.
    fn read(&mut self, property: &Property<Self::Visitor>) -> impl Future<Output = Result<Value, DriverError>> + Send;

    /// Reads all properties that are due now, by default one after the other with [`read`](Self::read).
    ///
    /// Write it where several properties can be had in one request. The results stand in the order of `properties`, one for
    /// each; where one is missing, that read has failed. The deadline is for the whole call.
    fn read_many(
        &mut self,
        properties: &[&Property<Self::Visitor>],
    ) -> impl Future<Output = Vec<Result<Value, DriverError>>> + Send {
        async move {
            let mut values = Vec::with_capacity(properties.len());
            for property in properties {
                let value = self.read(property).await;
                let lost = value.as_ref().is_err_and(DriverError::is_disconnected);
                values.push(value);
                if lost {
                    break;
                }
            }
            values
        }
    }

    /// Writes one property. By default the driver cannot write.
    ///
    /// The framework has checked the access mode, the type and the bounds. It reads the property back afterwards. A write may be
    /// repeated, so it sets a value and does not add to one.
    fn write(
        &mut self,
        property: &Property<Self::Visitor>,
        value: &Value,
    ) -> impl Future<Output = Result<(), DriverError>> + Send {
        let _ = value;
        let message = format!("this driver cannot write (property {:?}): implement Session::write", property.name());
        async move { Err(DriverError::unsupported(message)) }
    }

    /// Calls a method of the device on one of the method's properties, by default by [`write`](Self::write).
    ///
    /// The framework has checked that the method names the property, and the value as for a write. A call is never repeated.
    fn call(
        &mut self,
        method: &Method,
        property: &Property<Self::Visitor>,
        value: &Value,
    ) -> impl Future<Output = Result<(), DriverError>> + Send {
        let _ = method;
        self.write(property, value)
    }

    /// The device's own view of its state, by default `online`. Asked for every `reportCycle` of the manifest's state report,
    /// if it has one.
    fn state(&mut self) -> impl Future<Output = Result<DeviceState, DriverError>> + Send {
        async { Ok(DeviceState::Online) }
    }

    /// Waits for the device to deliver values by itself, as a subscription or an interrupt does. By default it never does.
    ///
    /// Awaited whenever the session has nothing else to do, without a deadline. Must be safe to cancel. An `Err` of any kind means
    /// that nothing more will be delivered, so it costs the session, and the device is connected to anew.
    fn changed(&mut self) -> impl Future<Output = Result<Vec<Reading>, DriverError>> + Send {
        pending()
    }

    /// Ends the session in good order, by default by dropping it.
    fn close(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        async {}
    }
}
