//! What the consumers of a device show and what is wrong with them, for its session.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

/// What is known of all consumers of a device, by their property.
#[derive(Debug)]
pub(super) struct Statuses {
    state: Arc<watch::Sender<BTreeMap<Arc<str>, Known>>>,
    /// Sees only what is to be shown at once.
    news: watch::Receiver<BTreeMap<Arc<str>, Known>>,
}

/// What is known of one consumer.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    /// The value of its property.
    value: Option<String>,
    /// What is wrong with it.
    problem: Option<String>,
}

/// The consumer's end.
#[derive(Debug)]
pub(in crate::runtime) struct Status {
    property: Arc<str>,
    state: Arc<watch::Sender<BTreeMap<Arc<str>, Known>>>,
}

impl Default for Statuses {
    fn default() -> Self {
        let (state, news) = watch::channel(BTreeMap::new());
        Self { state: Arc::new(state), news }
    }
}

impl Statuses {
    pub(super) fn status(&self, property: Arc<str>) -> Status {
        Status { property, state: Arc::clone(&self.state) }
    }

    pub(super) async fn changed(&mut self) {
        // The sender is here, so that it does not fail.
        self.news.changed().await.ok();
    }

    pub(super) fn value(&self, property: &str) -> Option<String> {
        self.state.borrow().get(property)?.value.clone()
    }

    pub(super) fn problem(&self) -> Option<String> {
        let state = self.state.borrow();
        let mut problems = state.iter().filter_map(|(property, known)| Some((property, known.problem.as_ref()?)));
        problems.next().map(|(property, problem)| format!("property {property:?}: {problem}"))
    }
}

impl Status {
    /// Sets the value of the property, which is shown by its `collectCycle`.
    pub(in crate::runtime) fn show(&self, value: impl Into<String>) {
        self.change(false, |known| known.value = Some(value.into()));
    }

    /// The property has no value any more, until it is shown one.
    pub(in crate::runtime) fn hide(&self) {
        self.change(false, |known| known.value = None);
    }

    /// Notes that it is not as it should be: the device is unhealthy, and says why.
    pub(in crate::runtime) fn set_problem(&self, reason: impl Into<String>) {
        self.change(true, |known| known.problem = Some(reason.into()));
    }

    /// Notes that all is well.
    pub(in crate::runtime) fn clear_problem(&self) {
        self.change(true, |known| known.problem = None);
    }

    /// What is wrong with it, if anything is.
    pub(in crate::runtime) fn problem(&self) -> Option<String> {
        self.state.borrow().get(&self.property)?.problem.clone()
    }

    /// The consumer has ended.
    pub(super) fn remove(&self) {
        self.state.send_if_modified(|state| state.remove(&self.property).is_some_and(|known| known.problem.is_some()));
    }

    /// What has not changed is no news.
    fn change(&self, at_once: bool, change: impl FnOnce(&mut Known)) {
        self.state.send_if_modified(|state| {
            let known = state.entry(Arc::clone(&self.property)).or_default();
            let before = known.clone();
            change(known);
            at_once && *known != before
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_value_waits_for_its_cycle_and_a_complaint_shows_at_once() {
        let mut statuses = Statuses::default();
        let (video, push) = (statuses.status("video".into()), statuses.status("push".into()));
        video.show("a.avi");
        push.clear_problem();
        assert!(statuses.changed().now_or_never().is_none());
        assert_eq!(statuses.value("video").as_deref(), Some("a.avi"));
        video.set_problem("the disk is full");
        assert!(statuses.changed().now_or_never().is_some());
        assert_eq!(statuses.problem().as_deref(), Some("property \"video\": the disk is full"));
        video.set_problem("the disk is full");
        assert!(statuses.changed().now_or_never().is_none(), "what is known is no news");
        video.clear_problem();
        assert!(statuses.changed().now_or_never().is_some() && statuses.problem().is_none());
        push.set_problem("away");
        statuses.changed().now_or_never();
        push.remove();
        assert!(statuses.changed().now_or_never().is_some() && statuses.problem().is_none());
    }
}
