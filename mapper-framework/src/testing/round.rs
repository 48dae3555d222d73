//! One round of reads, for the tests of a driver.

use std::{sync::Arc, time::Duration};

use crate::{
    driver::{Deadline, DriverError, Reads, Results, Session, forgotten},
    model::{Property, Reading},
};

/// Calls [`Session::read_many`] as the framework does, without its deadline, and returns what came of each property, in order: its
/// result, or else the error of the whole call, or else one that names the property.
pub async fn read_many<S: Session>(
    session: &mut S,
    properties: &[Arc<Property<S::Visitor>>],
) -> Vec<Result<Reading, DriverError>> {
    let (mut results, deadline) = (Results::new(properties.len()), Deadline::after(Duration::MAX));
    let outcome = session.read_many(&mut Reads::new(properties, &mut results, &deadline)).await;
    let missing = |property: &Property<_>| outcome.clone().err().unwrap_or_else(|| forgotten(property.name()));
    let results = results.into_vec().into_iter().zip(properties);
    results.map(|(result, property)| result.unwrap_or_else(|| Err(missing(property)))).collect()
}
