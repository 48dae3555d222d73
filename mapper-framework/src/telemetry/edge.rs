//! The link to edgecore.

use std::{fmt::Display, path::Path, time::Duration};

use crate::watch::What;

use super::{Occurrence, event::event};

event! {
    /// An attempt to reach edgecore failed.
    EdgeUnreachable<'a> { socket: &'a Path, error: &'a dyn Display, occurrence: Occurrence }
    first WARN "edgecore is not there: devices are served all the same, and the mapper keeps trying"
        [socket = %socket.display(), %error];
    again DEBUG "edgecore is still not there" [socket = %socket.display(), %error];
    count edge.unreachable;
    watch Edge => (occurrence == Occurrence::First).then(|| disconnected(&error.to_string()));
}

event! {
    /// edgecore has registered the mapper.
    Registered<'a> { protocol: &'a str, devices: usize, models: usize }
    log INFO "registered with edgecore" [protocol, devices, models];
    count edge.registrations;
    watch Edge => What::EdgeConnected;
}

event! {
    /// edgecore refused the registration for another reason than its limit.
    RegistrationRefused<'a> { error: &'a dyn Display, occurrence: Occurrence }
    first WARN "edgecore refuses the registration, and will be asked again" [%error];
    again DEBUG "edgecore still refuses the registration" [%error];
    count edge.registrations_refused;
    watch Edge => (occurrence == Occurrence::First).then(|| disconnected(&error.to_string()));
}

event! {
    /// The connection to edgecore ended.
    EdgeConnectionLost {}
    log WARN "the connection to edgecore ended: will connect and register again" [];
    count edge.connections_lost;
    watch Edge => disconnected("the connection ended");
}

event! {
    /// The cycles need more calls a second than edgecore accepts.
    BudgetExceeded<'a> { needed: f64, at_most: f64, budget: f64, staleness: Duration, advice: &'a str }
    log WARN "the cycles need more calls than edgecore accepts: twins will be reported less often"
        [needed_per_second = needed, needed_while_all_changes = at_most, budget_per_second = budget,
            expected_staleness_s = (staleness.as_secs_f64() * 10.0).round() / 10.0, advice];
    count edge.budget_exceeded;
    watch Budget => What::BudgetExceeded { needed, accepted: budget, staleness };
}

fn disconnected(reason: &str) -> What {
    What::EdgeDisconnected { reason: reason.to_owned() }
}
