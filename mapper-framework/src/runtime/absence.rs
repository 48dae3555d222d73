//! Devices that edgecore no longer names when the mapper registers: gone for good, or only not read yet. No clock and no I/O.

use std::collections::HashSet;

use crate::model::DeviceId;

/// Judges the lists of devices that registrations bring. A device is gone when two lists on one connection lack it, of which the second names
/// nothing more than the first: one that still grows is still being read.
///
/// An empty list, and one with a part that cannot be read, prove nothing.
#[derive(Debug, Default)]
pub(super) struct Absence {
    /// The last list of this connection, and what edgecore has brought or removed by a call since; `None` before the first.
    last: Option<HashSet<DeviceId>>,
    /// What the last list lacked.
    missing: HashSet<DeviceId>,
    /// What edgecore has removed by a call since.
    removed: HashSet<DeviceId>,
}

/// What a list comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Devices that are gone, in order.
    pub(super) gone: Vec<DeviceId>,
    /// Whether another list is needed to know.
    pub(super) is_open: bool,
    /// How many devices are kept since the list proves nothing of them.
    pub(super) unproven: usize,
}

impl Absence {
    /// A new connection: another edgecore may answer on it.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// edgecore has brought a device by a call.
    pub(super) fn brought(&mut self, device: &DeviceId) {
        self.missing.remove(device);
        if let Some(last) = &mut self.last {
            last.insert(device.clone());
        }
    }

    /// edgecore has removed a device by a call.
    pub(super) fn removed(&mut self, device: &DeviceId) {
        self.removed.insert(device.clone());
    }

    /// What edgecore has removed by a call since the last list: one that comes now may be older than that.
    pub(super) fn take_removed(&mut self) -> HashSet<DeviceId> {
        std::mem::take(&mut self.removed)
    }

    /// Judges a list by what the mapper serves. `is_whole` is false if parts of it could not be read.
    pub(super) fn judge<'a>(
        &mut self,
        list: HashSet<DeviceId>,
        is_whole: bool,
        served: impl Iterator<Item = &'a DeviceId>,
    ) -> Judgement {
        let missing: HashSet<DeviceId> = served.filter(|device| !list.contains(device)).cloned().collect();
        if list.is_empty() || !is_whole {
            self.restart();
            return Judgement { unproven: missing.len(), ..Judgement::default() };
        }
        let is_settled = self.last.as_ref().is_some_and(|last| list.is_subset(last));
        let (gone, missing): (Vec<_>, HashSet<_>) = if is_settled {
            let (gone, missing): (Vec<_>, Vec<_>) = missing.into_iter().partition(|it| self.missing.contains(it));
            (gone, missing.into_iter().collect())
        } else {
            (Vec::new(), missing)
        };
        let mut judgement = Judgement { gone, is_open: !missing.is_empty(), unproven: 0 };
        judgement.gone.sort_unstable();
        (self.last, self.missing) = (Some(list), missing);
        judgement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<DeviceId> {
        names.iter().map(|name| DeviceId::new("", name)).collect()
    }

    fn judge(absence: &mut Absence, list: &[&str], served: &[&str]) -> Judgement {
        absence.judge(ids(list).into_iter().collect(), true, ids(served).iter())
    }

    fn open() -> Judgement {
        Judgement { is_open: true, ..Judgement::default() }
    }

    fn gone(names: &[&str]) -> Judgement {
        Judgement { gone: ids(names), ..Judgement::default() }
    }

    #[test]
    fn what_two_lists_lack_is_gone() {
        let mut absence = Absence::default();
        assert_eq!(judge(&mut absence, &["a"], &["a", "b", "c"]), open());
        assert_eq!(judge(&mut absence, &["a"], &["a", "b", "c"]), gone(&["b", "c"]));
        assert_eq!(judge(&mut absence, &["a"], &["a"]), Judgement::default());
    }

    #[test]
    fn a_list_that_grows_is_still_being_read() {
        let mut absence = Absence::default();
        for list in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
            assert_eq!(judge(&mut absence, list, &["a", "b", "c", "d"]), open(), "{list:?}");
        }
        assert_eq!(judge(&mut absence, &["a", "b", "c"], &["a", "b", "c", "d"]), gone(&["d"]));
    }

    #[test]
    fn an_empty_list_proves_nothing_however_often_it_comes() {
        let mut absence = Absence::default();
        for _ in 0..3 {
            let kept = Judgement { unproven: 2, ..Judgement::default() };
            assert_eq!(judge(&mut absence, &[], &["a", "b"]), kept);
        }
        assert_eq!(judge(&mut absence, &["a"], &["a", "b"]), open(), "the first that counts");
    }

    #[test]
    fn a_list_that_cannot_be_read_whole_proves_nothing() {
        let mut absence = Absence::default();
        assert_eq!(judge(&mut absence, &["a"], &["a", "b"]), open());
        let kept = Judgement { unproven: 1, ..Judgement::default() };
        assert_eq!(absence.judge(ids(&["a"]).into_iter().collect(), false, ids(&["a", "b"]).iter()), kept);
        assert_eq!(judge(&mut absence, &["a"], &["a", "b"]), open());
    }

    #[test]
    fn the_lists_of_two_connections_are_not_compared() {
        let mut absence = Absence::default();
        for _ in 0..3 {
            absence.restart();
            assert_eq!(judge(&mut absence, &["a"], &["a", "b"]), open());
        }
    }

    #[test]
    fn what_edgecore_brings_between_two_lists_is_there_and_makes_no_list_grow() {
        let mut absence = Absence::default();
        assert_eq!(judge(&mut absence, &["a"], &["a", "b", "c"]), open());
        absence.brought(&DeviceId::new("", "b"));
        absence.brought(&DeviceId::new("", "d"));
        assert_eq!(
            judge(&mut absence, &["a", "d"], &["a", "b", "c", "d"]),
            Judgement { is_open: true, ..gone(&["c"]) }
        );
    }
}
