//! A round of reads, and what came of it.

use std::{fmt, sync::Arc, time::SystemTime};

use crate::model::{Property, Reading};

use super::{Deadline, DriverError};

/// The properties that are due, and the place where [`Session::read_many`](super::Session::read_many) puts the result of each as
/// soon as it has it.
///
/// What has been put in stays, whatever becomes of the rest of the call: it is published after an `Err`, a missed deadline and a
/// panic, too.
///
/// ```
/// use mapper_framework::{DriverError, Reads};
///
/// async fn answer(_names: Vec<&str>) -> std::io::Result<Vec<f64>> {
///     Ok(vec![21.5])
/// }
///
/// async fn read_many(reads: &mut Reads<'_, ()>) -> Result<(), DriverError> {
///     let properties = reads.properties();
///     // Fails for all of them: one line in the log.
///     let values = answer(properties.iter().map(|property| property.name()).collect()).await?;
///     for (property, value) in properties.iter().zip(values) {
///         reads.set(property, Ok(value.into()));
///     }
///     Ok(())
/// }
/// ```
pub struct Reads<'a, V> {
    properties: &'a [Arc<Property<V>>],
    results: &'a mut Results,
    deadline: &'a Deadline,
}

impl<'a, V> Reads<'a, V> {
    pub(crate) fn new(properties: &'a [Arc<Property<V>>], results: &'a mut Results, deadline: &'a Deadline) -> Self {
        Self { properties, results, deadline }
    }

    /// The properties to read, in the order of their indices. Never empty.
    pub fn properties(&self) -> &'a [Arc<Property<V>>] {
        self.properties
    }

    /// Puts in the result of a property. One that is put in again replaces the one before; one of a property that was not asked for
    /// is passed over.
    ///
    /// A reading without a time of the device's is taken to be of now.
    pub fn set(&mut self, property: &Property<V>, result: Result<Reading, DriverError>) {
        if let Some(index) = self.properties.iter().position(|asked| asked.name() == property.name()) {
            self.set_at(index, result);
        }
    }

    /// As [`set`](Self::set), for the property at this index of [`properties`](Self::properties).
    pub fn set_at(&mut self, index: usize, result: Result<Reading, DriverError>) {
        self.results.set(index, result);
    }

    /// The next property is read by itself, and has the whole deadline for it.
    pub(super) fn next_step(&self) {
        self.deadline.next_step();
    }
}

impl<V> fmt::Debug for Reads<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.properties.iter().map(|property| property.name()).collect();
        f.debug_struct("Reads").field("properties", &names).field("results", &self.results).finish_non_exhaustive()
    }
}

/// The results of a round by index; `None` where there is none yet. It belongs to the caller, and so outlives a call that is dropped.
#[derive(Debug)]
pub(crate) struct Results(Vec<Option<Result<Reading, DriverError>>>);

impl Results {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| None).collect())
    }

    pub(crate) fn set(&mut self, index: usize, result: Result<Reading, DriverError>) {
        if let Some(place) = self.0.get_mut(index) {
            *place = Some(result.map(|reading| reading.taken_by(SystemTime::now)));
        }
    }

    /// What there is by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&Result<Reading, DriverError>>> {
        self.0.iter().map(Option::as_ref)
    }

    /// The results by index.
    pub(crate) fn into_vec(self) -> Vec<Option<Result<Reading, DriverError>>> {
        self.0
    }
}

/// A result that the driver forgot.
pub(crate) fn forgotten(property: &str) -> DriverError {
    DriverError::failed(format_args!("the driver returned no result for property {property:?}"))
}
