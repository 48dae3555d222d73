//! Reports over edgecore's event bus.

use std::{fmt::Display, time::Duration};

use crate::model::DeviceId;

use super::{Occurrence, event::event};

event! {
    /// An attempt to reach the broker failed.
    BrokerUnreachable<'a> { broker: &'a str, error: &'a dyn Display, occurrence: Occurrence }
    first WARN "the broker of the event bus cannot be used, and is tried again and again" [broker, %error];
    again DEBUG "the broker of the event bus still cannot be used" [broker, %error];
    count eventbus.unreachable;
}

event! {
    /// The connection to the broker ended.
    BrokerLost<'a> { broker: &'a str, error: &'a dyn Display, occurrence: Occurrence }
    first WARN "the connection to the broker of the event bus ended: what was not answered is sent again" [broker, %error];
    again DEBUG "the connection to the broker of the event bus ended again" [broker, %error];
    count eventbus.connections_lost;
}

event! {
    /// edgecore answers on the event bus.
    EventbusAnswers<'a> { broker: &'a str }
    log INFO "edgecore answers on the event bus: reports go there" [broker];
}

event! {
    /// edgecore has stopped answering, or has never begun.
    EventbusSilent<'a> { broker: &'a str, next: &'a str }
    log WARN "edgecore does not answer on the event bus: is its module eventBus enabled, and connected to this broker?"
        [broker, next];
    count eventbus.silences;
}

event! {
    /// edgecore has stored a report, and said so.
    ReportStored<'a> { device: &'a DeviceId }
    count eventbus.stored;
}

event! {
    /// edgecore refused a report.
    MessageRefused<'a> { device: &'a DeviceId, twins: usize, error: &'a dyn Display, pause: Duration }
    log WARN "edgecore refused a report on the event bus, which will be sent again after a pause"
        [%device, twins, %error, ?pause];
    count eventbus.refused;
    count reports.refused of device;
}

event! {
    /// edgecore refused a twin that stood alone. Its other twins go on.
    TwinRefused<'a> { device: &'a DeviceId, property: &'a str, value: &'a str, error: &'a dyn Display, pause: Duration }
    log ERROR "edgecore refuses this twin on the event bus: its latest value will be sent again after a pause"
        [%device, property, value, %error, ?pause];
    count eventbus.refused;
    count reports.refused of device;
}

event! {
    /// edgecore has not answered to a report, though it answers to others.
    ReportUnanswered<'a> { device: &'a DeviceId, pause: Duration }
    log WARN "edgecore has not answered to a report on the event bus, which will be sent again after a pause" [%device, ?pause];
    count eventbus.unanswered;
}

event! {
    /// A message held something that edgecore does not take, and nobody knows whose it was.
    RefusedUnnamed<'a> { error: &'a dyn Display, occurrence: Occurrence }
    first WARN "edgecore refused a message on the event bus and does not say whose it was" [%error];
    count eventbus.refused_unnamed;
}

event! {
    /// edgecore accepted a report over DMI and has not said that it stored it.
    ReportUnconfirmed<'a> { device: &'a DeviceId, missing: &'a str, reason: &'a str, pause: Duration }
    log WARN "edgecore accepted a report and did not store all of it, by what it says on the event bus: it will be sent again after a pause"
        [%device, missing, reason, ?pause];
    count eventbus.unconfirmed;
}

event! {
    /// edgecore said of reports that they are stored, and says it no longer.
    ConfirmationsEnded {}
    log WARN "edgecore no longer confirms reports on the event bus: those over DMI count as stored when they are accepted" [];
    count eventbus.silences;
}
