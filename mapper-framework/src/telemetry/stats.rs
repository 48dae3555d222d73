//! What a mapper has counted since its start: in all, by device and property, and by target. Every figure is a number of times, and
//! only grows.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{counters::Counter, event::line};

/// When the counters of the whole mapper are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Now and then while the mapper runs.
    Running,
    /// Last of all.
    Stopped,
}

/// Declares the groups of counters: for each one the counters themselves, and a copy of their figures at one moment.
macro_rules! groups {
    ($(
        $(#[doc = $group_doc:literal])+
        $group:ident: $counters:ident => $stats:ident {
            $($(#[doc = $doc:literal])+ $counter:ident,)+
        }
    )+) => {
        $(
            #[derive(Debug, Default)]
            pub(super) struct $counters {
                $(pub(super) $counter: Counter,)+
            }

            impl $counters {
                pub(super) fn read(&self) -> $stats {
                    $stats { $($counter: self.$counter.read(),)+ }
                }
            }

            $(#[doc = $group_doc])+
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            #[non_exhaustive]
            pub struct $stats {
                $($counter: u64,)+
            }

            impl $stats {
                $(
                    $(#[doc = $doc])+
                    pub fn $counter(&self) -> u64 {
                        self.$counter
                    }
                )+

                /// Each counter by its name in the log, with what it counts.
                fn described(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<> {
                    [$((concat!(stringify!($group), ".", stringify!($counter)), concat!($($doc),+), self.$counter),)+].into_iter()
                }

                /// Each counter by its name in the log, such as `reads.failed`.
                fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                    [$((concat!(stringify!($group), ".", stringify!($counter)), self.$counter),)+].into_iter()
                }
            }
        )+

        /// The counters of the whole mapper.
        #[derive(Debug, Default)]
        pub(super) struct Totals {
            $(pub(super) $group: $counters,)+
        }

        impl Totals {
            pub(super) fn read(&self) -> Stats {
                Stats { $($group: self.$group.read(),)+ }
            }
        }

        /// What a mapper has counted since its start, in groups.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($group: $stats,)+
        }

        impl Stats {
            $(
                $(#[doc = $group_doc])+
                pub fn $group(&self) -> $stats {
                    self.$group
                }
            )+

            /// Logs each counter that is not zero, as a number.
            pub(super) fn log(&self, moment: Moment) {
                let moved = |count: u64| (count > 0).then_some(count);
                match moment {
                    Moment::Running => line!(INFO, "statistics", [
                        $($($group.$counter = moved(self.$group.$counter),)+)+
                    ]),
                    Moment::Stopped => line!(INFO, "stopped", [
                        $($($group.$counter = moved(self.$group.$counter),)+)+
                    ]),
                }
            }

            /// Each counter by its name in the log, with what it counts.
            pub(crate) fn described(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                std::iter::empty()$(.chain(self.$group.described()))+
            }

            /// Each counter by its name in the log, such as `reads.failed`, in a fixed order.
            pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
                std::iter::empty()$(.chain(self.$group.named()))+
            }
        }
    };
}

groups! {
    /// Devices and their manifests.
    devices: DeviceCounts => Devices {
        /// Problems found in what edgecore sent of devices and models.
        problems,
        /// Fields of devices that work, and are probably not what was meant.
        doubts,
        /// Devices that were deleted while mapper and edgecore were apart, and have been removed.
        vanished,
        /// Registrations whose list of devices was shorter, and did not prove that the others are gone.
        unproven,
    }
    /// Sessions with devices.
    sessions: SessionCounts => Sessions {
        /// Sessions opened.
        opened,
        /// Attempts to open a session that failed.
        connects_failed,
        /// Sessions lost.
        lost,
        /// Sessions that had worked when the device closed them, and that were opened anew at once.
        renewed,
        /// Driver calls that missed their deadline.
        deadlines_missed,
        /// Driver calls that panicked.
        driver_panics,
        /// Driver calls that did not return from a poll for a second, and so blocked a worker thread.
        driver_blocks,
    }
    /// Reads, and what devices deliver by themselves.
    reads: ReadCounts => Reads {
        /// Values read from devices or delivered by them.
        samples,
        /// Reads that failed, and deliveries that could not be used.
        failed,
        /// Times that properties began to fail together by one error.
        rounds_failed,
        /// Ticks of a property that were left out because the tick before still ran.
        ticks_skipped,
        /// Samples that broke a rule of the anomaly detection.
        anomalies,
    }
    /// Streams of frames.
    streams: StreamCounts => Streams {
        /// Sessions of which a frame has come.
        begun,
        /// Starts of a stream that a driver has none for, or has refused.
        unavailable,
        /// Streams that were stalled.
        stalled,
        /// Frames that were too large, or did not begin as their content type does.
        frames_refused,
        /// Consumers of a stream that died, and were started again.
        consumers_died,
        /// Times that frames could not be recorded: the disk, or what the frames are.
        recording_failed,
        /// Frames that were not recorded since that failed.
        frames_unrecorded,
        /// Recordings that were torn when the mapper was killed, and were made whole or removed.
        recordings_mended,
        /// Frames that have arrived where they were pushed to.
        frames_pushed,
        /// Frames that were not taken where they were pushed to, and attempts to reach it.
        pushes_failed,
        /// Times that a media server had the first frame of a publication.
        publications_begun,
        /// Publications that failed or ended.
        publications_failed,
    }
    /// Hooks on samples.
    hooks: HookCounts => Hooks {
        /// Hooks that panicked, and were switched off for their device.
        panics,
        /// Rounds of reads that a hook held up for too long.
        slow,
        /// Findings of the anomaly detection that did not reach their endpoint.
        findings_lost,
    }
    /// Writes, calls of methods, and desired values.
    writes: WriteCounts => Writes {
        /// Writes and method calls that succeeded.
        succeeded,
        /// Writes and method calls that failed, or of which nobody knows what came.
        failed,
        /// Writes that waited for something that stood in their way.
        waiting,
        /// Desired values that a device has taken, and read otherwise after.
        unconfirmed,
        /// Enforced values that a device has lost.
        lost,
        /// Desired values that were refused.
        desired_refused,
        /// Desired values that were not written in time.
        desired_expired,
        /// Desired values that are not written until they change.
        desired_held,
    }
    /// The memory of writes on disk.
    memory: MemoryCounts => Memory {
        /// Times that it was found damaged, or of another version.
        damaged,
        /// Times that it could not be read or written.
        failed,
        /// Entries that were dropped for want of room.
        entries_dropped,
    }
    /// The audit of writes.
    audit: AuditCounts => Audit {
        /// Lines that were lost, since the disk refused them or could not keep up.
        lines_lost,
        /// Times that lines could not be written.
        failed,
        /// Gaps: how often it was written again after lines were lost.
        gaps,
    }
    /// The link to edgecore.
    edge: EdgeCounts => Edge {
        /// Registrations with edgecore.
        registrations,
        /// Registrations that edgecore refused for another reason than its limit.
        registrations_refused,
        /// Attempts to reach edgecore that failed.
        unreachable,
        /// Connections to edgecore that ended.
        connections_lost,
        /// Times that the cycles were found to need more calls than edgecore accepts.
        budget_exceeded,
    }
    /// Reports of twins and states to edgecore.
    reports: ReportCounts => Reports {
        /// Reports that edgecore accepted.
        accepted,
        /// Reports that edgecore's limiter refused; they are sent again.
        limited,
        /// Reports that edgecore refused for another reason; they are sent again after a pause.
        refused,
        /// Twins that edgecore accepted.
        twins_reported,
        /// Twins that were held back because edgecore would drop their value silently.
        twins_held_back,
        /// Devices whose last values were not reported when the mapper stopped.
        devices_unreported,
    }
    /// Reports over edgecore's event bus. They are counted among the reports, too.
    eventbus: EventbusCounts => Eventbus {
        /// Reports that edgecore stored, and said so there.
        stored,
        /// Reports that edgecore refused there; they are sent again after a pause.
        refused,
        /// Reports that edgecore has not answered there; they are sent again.
        unanswered,
        /// Reports that edgecore accepted over DMI and did not store, by what it says there; they are sent again.
        unconfirmed,
        /// Messages of which edgecore refused something without a word whose they were.
        refused_unnamed,
        /// Attempts to reach the broker that failed.
        unreachable,
        /// Connections to the broker that ended.
        connections_lost,
        /// Times that edgecore stopped answering there.
        silences,
    }
    /// Samples that said nothing new to a consumer.
    thinned: ThinnedCounts => Thinned {
        /// Samples that were not reported, since their twin's strategy left them out.
        twins,
        /// Samples that were not pushed, since the strategy of a sink left them out: one for each sink.
        records,
    }
    /// Sinks and their records.
    sinks: SinkCounts => Sinks {
        /// Attempts to write to a sink that failed; their records come again.
        attempts_failed,
        /// Records that a target will never take.
        records_rejected,
        /// Records that were lost for want of room, or by damage on disk.
        records_dropped,
        /// Records that waited since the system's clock was not set.
        clock_unset,
        /// Records whose time could not be right, and that got the mapper's.
        times_replaced,
        /// Times that credentials in the environment were found and not used, see `sinks.go_credentials`.
        credentials_ignored,
        /// Rounds in which old rows could not be deleted, see `sinks.mysql.keep`.
        retention_failed,
        /// Workers of sinks that were cut off when the mapper stopped.
        cut_off,
    }
    /// The records on disk.
    spool: SpoolCounts => Spool {
        /// Records found in the spool at the start.
        records_recovered,
        /// Segments of the spool that were damaged and set aside.
        segments_damaged,
        /// Targets that no device named any more, and whose records were given up.
        targets_purged,
        /// Times that records were written to the spool, each time all that had gathered.
        appends,
        /// Times that the spool could not be opened, read or written.
        failed,
    }
    /// The recording of a session by `record`.
    tape: TapeCounts => Tape {
        /// Recordings that could not be written, and ended.
        failed,
        /// Recordings that were as large as they may be, and ended.
        full,
        /// Calls of the driver, and pieces of bytes, that were not recorded.
        entries_lost,
    }
    /// The framework itself.
    framework: FrameworkCounts => Framework {
        /// Tasks of the framework's own that died, and were started again where that is possible.
        task_deaths,
    }
}

impl fmt::Display for Stats {
    /// Each counter that is not zero, as `name=count`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in self.counters().filter(|(_, count)| *count > 0).enumerate() {
            write!(f, "{}{name}={count}", if index > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

/// What was counted of one device since it was added. It begins at 0 when the device is added again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceStats {
    pub(super) sessions: Sessions,
    pub(super) reads: Reads,
    pub(super) writes: Writes,
    pub(super) reports: Reports,
    pub(super) thinned: Thinned,
    pub(super) properties: BTreeMap<Arc<str>, PropertyStats>,
}

impl DeviceStats {
    /// Its sessions.
    pub fn sessions(&self) -> Sessions {
        self.sessions
    }

    /// Its reads.
    pub fn reads(&self) -> Reads {
        self.reads
    }

    /// Its writes.
    pub fn writes(&self) -> Writes {
        self.writes
    }

    /// Its reports.
    pub fn reports(&self) -> Reports {
        self.reports
    }

    /// Its samples that said nothing new.
    pub fn thinned(&self) -> Thinned {
        self.thinned
    }

    /// Each counter by its name in the log, such as `reads.failed`, in a fixed order.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self { sessions, reads, writes, reports, thinned, .. } = self;
        sessions.named().chain(reads.named()).chain(writes.named()).chain(reports.named()).chain(thinned.named())
    }

    /// One of its properties; `None` if it has no such property.
    pub fn property(&self, name: &str) -> Option<PropertyStats> {
        self.properties.get(name).copied()
    }

    /// Its properties, by their names.
    pub fn properties(&self) -> impl Iterator<Item = (&str, PropertyStats)> {
        self.properties.iter().map(|(name, stats)| (&**name, *stats))
    }
}

/// What was counted of one property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PropertyStats {
    pub(super) reads: Reads,
    pub(super) writes: Writes,
    pub(super) thinned: Thinned,
}

impl PropertyStats {
    /// Its reads. Skipped ticks and rounds that fail are counted by device.
    pub fn reads(&self) -> Reads {
        self.reads
    }

    /// Its writes.
    pub fn writes(&self) -> Writes {
        self.writes
    }

    /// Its samples that said nothing new.
    pub fn thinned(&self) -> Thinned {
        self.thinned
    }

    /// Each counter by its name in the log, such as `reads.failed`, in a fixed order.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        self.reads.named().chain(self.writes.named()).chain(self.thinned.named())
    }
}

/// What was counted of one target, besides its [ledger](crate::sink::Ledger).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetStats {
    pub(super) sinks: Sinks,
    pub(super) spool: Spool,
}

impl TargetStats {
    /// Its attempts and records.
    pub fn sinks(&self) -> Sinks {
        self.sinks
    }

    /// Its records on disk.
    pub fn spool(&self) -> Spool {
        self.spool
    }
}
