//! A whole mapper that sends to a sink, whose settings are wrong and put right.

use std::{fs, path::Path, time::Duration};

use integration_tests::{
    flood::{Flood, PROTOCOL},
    until_sink,
};
use mapper_framework::{
    config::Config,
    sink::{Ledger, SinkState, SinkStatus},
    testing::TestBed,
};
use tempfile::TempDir;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A mapper whose devices send numbers to one target.
pub(crate) struct Run {
    bed: TestBed,
    secrets: TempDir,
    total: u64,
}

impl Run {
    /// Each device sends the numbers `0..each`, 1,000 in a second, to where `push` says, which is YAML in braces. `change` gets the
    /// config, and the folder of the credentials.
    pub(crate) async fn start(
        devices: &[&str],
        each: u64,
        push: &str,
        change: impl FnOnce(&mut Config, &Path),
    ) -> Self {
        let secrets = tempfile::tempdir().expect("a folder");
        let flood = Flood { first: 0, rate: 1_000, total: each };
        let builder = TestBed::builder(flood, PROTOCOL).config(|config| {
            config.sinks.backoff_max = Duration::from_secs(1);
            change(config, secrets.path());
        });
        let run = Self { bed: builder.start().await, secrets, total: each * devices.len() as u64 };
        run.bed.edge().apply(&Flood::manifests_of(devices, push)).await.expect("applied");
        run
    }

    pub(crate) fn log_in(&self, username: &str, password: &str) {
        fs::write(self.secrets.path().join("password"), password).expect("written");
        fs::write(self.secrets.path().join("username"), username).expect("written");
    }

    /// Waits until the one sink fits, and sees to it that its ledger adds up all the time.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&SinkStatus) -> bool) {
        until_sink(&self.bed, PATIENCE, what, fits).await;
    }

    /// Waits until nothing is taken, for a reason with this in it.
    pub(crate) async fn until_down(&self, reason: &str) {
        let says = |sink: &SinkStatus| sink.reason().is_some_and(|why| why.contains(reason));
        self.until(reason, |sink| sink.state() == SinkState::Down && says(sink)).await;
    }

    /// Waits until all has been read from the devices.
    pub(crate) async fn until_produced(&self) {
        self.until("all is produced", |sink| sink.ledger().produced() >= self.total).await;
    }

    pub(crate) fn ledger(&self) -> Ledger {
        *self.bed.handle().sinks()[0].ledger()
    }

    pub(crate) async fn stop(self) {
        self.bed.stop().await.expect("stopped");
    }

    /// Waits until everything is settled, and stops the mapper.
    pub(crate) async fn settle(self) -> Ledger {
        self.until("everything is settled", |sink| {
            sink.ledger().produced() == self.total && sink.ledger().in_flight() == 0
        })
        .await;
        let ledger = self.ledger();
        self.stop().await;
        ledger
    }
}
