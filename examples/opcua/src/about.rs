//! What a server says of itself when a session begins.

use std::{
    num::NonZeroUsize,
    time::{Duration, SystemTime},
};

use mapper_framework::DriverError;
use tracing::warn;
use ua::{
    client::Session,
    types::{AttributeId, DataValue, NamespaceMap, ReadValueId, TimestampsToReturn, VariableId, Variant},
};

use crate::{config::Config, status, value::system_time};

/// The most that one request asks for, whatever more the server takes.
const MOST_AT_ONCE: usize = 1000;
/// From which difference on a server's clock is worth a line in the log.
const SKEW: Duration = Duration::from_secs(2);

/// The namespaces of a server, and how much it takes in one request.
pub(crate) struct About {
    pub(crate) namespaces: NamespaceMap,
    pub(crate) nodes_per_read: usize,
    pub(crate) items_per_call: usize,
}

impl About {
    /// Asks the server, in one request. A clock that is wrong is logged.
    ///
    /// # Errors
    ///
    /// The server does not answer, or has no namespaces.
    pub(crate) async fn ask(session: &Session, device: &str, config: &Config) -> Result<Self, DriverError> {
        let wanted = [
            VariableId::Server_NamespaceArray,
            VariableId::Server_ServerStatus_CurrentTime,
            VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
            VariableId::Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
        ];
        let wanted = wanted.map(|id| ReadValueId::new(id.into(), AttributeId::Value));
        let before = SystemTime::now();
        let answers = session.read(&wanted, TimestampsToReturn::Neither, 0.0).await;
        let after = SystemTime::now();
        let answers = answers.map_err(|error| status::of_request("the server's namespaces and limits", error))?;
        let Ok([namespaces, clock, reads, items]) = <[DataValue; 4]>::try_from(answers) else {
            return Err(DriverError::failed("the server does not answer all of a request"));
        };
        if let Some(Variant::DateTime(clock)) = &clock.value {
            note_skew(device, system_time(clock), before, after);
        }
        let namespaces = match &namespaces.value {
            Some(Variant::Array(array)) => NamespaceMap::new_from_variant_array(&array.values)?,
            _ => return Err(DriverError::failed("the server does not name its namespaces")),
        };
        session.set_namespaces(namespaces.clone());
        let own_limit = config.max_nodes_per_read.map_or(usize::MAX, NonZeroUsize::get);
        Ok(Self { namespaces, nodes_per_read: limit(&reads).min(own_limit), items_per_call: limit(&items) })
    }
}

/// A limit of the server's, within the mapper's own. Zero and none mean that the server has none.
fn limit(answer: &DataValue) -> usize {
    match answer.value {
        Some(Variant::UInt32(limit @ 1..)) => usize::try_from(limit).unwrap_or(MOST_AT_ONCE).min(MOST_AT_ONCE),
        _ => MOST_AT_ONCE,
    }
}

fn note_skew(device: &str, clock: Option<SystemTime>, before: SystemTime, after: SystemTime) {
    let Some((side, by)) = clock.and_then(|clock| skew(clock, before, after)) else { return };
    let milliseconds = by.as_millis() as u64;
    warn!(device, milliseconds, "the server's clock is {side} the mapper's; values have the server's times");
}

/// On which side of the mapper's clock the server's is, and by how much at least. `before` and `after` are when it was asked and has answered.
fn skew(clock: SystemTime, before: SystemTime, after: SystemTime) -> Option<(&'static str, Duration)> {
    let ahead = clock.duration_since(after).map(|by| ("ahead of", by));
    let skew = ahead.or_else(|_| before.duration_since(clock).map(|by| ("behind", by)));
    skew.ok().filter(|(_, by)| *by >= SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_by_what_the_time_of_the_answer_does_not_explain() {
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_112_000);
        let after = before + Duration::from_secs(10);
        let (skewed, millisecond) = (Duration::from_millis(2000), Duration::from_millis(1));
        for (clock, expected) in [
            (after + skewed, Some(("ahead of", skewed))),
            (after + skewed - millisecond, None),
            (after, None),
            (before + Duration::from_secs(5), None),
            (before, None),
            (before - skewed + millisecond, None),
            (before - skewed, Some(("behind", skewed))),
            (SystemTime::UNIX_EPOCH, Some(("behind", Duration::from_secs(1_796_112_000)))),
        ] {
            assert_eq!(skew(clock, before, after), expected, "{clock:?}");
        }
    }
}
