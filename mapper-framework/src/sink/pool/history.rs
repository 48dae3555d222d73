//! Asks sinks for what they have kept.

use std::sync::Arc;

use super::{
    super::{HistoryError, HistoryRequest, Point, Query, Series, Target},
    Sinks,
};

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
            let query = Query::new(series, request.from, request.to, request.limit);
            match self.dialer(Arc::clone(kind), &target).query(query).await {
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
