//! What a hook has to do.

use std::{sync::Arc, time::SystemTime};

use crate::model::{Device, Quality, Sample, Value, ValueError};

/// A kind of hook, registered once for the mapper.
///
/// # Lifecycle
///
/// [`attach`](Self::attach) is called when a device starts, and again after its task or the mapper has been started anew: a state begins
/// empty then. Hooks see a sample in the order in which they were registered, after the built-in anomaly detection.
///
/// # Errors
///
/// A hook that panics is switched off for the device until the device starts anew; the sample passes as it was before that hook. The
/// log has an `ERROR` with the hook's name, and `hooks.panics` counts it.
pub trait SampleHook: Send + Sync + 'static {
    /// Its name in the log.
    fn name(&self) -> &str;

    /// Begins with a device; `None` leaves its samples alone until its manifest changes, and is asked again then.
    fn attach(&self, device: &Device) -> Option<Box<dyn DeviceHook>>;
}

/// A hook at work on one device.
///
/// # Contract
///
/// It is called in the device's task, for one sample at a time, and must return at once: while it works, the device is not read. A hook
/// that takes more than 10 ms for what one round of reads gave is logged with its name, and counted by `hooks.slow`. Other devices do
/// not notice. What has to wait, such as a request to a server, belongs to a task of its own behind a bounded queue.
pub trait DeviceHook: Send + 'static {
    /// Sees a sample, and decides what becomes of it.
    fn sample(&mut self, passing: &mut Passing<'_>) -> Flow;

    /// edgecore has brought another manifest of the device. By default nothing happens.
    fn changed(&mut self, _device: &Device) {}
}

/// What becomes of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// It goes on, to the next hook and the consumers.
    Pass,
    /// Nobody gets it.
    Drop,
}

/// A sample on its way through a hook.
#[derive(Debug)]
pub struct Passing<'a> {
    pub(super) device: &'a Device,
    pub(super) sample: Sample,
    pub(super) added: &'a mut Vec<Sample>,
}

/// Why a sample was not added.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The device has no such property.
    #[error("the device has no property {0:?}")]
    UnknownProperty(String),
    /// The value does not fit the property's type.
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl Passing<'_> {
    /// The device.
    pub fn device(&self) -> &Device {
        self.device
    }

    /// The sample, as the hooks before have left it.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Says how far the value is to be trusted.
    pub fn set_quality(&mut self, quality: Quality) {
        self.sample.quality = quality;
    }

    /// Changes the value.
    ///
    /// # Errors
    ///
    /// It does not fit the property's type, and the sample stays as it was.
    pub fn set_value(&mut self, value: impl Into<Value>) -> Result<(), ValueError> {
        self.sample.value = value.into().conform(self.sample.property.data_type())?;
        Ok(())
    }

    /// Adds a sample of a property of the device, with the time of this one. It follows this one, is of good quality, and is seen by the
    /// hooks that come later.
    ///
    /// # Errors
    ///
    /// There is no such property, or the value does not fit its type.
    pub fn add(&mut self, property: &str, value: impl Into<Value>) -> Result<(), AddError> {
        self.add_at(property, value, self.sample.timestamp)
    }

    /// As [`add`](Self::add), with a time of its own.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_at(&mut self, property: &str, value: impl Into<Value>, timestamp: SystemTime) -> Result<(), AddError> {
        let known = self.device.properties.iter().find(|known| known.name() == property);
        let property = known.ok_or_else(|| AddError::UnknownProperty(property.to_owned()))?;
        self.added.push(Sample {
            device: self.device.id().clone(),
            property: Arc::clone(property),
            value: value.into().conform(property.data_type())?,
            timestamp,
            quality: Quality::Good,
        });
        Ok(())
    }
}

/// A hook without a state, from a function. One that needs a state per device is a type with [`SampleHook`].
pub fn from_fn<F>(name: impl Into<String>, function: F) -> impl SampleHook
where
    F: Fn(&mut Passing<'_>) -> Flow + Send + Sync + 'static,
{
    FromFn { name: name.into(), function: Arc::new(function) }
}

struct FromFn<F> {
    name: String,
    function: Arc<F>,
}

impl<F: Fn(&mut Passing<'_>) -> Flow + Send + Sync + 'static> SampleHook for FromFn<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn attach(&self, _: &Device) -> Option<Box<dyn DeviceHook>> {
        Some(Box::new(Self { name: String::new(), function: Arc::clone(&self.function) }))
    }
}

impl<F: Fn(&mut Passing<'_>) -> Flow + Send + Sync + 'static> DeviceHook for FromFn<F> {
    fn sample(&mut self, passing: &mut Passing<'_>) -> Flow {
        (self.function)(passing)
    }
}
