//! Servers that fail, each in every way.

use std::{fs, path::Path, time::Duration};

use integration_tests::{Proxy, flood::Flood, until_sink};
use mapper_framework::{
    sink::{Ledger, SinkState, SinkStatus},
    testing::TestBed,
};
use tempfile::TempDir;
use tokio::time::Instant;

use super::places::{PASSWORD, Place, USER, duplicates};

/// How long a run may take: the flood's own time, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(180);

/// A mapper that sends a flood to a place, and the folder of its credentials.
pub(crate) struct Run {
    pub(crate) bed: TestBed,
    secrets: TempDir,
    total: u64,
}

impl Run {
    /// Starts a mapper that sends the numbers `0..total` through a port.
    pub(crate) async fn start(place: &dyn Place, port: u16, rate: u32, total: u64) -> Self {
        Self::start_with(place, port, rate, total, PASSWORD, |_| {}).await
    }

    pub(crate) async fn start_with(
        place: &dyn Place,
        port: u16,
        rate: u32,
        total: u64,
        password: &str,
        change: impl FnOnce(&mut mapper_framework::config::Config),
    ) -> Self {
        let configure = |config: &mut mapper_framework::config::Config, secrets: &Path| {
            place.configure(&mut config.sinks, secrets);
            change(config);
        };
        Self::launch(&place.push_method(port), rate, total, password, configure).await
    }

    /// Starts a mapper that sends the numbers where `push_method` says.
    pub(crate) async fn of(
        push_method: &str,
        rate: u32,
        total: u64,
        password: &str,
        configure: impl FnOnce(&mut mapper_framework::config::SinksConfig, &Path),
    ) -> Self {
        let configure = |config: &mut mapper_framework::config::Config, secrets: &Path| {
            configure(&mut config.sinks, secrets);
        };
        Self::launch(push_method, rate, total, password, configure).await
    }

    async fn launch(
        push_method: &str,
        rate: u32,
        total: u64,
        password: &str,
        configure: impl FnOnce(&mut mapper_framework::config::Config, &Path),
    ) -> Self {
        let secrets = tempfile::tempdir().unwrap();
        fs::write(secrets.path().join("username"), USER).unwrap();
        fs::write(secrets.path().join("password"), password).unwrap();
        let flood = Flood { first: 0, rate, total };
        let builder = TestBed::builder(flood, integration_tests::flood::PROTOCOL).config(|config| {
            config.sinks.write_timeout = Duration::from_secs(2);
            config.sinks.backoff_max = Duration::from_secs(1);
            configure(config, secrets.path());
        });
        let bed = builder.start().await;
        bed.edge().apply(&Flood::manifests(push_method)).await.unwrap();
        Self { bed, secrets, total }
    }

    pub(crate) fn set_password(&self, password: &str) {
        fs::write(self.secrets.path().join("password"), password).unwrap();
    }

    /// Waits until the one sink fits, and sees to it that its ledger adds up all the time.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&SinkStatus) -> bool) {
        until_sink(&self.bed, PATIENCE, what, fits).await;
    }

    pub(crate) async fn until_produced(&self, records: u64) {
        self.until("so many are produced", |sink| sink.ledger().produced() >= records).await;
    }

    pub(crate) async fn until_down(&self) -> String {
        self.until("it is down", |sink| sink.state() == SinkState::Down).await;
        self.bed.handle().sinks()[0].reason().unwrap_or_default().to_owned()
    }

    /// Waits until everything is settled, and stops the mapper.
    pub(crate) async fn settle(self) -> Ledger {
        self.until("everything is settled", |sink| {
            sink.ledger().produced() == self.total && sink.ledger().in_flight() == 0 && sink.spooled_records() == 0
        })
        .await;
        let ledger = *self.bed.handle().sinks()[0].ledger();
        self.bed.stop().await.unwrap();
        ledger
    }
}

/// All numbers have arrived, and none was given up. How many arrived twice is printed.
async fn nothing_is_lost(what: &str, place: &mut dyn Place, run: Run) {
    let total = run.total as usize;
    let ledger = run.settle().await;
    assert_eq!((ledger.delivered(), ledger.rejected(), ledger.dropped()), (total as u64, 0, 0), "{ledger}");
    let twice = duplicates(place, total).await;
    println!("{what}: {total} records, {twice} of them twice; {ledger}");
    assert!(twice as u64 <= ledger.repeated(), "{twice} arrived twice, and the ledger knows of {}", ledger.repeated());
}

pub(crate) async fn a_server_killed_in_the_middle_of_a_flood_comes_back(mut place: impl Place) {
    let run = Run::start(&place, place.port(), 1_000, 30_000).await;
    run.until("it works", |sink| sink.ledger().delivered() >= 5_000).await;
    place.kill().await;
    run.until_produced(15_000).await;
    place.restart().await;
    nothing_is_lost("killed in the middle", &mut place, run).await;
}

pub(crate) async fn a_server_that_is_not_there_at_the_start_comes(mut place: impl Place) {
    place.kill().await;
    let run = Run::start(&place, place.port(), 1_000, 2_000).await;
    run.until_down().await;
    run.until_produced(2_000).await;
    place.restart().await;
    nothing_is_lost("not there at the start", &mut place, run).await;
}

pub(crate) async fn a_server_that_never_answers_is_left_and_tried_again(mut place: impl Place) {
    place.freeze().await;
    let run = Run::start(&place, place.port(), 1_000, 2_000).await;
    run.until_down().await;
    run.until_produced(2_000).await;
    place.thaw().await;
    nothing_is_lost("never answers at first", &mut place, run).await;
}

pub(crate) async fn a_server_frozen_in_the_middle_of_a_flood_goes_on(mut place: impl Place) {
    let run = Run::start(&place, place.port(), 1_000, 6_000).await;
    run.until("it works", |sink| sink.ledger().delivered() >= 1_000).await;
    place.freeze().await;
    run.until_down().await;
    place.thaw().await;
    nothing_is_lost("frozen in the middle", &mut place, run).await;
}

/// The line is so slow that a full batch of most sinks misses its deadline: it has to go in parts, or it would come again for ever.
pub(crate) async fn a_server_behind_a_slow_line_gets_everything(mut place: impl Place) {
    let proxy = Proxy::start(place.port()).await.unwrap();
    let began = Instant::now();
    let run = Run::start_with(&place, proxy.port(), 1_000, 3_000, PASSWORD, |config| {
        config.sinks.write_timeout = Duration::from_millis(1_500);
    })
    .await;
    run.until("it works", |sink| sink.state() == SinkState::Up).await;
    proxy.slow_down(50_000);
    let handle = run.bed.handle();
    nothing_is_lost("slow line", &mut place, run).await;
    println!("slow line: {:.1?}", began.elapsed());
    let sink = &handle.sinks()[0];
    assert!(sink.ledger().repeated() < 6_000, "what is written again is bounded: {sink}");
}

pub(crate) async fn a_password_that_is_put_right_is_enough(mut place: impl Place) {
    let run = Run::start_with(&place, place.port(), 1_000, 2_000, "wrong-horse-7", |_| {}).await;
    let reason = run.until_down().await;
    assert!(!reason.contains("horse-7"), "a reason shows no password: {reason}");
    run.until_produced(2_000).await;
    run.set_password(PASSWORD);
    nothing_is_lost("password put right", &mut place, run).await;
}

/// Every fault for each place.
macro_rules! faults {
    ($($name:ident: $place:ty),* $(,)?) => {$(
        mod $name {
            use super::super::places;

            #[tokio::test]
            async fn a_server_killed_in_the_middle_of_a_flood_comes_back() {
                let Some(place) = <$place>::start(false).await else { return };
                super::a_server_killed_in_the_middle_of_a_flood_comes_back(place).await;
            }

            #[tokio::test]
            async fn a_server_that_is_not_there_at_the_start_comes() {
                let Some(place) = <$place>::start(false).await else { return };
                super::a_server_that_is_not_there_at_the_start_comes(place).await;
            }

            #[tokio::test]
            async fn a_server_that_never_answers_is_left_and_tried_again() {
                let Some(place) = <$place>::start(false).await else { return };
                super::a_server_that_never_answers_is_left_and_tried_again(place).await;
            }

            #[tokio::test]
            async fn a_server_frozen_in_the_middle_of_a_flood_goes_on() {
                let Some(place) = <$place>::start(false).await else { return };
                super::a_server_frozen_in_the_middle_of_a_flood_goes_on(place).await;
            }

            #[tokio::test]
            async fn a_server_behind_a_slow_line_gets_everything() {
                let Some(place) = <$place>::start(false).await else { return };
                super::a_server_behind_a_slow_line_gets_everything(place).await;
            }

            #[tokio::test]
            async fn a_password_that_is_put_right_is_enough() {
                let Some(place) = <$place>::start(true).await else { return };
                super::a_password_that_is_put_right_is_enough(place).await;
            }
        }
    )*};
}

faults! {
    mqtt: places::Mqtt,
    mysql: places::Mysql,
    redis: places::Redis,
    tdengine: places::Tdengine,
}
