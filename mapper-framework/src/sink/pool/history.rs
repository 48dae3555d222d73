//! Asks sinks for what they have kept.

use std::sync::Arc;

use tokio::time::timeout;

use super::{
    super::{HistoryError, HistoryRequest, Point, Query, Series, SinkError, Target},
    Sinks,
};

/// How many questions for history are put at once, each on a connection of its own: databases of a plant have few to spare.
pub(super) const AT_ONCE: usize = 4;

impl Sinks {
    /// Asks the sinks that a device's properties go to for its history: the first that keeps one and can be asked answers.
    pub(crate) async fn history(
        &self,
        series: Vec<Arc<Series>>,
        request: &HistoryRequest,
    ) -> Result<Vec<Point>, HistoryError> {
        let mut by_target: Vec<(Target, Vec<Arc<Series>>)> = Vec::new();
        for series in series.into_iter().filter(|series| request.is_about(series)) {
            let target = series.target();
            match by_target.iter_mut().find(|(known, _)| known == target) {
                Some((_, all)) => all.push(series),
                None => by_target.push((target.clone(), vec![series])),
            }
        }
        let mut failed = None;
        for (target, series) in by_target {
            let asked = self.0.kinds.iter().find(|kind| kind.name() == target.kind() && kind.keeps_history());
            let Some(kind) = asked else { continue };
            let deadline = self.0.config.write_timeout;
            let Ok(turn) = timeout(deadline, self.0.questions.acquire()).await else {
                let reason = SinkError::failed(format_args!(
                    "{AT_ONCE} other questions for history are under way, and none has ended within {deadline:?} (sinks.write_timeout)"
                ));
                failed.get_or_insert(HistoryError::Failed { kind: target.kind().to_owned(), reason });
                continue;
            };
            let query = Query::new(series, request.from, request.to, request.limit);
            let answer = self.dialer(Arc::clone(kind), &target).query(query).await;
            drop(turn);
            match answer {
                Ok(points) => return Ok(points),
                Err(error) if error.is_unsupported() => {}
                Err(reason) => {
                    failed.get_or_insert(HistoryError::Failed { kind: target.kind().to_owned(), reason });
                }
            }
        }
        Err(failed.unwrap_or_else(|| HistoryError::NoHistory(request.device.clone())))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        time::Duration,
    };

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use crate::{
        config::{SinksConfig, SpoolConfig},
        credentials::CredentialSources,
        model::{DataType, Device, Property},
        sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, erase},
        telemetry::Telemetry,
    };

    use super::*;

    /// A sink with a history, which answers when it is let.
    #[derive(Clone)]
    struct Slow(Arc<State>);

    struct State {
        open: AtomicUsize,
        most: AtomicUsize,
        answers: Semaphore,
        /// How long it takes to connect.
        opening: Duration,
    }

    impl SinkKind for Slow {
        type Sink = Slow;

        fn name(&self) -> &str {
            "slow"
        }

        fn routes(&self, _: &Device, _: &Property) -> Result<Vec<Route>, RouteError> {
            Ok(Vec::new())
        }

        fn keeps_history(&self) -> bool {
            true
        }

        async fn open(&self, _: &Target, _: &Credentials) -> Result<Slow, SinkError> {
            let open = self.0.open.fetch_add(1, Relaxed) + 1;
            self.0.most.fetch_max(open, Relaxed);
            tokio::time::sleep(self.0.opening).await;
            Ok(self.clone())
        }
    }

    impl Sink for Slow {
        async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
            Ok(Outcome::accepted(batch.len()))
        }

        async fn query(&mut self, _: &Query) -> Result<Vec<Point>, SinkError> {
            self.0.answers.acquire().await?.forget();
            Ok(Vec::new())
        }

        async fn close(self) {
            self.0.open.fetch_sub(1, Relaxed);
        }
    }

    fn rig(opening: Duration) -> (Slow, Sinks, Vec<Arc<Series>>, HistoryRequest) {
        let state = State { open: AtomicUsize::new(0), most: AtomicUsize::new(0), answers: Semaphore::new(0), opening };
        let slow = Slow(Arc::new(state));
        let (config, credentials) = (SinksConfig::default(), CredentialSources::new([], []));
        let sinks =
            Sinks::new(vec![erase(slow.clone())], config, SpoolConfig::default(), credentials, Telemetry::default());
        let (device, property) = (Device::builder("d").build(), Property::builder("p", DataType::Int).build());
        let series = Arc::new(Series::new(&device, &property, Route::to(Target::new("slow", &"here"))));
        (slow, sinks, vec![series], HistoryRequest::of(device.id().clone()))
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_questions_are_put_at_once_and_all_are_answered() {
        let (slow, sinks, series, request) = rig(Duration::ZERO);
        let asked = join_all((0..20).map(|_| sinks.history(series.clone(), &request)));
        let answer = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                slow.0.answers.add_permits(1);
            }
        };
        let (answers, ()) = tokio::join!(asked, answer);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(slow.0.most.load(Relaxed), AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_turn_hears_why() {
        let (_, sinks, series, request) = rig(Duration::from_secs(5));
        let answers = join_all((0..=AT_ONCE).map(|_| sinks.history(series.clone(), &request))).await;
        let errors: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap_err().to_string()).collect();
        let of_turns = errors.iter().filter(|error| error.contains("4 other questions for history"));
        let of_sinks = errors.iter().filter(|error| error.contains("query took longer"));
        assert_eq!((of_turns.count(), of_sinks.count()), (1, AT_ONCE), "{errors:?}");
    }
}
