//! Gives up what waits for targets that no device names any more, when it could not be delivered for long.
//!
//! The age is counted by the clock and kept in a file of each target, so that it outlives restarts. As long as no device has been served
//! since the start nobody knows which targets are named, and none is given up.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, SystemTime},
};

use tokio::time::sleep;

use crate::{
    sink::clock::is_plausible,
    spool::{Options, Spool, SpoolError},
    telemetry::{
        Occurrence,
        spool::{SpoolFailed, SpoolPurged},
    },
};

use super::{
    super::{Target, disk::blocking, folder::TargetFolder},
    Pool, Sinks,
};

/// How often it is looked which targets are named, and how soon after the start.
const CYCLE: Duration = Duration::from_secs(60);

/// How often a target's file is written at most while records are delivered to it.
const NOTE_CYCLE: Duration = Duration::from_secs(3600);

/// A target that no device names.
#[derive(Clone, Copy, Debug)]
struct Orphan {
    /// Since when, or when something was last delivered.
    since: SystemTime,
    /// What its file says.
    noted: SystemTime,
    delivered: u64,
}

/// The targets that no device names.
type Orphans = HashMap<Target, Orphan>;

impl Sinks {
    /// Looks for them again and again, until the mapper stops. `strangers` are targets in the spool of which it does not have the kind.
    pub(super) async fn give_up_orphans(self, mut strangers: Vec<Target>) {
        let (mut stop, mut orphans) = (self.0.stop.subscribe(), Orphans::new());
        loop {
            tokio::select! {
                _ = stop.wait_for(Option::is_some) => return,
                () = sleep(CYCLE) => {}
            }
            if self.0.serves.load(Relaxed) && is_plausible(SystemTime::now()) {
                self.look_for_orphans(&mut orphans, &mut strangers).await;
            }
        }
    }

    async fn look_for_orphans(&self, orphans: &mut Orphans, strangers: &mut Vec<Target>) {
        let (wanted, mut unwanted) = self.0.by_demand();
        unwanted.extend(strangers.iter().map(|target| (target.clone(), 0)));
        let (folder, age, mut known) = (self.0.spool.dir.clone(), self.0.spool.orphan_age, std::mem::take(orphans));
        let aged;
        (*orphans, aged) = blocking(move || {
            wanted.iter().for_each(|target| TargetFolder::of(target, &folder).note_wanted());
            let now = SystemTime::now();
            let grow_older = |(target, delivered): (Target, u64)| {
                let folder = TargetFolder::of(&target, &folder);
                let orphan = grow_older(&folder, known.remove(&target), delivered, now);
                (target, orphan)
            };
            let orphans: Orphans = unwanted.into_iter().map(grow_older).collect();
            let is_aged = |orphan: &Orphan| now.duration_since(orphan.since).is_ok_and(|passed| passed >= age);
            let aged = orphans.iter().filter(|(_, orphan)| is_aged(orphan)).map(|(target, _)| target.clone());
            let aged: Vec<_> = aged.collect();
            (orphans, aged)
        })
        .await;
        for target in aged {
            if let Some(at) = strangers.iter().position(|stranger| *stranger == target) {
                strangers.swap_remove(at);
                self.purge_stranger(target).await;
            } else {
                self.0.give_up(&target);
            }
        }
    }

    /// Removes what waits for a target of an unknown kind, which has no worker.
    async fn purge_stranger(&self, target: Target) {
        let (folder, spool) = (TargetFolder::of(&target, &self.0.spool.dir), &self.0.spool);
        let options = Options { max_bytes: spool.max_bytes, sync: spool.sync };
        let removed = blocking(move || remove(&folder, &folder.log(), options)).await;
        match removed {
            Ok((records, bytes)) => {
                self.0.telemetry.emit(SpoolPurged { target: &target, records, bytes });
            }
            Err(error) => {
                let occurrence = Occurrence::First;
                self.0.telemetry.emit(SpoolFailed { target: &target, error: &error, occurrence });
            }
        }
    }
}

/// What is known of a target now that no device names it. Blocks.
fn grow_older(folder: &TargetFolder, known: Option<Orphan>, delivered: u64, now: SystemTime) -> Orphan {
    let mut orphan = known.unwrap_or_else(|| {
        let noted = folder.orphaned_since().filter(|at| is_plausible(*at));
        let noted = noted.unwrap_or(SystemTime::UNIX_EPOCH);
        Orphan { since: noted, noted, delivered }
    });
    // A clock that was set back, or nothing noted.
    let is_new = orphan.since > now || orphan.since == SystemTime::UNIX_EPOCH;
    if is_new || orphan.delivered != delivered {
        (orphan.since, orphan.delivered) = (now, delivered);
    }
    let is_noted = orphan.since.duration_since(orphan.noted).is_ok_and(|ahead| ahead < NOTE_CYCLE);
    if !is_noted && folder.note_orphaned(orphan.since).is_ok() {
        orphan.noted = orphan.since;
    }
    orphan
}

/// Removes a target's folder, and returns how many records and bytes that costs.
fn remove(folder: &TargetFolder, log: &Path, options: Options) -> Result<(u64, u64), SpoolError> {
    let (mut spool, recovery) = Spool::open(log, options)?;
    let (records, bytes) = (spool.pending() + recovery.dropped, spool.bytes());
    spool.remove()?;
    folder.remove();
    Ok((records, bytes))
}

impl Pool {
    /// The targets that some device names, and those that none does, with what was delivered to them.
    fn by_demand(&self) -> (Vec<Target>, Vec<(Target, u64)>) {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for (target, inlet) in &self.targets().inlets {
            if inlet.is_wanted() {
                wanted.push(target.clone());
            } else {
                unwanted.push((target.clone(), inlet.monitor.ledger().delivered));
            }
        }
        (wanted, unwanted)
    }

    /// Has a target's worker give up what waits, and lets go of it, unless a device names it again.
    fn give_up(&self, target: &Target) {
        let mut targets = self.targets();
        if let Some(inlet) =
            targets.inlets.get(target).filter(|inlet| !inlet.is_wanted() && !inlet.has_waiting()).cloned()
        {
            inlet.given_up.cancel();
            self.let_go(&mut targets, target, &inlet.ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_begins_with_the_note_of_an_earlier_life_and_anew_with_each_delivery() {
        let spools = tempfile::tempdir().unwrap();
        let folder = TargetFolder::of(&Target::new("redis", &"a"), spools.path());
        std::fs::create_dir_all(folder.log()).unwrap();
        let at = |hours: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + hours * 3600);
        let first = grow_older(&folder, None, 0, at(0));
        assert_eq!((first.since, folder.orphaned_since()), (at(0), Some(at(0))));
        let later = grow_older(&folder, Some(first), 0, at(5));
        assert_eq!(later.since, at(0));
        assert_eq!(grow_older(&folder, None, 0, at(9)).since, at(0), "a restart");
        let delivered = grow_older(&folder, Some(later), 10, at(10));
        assert_eq!((delivered.since, folder.orphaned_since()), (at(10), Some(at(10))));
        let soon = at(10) + Duration::from_secs(60);
        let more = grow_older(&folder, Some(delivered), 20, soon);
        assert_eq!((more.since, folder.orphaned_since()), (soon, Some(at(10))), "the file is not written each minute");
        assert_eq!(grow_older(&folder, None, 0, at(3)).since, at(3), "the clock was set back");
    }

    #[test]
    fn what_was_noted_by_a_clock_that_was_not_set_counts_for_nothing() {
        let spools = tempfile::tempdir().unwrap();
        let folder = TargetFolder::of(&Target::new("redis", &"a"), spools.path());
        std::fs::create_dir_all(folder.log()).unwrap();
        folder.note_orphaned(SystemTime::UNIX_EPOCH + Duration::from_secs(100)).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(grow_older(&folder, None, 0, now).since, now);
    }
}
