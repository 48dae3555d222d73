//! How long is waited for what must come. A busy machine is slow, so that what must not be waited for takes an hour here.

use std::time::{Duration, Instant};

use mapper_framework::{config::Config, testing::DEADLINE};
use tokio::{runtime::Handle, time::timeout};

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(3600);

/// A mapper that waits for its grace, or for the end of a call, is seen as one that does not end.
pub(crate) fn with_endless_grace(config: &mut Config) {
    (config.driver.call_timeout, config.shutdown.grace) = (FOREVER, FOREVER);
}

/// What comes of this within the [`DEADLINE`].
pub(crate) async fn within_deadline<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} has not come within {DEADLINE:?}"))
}

/// Waits until no more tasks live than before.
pub(crate) async fn tasks_are_back_to(before: usize) {
    let (began, alive) = (Instant::now(), || Handle::current().metrics().num_alive_tasks());
    while alive() > before {
        assert!(began.elapsed() < DEADLINE, "{} tasks live, and {before} lived before", alive());
        tokio::task::yield_now().await;
    }
}
