//! When which properties are read.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// The grain of the devices' phases. Devices with the same cycle are spread over it, so that a thousand of them do not read at
/// the same moment; but not more finely than this, so that those which read close together share a wake-up.
const PHASE_GRAIN: Duration = Duration::from_millis(10);

/// Cycles shorter than this are not kept: a timer's grain is a millisecond.
const SHORTEST_CYCLE: Duration = Duration::from_millis(1);

/// A fixed-rate schedule without drift: properties with the same cycle are due together, at the same points of a grid that is
/// laid once. A point that passes while the read before is still under way is skipped and counted.
#[derive(Debug)]
pub(super) struct Schedule {
    grid: Grid,
    groups: BTreeMap<Duration, Group>,
}

/// The points at which a device is read, for each cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Where it begins.
    base: Instant,
}

#[derive(Debug)]
struct Group {
    due: Instant,
    members: Vec<usize>,
}

/// What is due at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// The properties, by their index.
    pub(super) properties: Vec<usize>,
    cycles: Vec<Duration>,
    /// Ticks that passed unserved, counted per property.
    pub(super) skipped: u64,
    /// For how long the first of them has been due.
    pub(super) late: Duration,
}

impl Schedule {
    /// Everything is due `now`, and then at the points of a grid that lies `seed` off, within the shortest cycle.
    pub(super) fn new(cycles: impl IntoIterator<Item = (usize, Duration)>, now: Instant, seed: u64) -> Self {
        let mut schedule = Self { grid: Grid { base: now }, groups: BTreeMap::new() };
        schedule.assign(cycles, now);
        let shortest = schedule.groups.keys().next().copied().unwrap_or(Duration::ZERO);
        let places = (shortest.as_millis() / PHASE_GRAIN.as_millis()).max(1) as u64;
        let offset = PHASE_GRAIN * u32::try_from(seed % places).unwrap_or(0);
        schedule.grid.base = now.checked_sub(offset).unwrap_or(now);
        schedule
    }

    /// Takes in the cycles of the properties that are polled, each with its index. A cycle that was there before keeps its points; a new one is due `now`.
    pub(super) fn assign(&mut self, cycles: impl IntoIterator<Item = (usize, Duration)>, now: Instant) {
        let before = std::mem::take(&mut self.groups);
        for (index, cycle) in cycles {
            let cycle = cycle.max(SHORTEST_CYCLE);
            let due = before.get(&cycle).map_or(now, |group| group.due);
            self.groups.entry(cycle).or_insert_with(|| Group { due, members: Vec::new() }).members.push(index);
        }
    }

    /// The points at which it reads.
    pub(super) fn grid(&self) -> Grid {
        self.grid
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.groups.values().map(|group| group.due).min()
    }

    /// Takes what is due, and sets it to its next point.
    pub(super) fn take_due(&mut self, now: Instant) -> Due {
        let mut due = Due::default();
        for (&cycle, group) in &mut self.groups {
            if group.due <= now {
                due.properties.extend(&group.members);
                due.cycles.push(cycle);
                due.late = due.late.max(now - group.due);
                let passed = (now - group.due).as_nanos() / cycle.as_nanos();
                due.skipped += passed as u64 * group.members.len() as u64;
                group.due = self.grid.point_after(cycle, now);
            }
        }
        due.properties.sort_unstable();
        due
    }

    /// The read of what was due has ended: skips the points that it ran over, and counts them per property.
    pub(super) fn skip_missed(&mut self, served: &Due, now: Instant) -> u64 {
        let mut skipped = 0;
        for cycle in &served.cycles {
            if let Some(group) = self.groups.get_mut(cycle).filter(|group| group.due <= now) {
                let passed = (now - group.due).as_nanos() / cycle.as_nanos() + 1;
                skipped += passed as u64 * group.members.len() as u64;
                group.due = self.grid.point_after(*cycle, now);
            }
        }
        skipped
    }
}

impl Grid {
    /// The first point of a cycle after `now`.
    pub(super) fn point_after(self, cycle: Duration, now: Instant) -> Instant {
        let cycle = cycle.max(SHORTEST_CYCLE);
        let passed = now.saturating_duration_since(self.base).as_nanos() % cycle.as_nanos();
        now + cycle - Duration::from_nanos(u64::try_from(passed).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The schedule after its first round.
    fn started(cycles: &[Duration], now: Instant, seed: u64) -> Schedule {
        let mut schedule = Schedule::new(cycles.iter().copied().enumerate(), now, seed);
        assert_eq!(schedule.take_due(now).properties, (0..cycles.len()).collect::<Vec<_>>());
        schedule
    }

    #[test]
    fn everything_is_due_at_once_and_then_by_its_cycle() {
        let now = Instant::now();
        let mut schedule = started(&[SECOND, 2 * SECOND, SECOND], now, 0);
        assert_eq!(schedule.next(), Some(now + SECOND));
        assert_eq!(schedule.take_due(now + SECOND).properties, [0, 2]);
        assert_eq!(schedule.take_due(now + 2 * SECOND).properties, [0, 1, 2]);
    }

    #[test]
    fn a_late_tick_does_not_shift_the_later_ones() {
        let now = Instant::now();
        let mut schedule = started(&[SECOND], now, 0);
        let late = schedule.take_due(now + millis(1400));
        assert_eq!((late.properties.len(), late.skipped), (1, 0));
        assert_eq!(schedule.next(), Some(now + 2 * SECOND));
    }

    #[test]
    fn ticks_that_a_long_read_ran_over_are_skipped_and_counted() {
        let now = Instant::now();
        let mut schedule = started(&[SECOND, SECOND], now, 0);
        let due = schedule.take_due(now + SECOND);
        assert_eq!(schedule.skip_missed(&due, now + millis(3500)), 4, "two ticks of two properties");
        assert_eq!(schedule.next(), Some(now + 4 * SECOND));
    }

    #[test]
    fn a_tick_that_fell_due_during_another_read_is_late_but_not_skipped() {
        let now = Instant::now();
        let mut schedule = started(&[SECOND, millis(300)], now, 0);
        let due = schedule.take_due(now + SECOND);
        assert_eq!(due.properties, [0, 1]);
        let mut schedule = started(&[SECOND, millis(700)], now, 0);
        let due = schedule.take_due(now + millis(700));
        assert_eq!(due.properties, [1]);
        assert_eq!(schedule.skip_missed(&due, now + millis(1100)), 0);
        assert_eq!(schedule.take_due(now + millis(1100)).properties, [0]);
    }

    #[test]
    fn devices_are_spread_over_their_cycle() {
        let now = Instant::now();
        let next = |seed| started(&[SECOND], now, seed).next().expect("something is due") - now;
        assert_eq!((next(0), next(1), next(99), next(100)), (SECOND, millis(990), millis(10), SECOND));
    }

    #[test]
    fn a_changed_cycle_leaves_the_other_properties_points_alone() {
        let now = Instant::now();
        let mut schedule = started(&[SECOND, SECOND], now, 0);
        schedule.assign([(0, SECOND), (1, millis(500))], now + millis(250));
        assert_eq!(schedule.take_due(now + millis(250)).properties, [1]);
        assert_eq!(schedule.take_due(now + millis(500)).properties, [1]);
        assert_eq!(schedule.take_due(now + SECOND).properties, [0, 1]);
    }

    #[test]
    fn a_device_without_properties_is_never_due() {
        assert_eq!(Schedule::new([], Instant::now(), 7).next(), None);
    }
}
