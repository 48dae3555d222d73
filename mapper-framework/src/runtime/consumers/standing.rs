//! How the consumers of a device fare, for its session to show.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

/// How all consumers of a device fare, by their property.
#[derive(Debug)]
pub(super) struct Board {
    state: Arc<watch::Sender<BTreeMap<Arc<str>, Fares>>>,
    /// Sees only what is to be shown at once.
    news: watch::Receiver<BTreeMap<Arc<str>, Fares>>,
}

/// How one consumer fares.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fares {
    /// The value of its property.
    value: Option<String>,
    /// What is wrong with it.
    complaint: Option<String>,
}

/// The consumer's end.
#[derive(Debug)]
pub(in crate::runtime) struct Standing {
    property: Arc<str>,
    state: Arc<watch::Sender<BTreeMap<Arc<str>, Fares>>>,
}

impl Default for Board {
    fn default() -> Self {
        let (state, news) = watch::channel(BTreeMap::new());
        Self { state: Arc::new(state), news }
    }
}

impl Board {
    pub(super) fn standing(&self, property: Arc<str>) -> Standing {
        Standing { property, state: Arc::clone(&self.state) }
    }

    pub(super) async fn changed(&mut self) {
        // The sender is here, so that it does not fail.
        self.news.changed().await.ok();
    }

    pub(super) fn value(&self, property: &str) -> Option<String> {
        self.state.borrow().get(property)?.value.clone()
    }

    pub(super) fn complaint(&self) -> Option<String> {
        let state = self.state.borrow();
        let mut complaints = state.iter().filter_map(|(property, fares)| Some((property, fares.complaint.as_ref()?)));
        complaints.next().map(|(property, complaint)| format!("property {property:?}: {complaint}"))
    }
}

impl Standing {
    /// Sets the value of the property, which is shown by its `collectCycle`.
    pub(in crate::runtime) fn show(&self, value: impl Into<String>) {
        self.change(false, |fares| fares.value = Some(value.into()));
    }

    /// The property has no value any more, until it is shown one.
    pub(in crate::runtime) fn hide(&self) {
        self.change(false, |fares| fares.value = None);
    }

    /// Notes that it is not as it should be: the device is unhealthy, and says why.
    pub(in crate::runtime) fn complain(&self, reason: impl Into<String>) {
        self.change(true, |fares| fares.complaint = Some(reason.into()));
    }

    /// Notes that all is well.
    pub(in crate::runtime) fn is_well(&self) {
        self.change(true, |fares| fares.complaint = None);
    }

    /// What is wrong with it, if anything is.
    pub(in crate::runtime) fn complaint(&self) -> Option<String> {
        self.state.borrow().get(&self.property)?.complaint.clone()
    }

    /// The consumer has ended.
    pub(super) fn remove(&self) {
        self.state
            .send_if_modified(|state| state.remove(&self.property).is_some_and(|fares| fares.complaint.is_some()));
    }

    /// What has not changed is no news.
    fn change(&self, at_once: bool, change: impl FnOnce(&mut Fares)) {
        self.state.send_if_modified(|state| {
            let fares = state.entry(Arc::clone(&self.property)).or_default();
            let before = fares.clone();
            change(fares);
            at_once && *fares != before
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_value_waits_for_its_cycle_and_a_complaint_shows_at_once() {
        let mut board = Board::default();
        let (video, push) = (board.standing("video".into()), board.standing("push".into()));
        video.show("a.avi");
        push.is_well();
        assert!(board.changed().now_or_never().is_none());
        assert_eq!(board.value("video").as_deref(), Some("a.avi"));
        video.complain("the disk is full");
        assert!(board.changed().now_or_never().is_some());
        assert_eq!(board.complaint().as_deref(), Some("property \"video\": the disk is full"));
        video.complain("the disk is full");
        assert!(board.changed().now_or_never().is_none(), "what is known is no news");
        video.is_well();
        assert!(board.changed().now_or_never().is_some() && board.complaint().is_none());
        push.complain("away");
        board.changed().now_or_never();
        push.remove();
        assert!(board.changed().now_or_never().is_some() && board.complaint().is_none());
    }
}
