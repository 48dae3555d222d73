//! From the sample to each sink.

use crate::{runtime::InspectedProperty, sink::SinkState};

use super::{super::super::Site, Stage, Verdict};

/// A stage for each target of a property, or for each target of all where no property is asked for.
pub(super) fn stages(site: &Site, inspected: Option<&InspectedProperty>) -> Vec<Stage> {
    let statuses = site.handle().sinks();
    let is_asked = |target: &str| inspected.is_none_or(|it| it.targets.iter().any(|its| its == target));
    let asked =
        statuses.iter().map(|status| (status.target().to_string(), status)).filter(|(target, _)| is_asked(target));
    asked
        .map(|(target, status)| {
            let (name, ledger) = (format!("sink {target}"), status.ledger());
            let reason = status.reason().unwrap_or("it does not answer");
            let stage = match status.state() {
                SinkState::Up => Stage::new(&name, Verdict::Ok, "the last attempt to write has succeeded"),
                SinkState::Connecting => Stage::new(&name, Verdict::Unknown, "the first connection is being made"),
                SinkState::Down => Stage::new(&name, Verdict::Blocked, reason)
                    .cure("nothing is lost while it fits into the spool: mend what the reason names"),
            };
            let lost = ledger.rejected() + ledger.dropped();
            let stage = if lost > 0 && stage.verdict == Verdict::Ok {
                Stage { verdict: Verdict::Warning, ..stage }
            } else {
                stage
            };
            stage.figure(format!(
                "{} delivered, {} wait, {} rejected, {} dropped",
                ledger.delivered(),
                ledger.in_flight(),
                ledger.rejected(),
                ledger.dropped()
            ))
        })
        .collect()
}
