//! Whether the cycles that are configured fit into what edgecore takes.

use std::time::Duration;

use crate::model::{Device, Property};

/// What the reports of a set of devices cost, and how old they make the twins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Demand {
    /// Calls per second that would keep every twin as fresh as its cycle.
    pub(crate) calls_per_second: f64,
    /// How often each call would be made: one call per device for its twins, and one for its state.
    rates: Vec<f64>,
}

impl Demand {
    /// Sums up what devices need.
    pub(crate) fn of<'a>(devices: impl IntoIterator<Item = &'a Device>) -> Self {
        let mut rates = Vec::new();
        for device in devices {
            let twins = device.properties().filter(|property| property.report_to_cloud());
            let cycles = twins.map(Property::collect_cycle).min();
            let cycles = cycles.into_iter().chain(device.state_report().map(|report| report.cycle));
            rates.extend(cycles.map(|cycle| 1.0 / cycle.as_secs_f64()));
        }
        Self { calls_per_second: rates.iter().sum(), rates }
    }

    /// How old the twins become when edgecore takes `budget` calls a second, which are fewer than are needed.
    ///
    /// The outbox lets all devices have their turn, so each call is made every `T` seconds, or as often as its cycle asks for if
    /// that is longer: `T` is where `Σ min(1/cycle, 1/T)` is the budget.
    pub(crate) fn staleness(&self, budget: f64) -> Duration {
        let spent = |cap: f64| self.rates.iter().map(|rate| rate.min(cap)).sum::<f64>();
        // What is spent grows with the cap, 1/T. 64 halvings are all the digits there are.
        let (mut low, mut high) = (0.0, self.rates.iter().copied().fold(0.0, f64::max));
        for _ in 0..64 {
            let middle = f64::midpoint(low, high);
            *(if spent(middle) > budget { &mut high } else { &mut low }) = middle;
        }
        Duration::try_from_secs_f64(1.0 / high).unwrap_or(Duration::MAX)
    }
}

/// Decides when an operator is told that the demand exceeds the budget: when that begins, and when the twins have become twice as
/// old since it was told last.
#[derive(Debug, Default)]
pub(crate) struct BudgetAlarm {
    told: Option<Duration>,
}

impl BudgetAlarm {
    /// The staleness to tell of now, if any.
    pub(crate) fn check(&mut self, demand: &Demand, budget: f64) -> Option<Duration> {
        if demand.calls_per_second <= budget {
            self.told = None;
            return None;
        }
        let staleness = demand.staleness(budget);
        if self.told.is_some_and(|told| staleness < told.saturating_mul(2)) {
            return None;
        }
        self.told = Some(staleness);
        Some(staleness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataType;

    /// As many calls of each cycle, in seconds.
    fn demand(calls: &[(usize, f64)]) -> Demand {
        let rates: Vec<_> = calls.iter().flat_map(|&(count, cycle)| std::iter::repeat_n(1.0 / cycle, count)).collect();
        Demand { calls_per_second: rates.iter().sum(), rates }
    }

    #[test]
    fn a_call_that_is_seldom_wanted_takes_little_of_the_others_time() {
        let seconds = |calls: &[_], budget| demand(calls).staleness(budget).as_secs_f64();
        assert!((seconds(&[(40, 1.0)], 1.0) - 40.0).abs() < 1e-6);
        let truth = 40.0 / (1.0 - 40.0 / 3600.0);
        assert!((seconds(&[(40, 1.0), (40, 3600.0)], 1.0) - truth).abs() < 1e-6);
        assert!((seconds(&[(10, 1.0)], 4.0) - 2.5).abs() < 1e-6);
        assert_eq!(demand(&[(1, 1.0)]).staleness(0.0), Duration::MAX);
    }

    #[test]
    fn the_alarm_is_raised_when_it_begins_and_again_when_the_twins_are_twice_as_old() {
        let mut alarm = BudgetAlarm::default();
        let told = [1, 2, 3, 4, 8, 1, 2].map(|count| alarm.check(&demand(&[(count, 1.0)]), 1.0).is_some());
        assert_eq!(told, [false, true, false, true, true, false, true]);
    }

    #[test]
    fn the_demand_counts_one_call_per_device_and_cycle() {
        let property = |name, millis, report| {
            let cycle = Duration::from_millis(millis);
            Property::builder(name, DataType::Int).collect_cycle(cycle).report_to_cloud(report).build()
        };
        let device = Device::builder("a");
        let device = device.property(property("a", 2000, true)).property(property("b", 500, true));
        let device = device.property(property("c", 10, false)).build();
        assert_eq!(Demand::of([&device, &device]), demand(&[(2, 0.5)]));
    }
}
