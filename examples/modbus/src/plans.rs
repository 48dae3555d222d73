//! Plans that are kept from one round of reads to the next.

use std::sync::Arc;

use crate::plan::{Block, Limits, Span, plan};

/// How many plans are kept. Each set of properties that are due together has one, and cycles make few such sets.
const KEPT: usize = 8;

/// The plans of the latest rounds of one device, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Plans(Vec<Plan>);

#[derive(Debug)]
struct Plan {
    spans: Vec<Span>,
    blocks: Arc<[Block]>,
}

impl Plans {
    /// The requests for these spans. The limits have to be the same each time.
    pub(crate) fn get(&mut self, spans: impl Iterator<Item = Span> + Clone, limits: &Limits) -> Arc<[Block]> {
        match self.0.iter().position(|plan| plan.spans.iter().copied().eq(spans.clone())) {
            Some(at) => self.0[..=at].rotate_right(1),
            None => {
                self.0.truncate(KEPT - 1);
                let blocks = plan(spans.clone(), limits).into();
                self.0.insert(0, Plan { spans: spans.collect(), blocks });
            }
        }
        Arc::clone(&self.0[0].blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Table;

    fn spans(starts: &[u16]) -> impl Iterator<Item = Span> + Clone {
        starts.iter().map(|start| Span { table: Table::HoldingRegister, start: *start, count: 1 })
    }

    #[test]
    fn a_round_of_the_same_spans_has_the_same_plan_and_one_of_others_has_another() {
        let (mut plans, limits) = (Plans::default(), Limits::default());
        let mut get = |starts: &[u16]| plans.get(spans(starts), &limits);
        let (all, some) = (get(&[0, 1, 5]), get(&[0]));
        assert_eq!((all.len(), some.len()), (2, 1));
        for _ in 0..3 {
            assert!(Arc::ptr_eq(&all, &get(&[0, 1, 5])) && Arc::ptr_eq(&some, &get(&[0])));
        }
        let swapped = get(&[1, 0, 5]);
        assert_eq!(swapped[0].members().next(), Some((1, spans(&[0]).next().expect("one"))), "places count");
    }

    #[test]
    fn the_plan_that_was_not_used_for_the_longest_time_is_given_up() {
        let (mut plans, limits) = (Plans::default(), Limits::default());
        let first = plans.get(spans(&[0]), &limits);
        for start in 1..100 {
            let _ = plans.get(spans(&[start]), &limits);
            assert!(Arc::ptr_eq(&first, &plans.get(spans(&[0]), &limits)));
        }
        assert_eq!(plans.0.len(), KEPT);
    }
}
