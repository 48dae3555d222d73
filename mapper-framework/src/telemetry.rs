//! What the mapper tells of itself: one function per event, which logs it and counts it, so that no warning goes uncounted.
//!
//! Levels by consequence: ERROR is data lost or an operator who must act, WARN is unexpected with nothing lost, INFO is the life
//! cycle. Nothing is logged per sample.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tracing::{debug, error, info, warn};

use crate::model::{DeviceId, DeviceState, Problem};

/// The target of all events, short enough for a log that people read. `RUST_LOG=mapper=debug` sets its level.
const TARGET: &str = "mapper";

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        #[derive(Debug, Default)]
        struct Counters {
            $($name: AtomicU64,)*
        }

        /// What a mapper has counted since its start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $doc])+ pub $name: u64,)*
        }

        impl Counters {
            fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl fmt::Display for Stats {
            /// Each counter that is not zero, as `name=count`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let all = [$((stringify!($name), self.$name),)*];
                for (index, (name, count)) in all.into_iter().filter(|(_, count)| *count > 0).enumerate() {
                    write!(f, "{}{name}={count}", if index > 0 { " " } else { "" })?;
                }
                Ok(())
            }
        }
    };
}

counters! {
    /// Values read from devices or delivered by them.
    samples,
    /// Ticks of a property that were left out because the tick before still ran.
    ticks_skipped,
    /// Reads that failed.
    read_failures,
    /// Writes and method calls that failed.
    write_failures,
    /// Writes that succeeded.
    writes,
    /// Sessions opened.
    connects,
    /// Attempts to open a session that failed.
    connect_failures,
    /// Sessions lost.
    sessions_lost,
    /// Driver calls that missed their deadline.
    deadlines_missed,
    /// Driver calls that panicked.
    driver_panics,
    /// Desired values that were refused.
    desired_refused,
    /// Problems found in what edgecore sent of devices and models.
    problems,
    /// Registrations with edgecore.
    registrations,
    /// Registrations that edgecore refused for another reason than its limit.
    registrations_refused,
    /// Attempts to reach edgecore that failed.
    edge_unreachable,
    /// Times that the cycles were found to need more calls than edgecore accepts.
    budget_exceeded,
    /// Connections to edgecore that ended.
    edge_connections_lost,
    /// Reports that edgecore accepted.
    reports_accepted,
    /// Reports that edgecore's limiter refused; they are sent again.
    reports_limited,
    /// Reports that edgecore refused for another reason.
    reports_refused,
    /// Reports given up after edgecore refused them again and again.
    reports_lost,
    /// Twins that edgecore accepted.
    twins_reported,
    /// Devices whose last values were not reported when the mapper stopped.
    devices_unreported,
    /// Twins that were held back because edgecore would drop their value without a word.
    twins_illegal,
    /// Attempts to write to a sink that failed; their records come again.
    sink_failures,
    /// Records that a target will never take.
    records_rejected,
    /// Records that were lost for want of room, or by damage on disk.
    records_dropped,
    /// Records found in the spool at the start.
    records_recovered,
    /// Segments of the spool that were damaged and set aside.
    spool_segments_damaged,
    /// Times that the spool could not be opened, read or written.
    spool_failures,
    /// Workers of sinks that were cut off when the mapper stopped.
    sinks_cut_off,
    /// Tasks of the framework's own that died, and were started again.
    task_deaths,
}

/// What of a spool cannot be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpoolDamage {
    /// Segments with something broken in them.
    pub(crate) segments: u64,
    /// Segments of another version of the format.
    pub(crate) unknown: u64,
    /// Records in the broken ones, as far as they can be counted.
    pub(crate) records: u64,
}

/// Logs and counts. Cloning shares the counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry {
    counters: Arc<Counters>,
}

impl Telemetry {
    pub(crate) fn stats(&self) -> Stats {
        self.counters.read()
    }

    // ---- devices ----

    pub(crate) fn device_added(&self, device: &DeviceId, properties: usize) {
        info!(target: TARGET, %device, properties, "device added");
    }

    pub(crate) fn device_updated(&self, device: &DeviceId) {
        info!(target: TARGET, %device, "device updated");
    }

    pub(crate) fn device_removed(&self, device: &DeviceId) {
        info!(target: TARGET, %device, "device removed");
    }

    pub(crate) fn device_waits_for_model(&self, device: &DeviceId, model: &DeviceId) {
        info!(target: TARGET, %device, %model, "device waits for its model");
    }

    pub(crate) fn problem(&self, device: &DeviceId, problem: &Problem) {
        self.counters.problems.fetch_add(1, Relaxed);
        error!(target: TARGET, %device, %problem, "part of the device is left out");
    }

    pub(crate) fn invalid_message(&self, reason: &dyn fmt::Display) {
        self.counters.problems.fetch_add(1, Relaxed);
        error!(target: TARGET, %reason, "edgecore sent what cannot be used");
    }

    pub(crate) fn state_changed(&self, device: &DeviceId, state: DeviceState, reason: Option<&str>) {
        info!(target: TARGET, %device, %state, reason, "device state");
    }

    pub(crate) fn task_died(&self, device: &DeviceId) {
        self.counters.task_deaths.fetch_add(1, Relaxed);
        error!(target: TARGET, %device, "the device's task died and is started again: this is a defect of the framework");
    }

    // ---- sessions ----

    pub(crate) fn connected(&self, device: &DeviceId) {
        self.counters.connects.fetch_add(1, Relaxed);
        info!(target: TARGET, %device, "connected");
    }

    /// Logged when failing begins, as is each new reason with the device's state; counted each time.
    pub(crate) fn connect_failed(&self, device: &DeviceId, error: &dyn fmt::Display, attempt: u32, pause: Duration) {
        self.counters.connect_failures.fetch_add(1, Relaxed);
        let pause = Duration::from_millis(pause.as_millis() as u64);
        if attempt == 1 {
            warn!(target: TARGET, %device, ?pause, %error, "cannot connect, and will try again");
        } else {
            debug!(target: TARGET, %device, attempt, ?pause, %error, "still cannot connect");
        }
    }

    pub(crate) fn session_lost(&self, device: &DeviceId, reason: &dyn fmt::Display) {
        self.counters.sessions_lost.fetch_add(1, Relaxed);
        warn!(target: TARGET, %device, %reason, "session lost, and will connect again");
    }

    pub(crate) fn deadline_missed(&self, device: &DeviceId, operation: &str, deadline: Duration) {
        self.counters.deadlines_missed.fetch_add(1, Relaxed);
        warn!(target: TARGET, %device, operation, ?deadline, "the driver missed its deadline");
    }

    pub(crate) fn driver_panicked(&self, device: &DeviceId, operation: &str, panic: &str) {
        self.counters.driver_panics.fetch_add(1, Relaxed);
        error!(target: TARGET, %device, operation, panic, "the driver panicked");
    }

    pub(crate) fn closing_cut_off(&self, devices: usize, patience: Duration) {
        self.counters.deadlines_missed.fetch_add(devices as u64, Relaxed);
        warn!(target: TARGET, devices, ?patience, "sessions have not closed in time, and are cut off");
    }

    // ---- reads and writes ----

    pub(crate) fn samples(&self, count: usize) {
        self.counters.samples.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn ticks_skipped(&self, device: &DeviceId, count: u64) {
        self.counters.ticks_skipped.fetch_add(count, Relaxed);
        debug!(target: TARGET, %device, count, "ticks skipped: a read takes longer than its cycle");
    }

    /// Logged when failing begins; counted each time.
    pub(crate) fn read_failed(&self, device: &DeviceId, property: &str, error: &dyn fmt::Display, begins: bool) {
        self.counters.read_failures.fetch_add(1, Relaxed);
        if begins {
            warn!(target: TARGET, %device, property, %error, "reads fail");
        }
    }

    pub(crate) fn read_recovered(&self, device: &DeviceId, property: &str) {
        info!(target: TARGET, %device, property, "reads succeed again");
    }

    pub(crate) fn unknown_reading(&self, device: &DeviceId, property: &str) {
        self.counters.read_failures.fetch_add(1, Relaxed);
        warn!(target: TARGET, %device, property, "the driver delivered a property that the device does not have");
    }

    pub(crate) fn written(&self, device: &DeviceId, property: &str) {
        self.counters.writes.fetch_add(1, Relaxed);
        debug!(target: TARGET, %device, property, "written");
    }

    pub(crate) fn write_failed(&self, device: &DeviceId, property: &str, error: &dyn fmt::Display) {
        self.counters.write_failures.fetch_add(1, Relaxed);
        warn!(target: TARGET, %device, property, %error, "a write failed");
    }

    pub(crate) fn desired_converged(&self, device: &DeviceId, property: &str, desired: &str) {
        info!(target: TARGET, %device, property, desired, "the device has the desired value");
    }

    pub(crate) fn desired_unconfirmed(&self, device: &DeviceId, property: &str, desired: &str, reads: &str) {
        self.counters.write_failures.fetch_add(1, Relaxed);
        warn!(target: TARGET, %device, property, desired, reads, "written, but the device reads otherwise: will write again");
    }

    pub(crate) fn desired_refused(&self, device: &DeviceId, property: &str, desired: &str, reason: &str) {
        self.counters.desired_refused.fetch_add(1, Relaxed);
        error!(target: TARGET, %device, property, desired, reason, "the desired value is refused");
    }

    // ---- edgecore ----

    /// Logged as a warning the first time in a row; counted each time.
    pub(crate) fn edge_unreachable(&self, socket: &Path, error: &dyn fmt::Display, first: bool) {
        self.counters.edge_unreachable.fetch_add(1, Relaxed);
        if first {
            warn!(target: TARGET, ?socket, %error, "edgecore is not there: devices are served all the same, and the mapper keeps trying");
        } else {
            debug!(target: TARGET, ?socket, %error, "edgecore is still not there");
        }
    }

    pub(crate) fn registered(&self, protocol: &str, devices: usize, models: usize) {
        self.counters.registrations.fetch_add(1, Relaxed);
        info!(target: TARGET, protocol, devices, models, "registered with edgecore");
    }

    /// Logged as a warning the first time in a row; counted each time.
    pub(crate) fn registration_refused(&self, error: &dyn fmt::Display, first: bool) {
        self.counters.registrations_refused.fetch_add(1, Relaxed);
        if first {
            warn!(target: TARGET, %error, "edgecore refuses the registration, and will be asked again");
        } else {
            debug!(target: TARGET, %error, "edgecore still refuses the registration");
        }
    }

    pub(crate) fn edge_connection_lost(&self) {
        self.counters.edge_connections_lost.fetch_add(1, Relaxed);
        warn!(target: TARGET, "the connection to edgecore ended: will connect and register again");
    }

    pub(crate) fn budget_exceeded(&self, needed: f64, budget: f64, staleness: Duration) {
        self.counters.budget_exceeded.fetch_add(1, Relaxed);
        warn!(target: TARGET,
            needed_per_second = needed,
            budget_per_second = budget,
            expected_staleness = ?staleness,
            "the cycles need more calls than edgecore accepts: twins will be reported less often; raise collectCycle, or set reportToCloud: false where it is not needed"
        );
    }

    // ---- reports ----

    pub(crate) fn report_accepted(&self, twins: usize) {
        self.counters.reports_accepted.fetch_add(1, Relaxed);
        self.counters.twins_reported.fetch_add(twins as u64, Relaxed);
    }

    pub(crate) fn report_limited(&self) {
        self.counters.reports_limited.fetch_add(1, Relaxed);
        debug!(target: TARGET, "edgecore's limit is used up: slowing down");
    }

    pub(crate) fn report_refused(&self, device: &DeviceId, error: &dyn fmt::Display) {
        self.counters.reports_refused.fetch_add(1, Relaxed);
        warn!(target: TARGET, %device, %error, "edgecore refused a report, which will be sent again");
    }

    pub(crate) fn report_lost(&self, device: &DeviceId, error: &dyn fmt::Display) {
        self.counters.reports_lost.fetch_add(1, Relaxed);
        error!(target: TARGET, %device, %error, "edgecore keeps refusing a report, which is given up");
    }

    pub(crate) fn states_unimplemented(&self) {
        info!(target: TARGET, "this edgecore is older than v1.18 and takes no device states: none are reported");
    }

    /// Logged when it begins; counted each time.
    pub(crate) fn twin_illegal(&self, device: &DeviceId, property: &str, reason: &dyn fmt::Display, begins: bool) {
        self.counters.twins_illegal.fetch_add(1, Relaxed);
        if begins {
            error!(target: TARGET, %device, property, %reason, "edgecore would drop this value without a word: it is not reported");
        }
    }

    // ---- sinks ----

    pub(crate) fn sink_up(&self, target: &dyn fmt::Display) {
        info!(target: TARGET, sink = %target, "the sink can be written to");
    }

    /// Logged when failing begins and for each new reason; counted each time.
    pub(crate) fn sink_failed(&self, target: &dyn fmt::Display, reason: &str, is_news: bool) {
        self.counters.sink_failures.fetch_add(1, Relaxed);
        if is_news {
            warn!(target: TARGET, sink = %target, reason, "the sink cannot be written to: records wait, and are tried again");
        }
    }

    /// Logged once for each property until much else was rejected; counted each time.
    pub(crate) fn record_rejected(
        &self,
        target: &dyn fmt::Display,
        device: &DeviceId,
        property: &str,
        reason: &str,
        begins: bool,
    ) {
        self.counters.records_rejected.fetch_add(1, Relaxed);
        if begins {
            error!(target: TARGET, sink = %target, %device, property, reason, "the sink refuses a record for good, which is lost");
        }
    }

    /// Logged when it begins; counted each time.
    pub(crate) fn records_dropped(&self, target: &dyn fmt::Display, records: usize, reason: &str, begins: bool) {
        self.counters.records_dropped.fetch_add(records as u64, Relaxed);
        if begins {
            error!(target: TARGET, sink = %target, records, reason, "records are lost");
        }
    }

    pub(crate) fn sink_died(&self, target: &dyn fmt::Display) {
        self.counters.task_deaths.fetch_add(1, Relaxed);
        error!(target: TARGET, sink = %target, "the sink's worker died: this is a defect of the framework; restart the mapper");
    }

    pub(crate) fn sink_stopped(&self, target: &dyn fmt::Display, ledger: &dyn fmt::Display) {
        info!(target: TARGET, sink = %target, %ledger, "the sink is closed");
    }

    pub(crate) fn sinks_cut_off(&self, sinks: usize) {
        self.counters.sinks_cut_off.fetch_add(sinks as u64, Relaxed);
        warn!(target: TARGET, sinks, "not closed within shutdown.grace, and cut off");
    }

    pub(crate) fn spool_recovered(&self, target: &dyn fmt::Display, records: u64) {
        self.counters.records_recovered.fetch_add(records, Relaxed);
        info!(target: TARGET, sink = %target, records, "records of an earlier run wait in the spool");
    }

    pub(crate) fn spool_damaged(&self, target: &dyn fmt::Display, damage: SpoolDamage) {
        let SpoolDamage { segments, unknown, records } = damage;
        self.counters.spool_segments_damaged.fetch_add(segments + unknown, Relaxed);
        error!(target: TARGET,
            sink = %target,
            segments,
            of_another_version = unknown,
            records,
            "part of the spool cannot be read, and is set aside: its records are lost"
        );
    }

    pub(crate) fn spool_mended(&self, target: &dyn fmt::Display, torn_bytes: u64, cursor_lost: bool) {
        info!(target: TARGET,
            sink = %target,
            torn_bytes,
            cursor_lost,
            "the spool was not closed in good order: what was half written is cut, and some records may come twice"
        );
    }

    pub(crate) fn spool_orphaned(&self, target: &dyn fmt::Display) {
        self.counters.spool_failures.fetch_add(1, Relaxed);
        warn!(target: TARGET, sink = %target, "records of an earlier run wait in the spool for a kind of sink that this mapper does not have");
    }

    /// Told once for each reason; counted each time.
    pub(crate) fn spool_unavailable(&self, folder: &Path, error: &dyn fmt::Display, is_news: bool) {
        self.counters.spool_failures.fetch_add(1, Relaxed);
        if is_news {
            warn!(target: TARGET, ?folder, %error, "the spool's folder cannot be used: records wait in memory only, and are lost with \
                the mapper; set spool.dir to a folder that it may write");
        }
    }

    /// Logged when failing begins; counted each time.
    pub(crate) fn spool_failed(&self, target: &dyn fmt::Display, error: &dyn fmt::Display, begins: bool) {
        self.counters.spool_failures.fetch_add(1, Relaxed);
        if begins {
            error!(target: TARGET, sink = %target, %error, "the spool cannot be used: records wait in memory while there is room");
        }
    }

    pub(crate) fn spool_works(&self, target: &dyn fmt::Display) {
        info!(target: TARGET, sink = %target, "the spool can be used again");
    }

    // ---- the mapper ----

    pub(crate) fn listening(&self, socket: &Path) {
        info!(target: TARGET, ?socket, "listening for edgecore");
    }

    pub(crate) fn stopping(&self) {
        info!(target: TARGET, "stopping");
    }

    pub(crate) fn stopped(&self, unreported: usize) {
        self.counters.devices_unreported.fetch_add(unreported as u64, Relaxed);
        let stats = self.stats();
        if unreported > 0 {
            warn!(target: TARGET, unreported, %stats, "stopped with devices whose last values were not reported in time");
        } else {
            info!(target: TARGET, %stats, "stopped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_counted_where_it_is_logged() {
        let telemetry = Telemetry::default();
        telemetry.report_accepted(10);
        telemetry.clone().report_limited();
        let stats = telemetry.stats();
        assert_eq!((stats.reports_accepted, stats.twins_reported, stats.reports_limited), (1, 10, 1));
        assert_eq!(stats.to_string(), "reports_accepted=1 reports_limited=1 twins_reported=10");
    }
}
