//! Sinks and their records.

use std::fmt::Display;

use crate::{model::DeviceId, watch::What};

use super::{Occurrence, event::event};

event! {
    /// A target that could not be written to can be, or is for the first time.
    SinkUp<'a> { target: &'a dyn Display, occurrence: Occurrence }
    first INFO "sink connected" [sink = %target];
    again DEBUG "sink connected again" [sink = %target];
    watch Sink => What::SinkUp { target: target.to_string() };
}

event! {
    /// An attempt to write to a target failed.
    SinkFailed<'a> { target: &'a dyn Display, reason: &'a str, is_new: bool, occurrence: Occurrence }
    first WARN "cannot write to the sink: records wait, and are tried again" [sink = %target, reason];
    count sinks.attempts_failed at target;
    watch Sink => is_new.then(|| What::SinkDown { target: target.to_string(), reason: reason.to_owned() });
}

event! {
    /// A target, or a setting that leads to it, has to be put right by somebody. `waiting` is how many records wait for that.
    SinkMisconfigured<'a> { target: &'a dyn Display, reason: &'a str, waiting: u64, is_new: bool, occurrence: Occurrence }
    first ERROR "the sink has to be put right: all records wait for it, and none is lost while the spool has room" [sink = %target, reason, waiting];
    count sinks.attempts_failed at target;
    watch Sink => is_new.then(|| What::SinkDown { target: target.to_string(), reason: reason.to_owned() });
}

event! {
    /// A database lets nobody delete the rows that are older than the config says.
    #[allow(dead_code, reason = "of the sink mysql")]
    RetentionFailed<'a> { target: &'a str, reason: &'a str, occurrence: Occurrence }
    first WARN "old rows are not deleted: the database keeps them until that is put right" [sink = %target, reason];
    count sinks.retention_failed;
}

event! {
    /// Sinks speak HTTP with other machines through a proxy.
    ProxyUsed<'a> { proxy: &'a str }
    log INFO "the sinks that speak HTTP use a proxy" [proxy];
}

event! {
    /// The environment names a proxy, and the config does not.
    ProxyIgnored<'a> { variables: &'a str }
    log INFO "the proxy in the environment is not used: set sinks.proxy if the sinks are to use one" [variables];
}

event! {
    /// The environment has credentials under the names of the Go framework, and nothing says that they are meant for the sinks.
    GoCredentialsIgnored<'a> { kind: &'a str, variables: &'a str }
    log WARN "these variables of the environment are not used: set sinks.go_credentials to true, or name them by the kind, such as REDIS_PASSWORD"
        [kind, variables];
    count sinks.credentials_ignored;
}

event! {
    /// A target will never take a record.
    RecordRejected<'a> {
        target: &'a dyn Display,
        device: &'a DeviceId,
        property: &'a str,
        reason: &'a str,
        occurrence: Occurrence,
    }
    first ERROR "the sink refuses a record for good, which is lost" [sink = %target, %device, property, reason];
    count sinks.records_rejected at target;
    watch Sink => What::SinkRejected {
        target: target.to_string(),
        device: device.clone(),
        property: property.into(),
        reason: reason.to_owned(),
    };
}

event! {
    /// Records had no room, or were damaged on disk.
    /// `total` is how many since it began.
    RecordsDropped<'a> { target: &'a dyn Display, records: usize, total: u64, reason: &'a str, occurrence: Occurrence }
    first ERROR "records are lost" [sink = %target, records = total, reason];
    count sinks.records_dropped at target += records as u64;
    watch Sink => What::SinkLost { target: target.to_string(), records: records as u64, reason: reason.to_owned() };
}

event! {
    /// No more records are lost. The figure is how many were since it began.
    LossEnded<'a> { target: &'a dyn Display, records: u64 }
    log INFO "no more records are lost" [sink = %target, records];
}

event! {
    /// The task of a target died.
    SinkDied<'a> { target: &'a dyn Display }
    log ERROR "the sink's worker died: this is a defect of the framework; restart the mapper" [sink = %target];
    count framework.task_deaths;
}

event! {
    /// A target was closed. The figures are its ledger.
    SinkStopped<'a> {
        target: &'a dyn Display,
        produced: u64,
        delivered: u64,
        rejected: u64,
        dropped: u64,
        in_flight: u64,
        repeated: u64,
    }
    log INFO "the sink is closed" [sink = %target, produced, delivered, rejected, dropped, in_flight, repeated];
}

event! {
    /// Sinks did not close in time when the mapper stopped.
    SinksCutOff { sinks: usize }
    log WARN "not closed within shutdown.grace, and cut off" [sinks];
    count sinks.cut_off += sinks as u64;
}

event! {
    /// A record waits for the system's clock to be set.
    ClockUnset { occurrence: Occurrence }
    first WARN "the system's clock is not set: records for the sinks wait in memory, and get their time when it is; set it, by NTP for instance" [];
    count sinks.clock_unset;
}

event! {
    /// The clock has been set.
    ClockSet {}
    log INFO "the system's clock is set: the records that have waited for it get their time" [];
}

event! {
    /// A device's own time cannot be right.
    TimeReplaced<'a> { device: &'a DeviceId, timestamp_ms: i64, occurrence: Occurrence }
    first WARN "the device's time is before 2000 or more than a day ahead: its records for the sinks get the mapper's; set its clock"
        [%device, timestamp_ms];
    count sinks.times_replaced;
}
