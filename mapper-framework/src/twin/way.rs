//! By which way reports go at present.

use tokio::sync::watch;

/// The way of reports, and so the reporter that takes them out of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Calls of DMI.
    Dmi,
    /// The event bus.
    Bus,
}

/// The way where there is no other.
pub(crate) fn only(way: Way) -> watch::Receiver<Way> {
    watch::channel(way).1
}

/// Waits until there is no other way any more.
pub(super) async fn ended(mut way: watch::Receiver<Way>) {
    while way.changed().await.is_ok() {}
}

/// Waits for another way. Where there is none, the wait does not end.
pub(super) async fn changed(way: &mut watch::Receiver<Way>) {
    if way.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
