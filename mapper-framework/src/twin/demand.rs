//! Whether the cycles that are configured fit into what edgecore takes.

use std::{fmt, time::Duration};

use crate::{
    config::MAX_SILENCE,
    model::{Device, Property, ReportRules, Strategy},
};

/// What the reports of a set of devices cost, and how old they make the twins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Demand {
    /// Calls per second that would keep every twin as fresh as its strategy asks for, while no value changes.
    pub(crate) calls_per_second: f64,
    /// The same while all values change all the time.
    pub(crate) at_most: f64,
    /// How often each call would be made while no value changes: one call per device for its twins, and one for its state.
    rates: Vec<f64>,
    /// How many devices have twins.
    with_twins: usize,
    /// How many devices have a state.
    with_state: usize,
    /// What the states need of it.
    states: f64,
    /// What would be needed if all twins were reported on change.
    on_change: f64,
}

/// What would make reports fit into the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Reports on change.
    OnChange,
    /// Reports on change, and this longest silence.
    MaxSilence(Duration),
    /// States that are repeated no more often than this.
    StateCycle(Duration),
}

impl Demand {
    /// Sums up what devices need. The rules are those of twins whose manifest says nothing.
    pub(crate) fn of<'a>(devices: impl IntoIterator<Item = &'a Device>, twins: &ReportRules) -> Self {
        let mut demand = Self::default();
        for device in devices {
            let reported = || device.properties().filter(|it| it.report_to_cloud() && it.polling() != Some(false));
            let busiest = reported().map(|property| busy(property, &ReportRules::of_twin(property, twins))).min();
            if let Some(busiest) = busiest {
                let quiet = reported().filter_map(|property| quiet(property, &ReportRules::of_twin(property, twins)));
                let quiet = quiet.min().map_or(0.0, rate);
                demand.with_twins += 1;
                demand.rates.push(quiet);
                demand.at_most += rate(busiest);
                demand.on_change += quiet.min(rate(MAX_SILENCE));
            }
            if let Some(report) = device.state_report() {
                demand.with_state += 1;
                demand.rates.push(rate(report.cycle));
                demand.states += rate(report.cycle);
            }
        }
        demand.calls_per_second = demand.rates.iter().sum();
        demand.at_most += demand.states;
        demand.on_change += demand.states;
        demand
    }

    /// What would make it fit into `budget` calls a second, in which it does not fit.
    pub(crate) fn advice(&self, budget: f64) -> Advice {
        let left = budget - self.states;
        if self.on_change <= budget {
            Advice::OnChange
        } else if left > 0.0 && self.with_twins > 0 {
            Advice::MaxSilence(round_up(self.with_twins as f64 / left))
        } else {
            // Half of the calls are left to twins.
            let calls = if self.with_twins > 0 { budget / 2.0 } else { budget };
            Advice::StateCycle(round_up(self.with_state as f64 / calls))
        }
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

/// How often a call is made by a cycle, in calls a second.
fn rate(cycle: Duration) -> f64 {
    1.0 / cycle.as_secs_f64()
}

/// How often a property is reported while its value changes all the time.
fn busy(property: &Property, rules: &ReportRules) -> Duration {
    property.collect_cycle().max(rules.min_interval)
}

/// How often a property is reported while its value does not change; `None` is never.
fn quiet(property: &Property, rules: &ReportRules) -> Option<Duration> {
    match rules.strategy {
        Strategy::Always => Some(busy(property, rules)),
        _ => rules.max_silence.map(|silence| silence.max(busy(property, rules))),
    }
}

/// A time in seconds as somebody would write it: in whole tens of seconds, or whole minutes if it is longer.
fn round_up(seconds: f64) -> Duration {
    let grain = if seconds > 120.0 { 60.0 } else { 10.0 };
    Duration::try_from_secs_f64((seconds / grain).ceil() * grain).unwrap_or(Duration::MAX)
}

/// Calls a second as they are shown.
pub(crate) fn rounded(calls: f64) -> f64 {
    (calls * 100.0).round() / 100.0
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnChange => f.write_str("write reportStrategy: onChange, or report.strategy: onChange in the config"),
            Self::MaxSilence(time) => {
                let (millis, time) = (time.as_millis(), humantime_serde::re::humantime::format_duration(*time));
                write!(
                    f,
                    "write reportStrategy: onChange and reportMaxSilence: {millis}, or report.max_silence: {time} in the config"
                )
            }
            Self::StateCycle(time) => {
                write!(f, "raise stateReport.reportCycle to {} or more", time.as_millis())
            }
        }
    }
}

/// Decides when it is logged that the demand exceeds the budget: when that begins, and when the twins have become twice as old
/// since the last line.
#[derive(Debug, Default)]
pub(crate) struct BudgetAlarm {
    last_logged: Option<Duration>,
}

impl BudgetAlarm {
    /// The staleness to tell of now, if any.
    pub(crate) fn check(&mut self, demand: &Demand, budget: f64) -> Option<Duration> {
        if demand.calls_per_second <= budget {
            self.last_logged = None;
            return None;
        }
        let staleness = demand.staleness(budget);
        if self.last_logged.is_some_and(|last| staleness < last.saturating_mul(2)) {
            return None;
        }
        self.last_logged = Some(staleness);
        Some(staleness)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{DataType, DeviceBuilder};

    /// As many calls of each cycle, in seconds.
    fn demand(calls: &[(usize, f64)]) -> Demand {
        let rates: Vec<_> = calls.iter().flat_map(|&(count, cycle)| std::iter::repeat_n(1.0 / cycle, count)).collect();
        Demand { calls_per_second: rates.iter().sum(), rates, ..Demand::default() }
    }

    /// A property that is read each second, with these keys of the framework in its visitor.
    fn property(name: &str, keys: &serde_json::Value) -> Property {
        let builder = Property::builder(name, DataType::Int).report_to_cloud(true);
        builder.visitor(keys.as_object().cloned().unwrap_or_default())
    }

    fn device(properties: impl IntoIterator<Item = Property>) -> Device {
        properties.into_iter().fold(Device::builder("a"), DeviceBuilder::property).build()
    }

    /// Calls a second that these devices need at least, and at most.
    fn needs(devices: &[Device]) -> (f64, f64) {
        let demand = Demand::of(devices, &on_change());
        (rounded(demand.calls_per_second), rounded(demand.at_most))
    }

    fn on_change() -> ReportRules {
        ReportRules { strategy: Strategy::OnChange, max_silence: Some(MAX_SILENCE), ..ReportRules::default() }
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
        let logged = [1, 2, 3, 4, 8, 1, 2].map(|count| alarm.check(&demand(&[(count, 1.0)]), 1.0).is_some());
        assert_eq!(logged, [false, true, false, true, true, false, true]);
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
        let always = Demand::of([&device, &device], &ReportRules::default());
        assert_eq!((always.calls_per_second, always.at_most, always.rates), (4.0, 4.0, vec![2.0, 2.0]));
    }

    #[test]
    fn what_is_reported_on_change_needs_its_longest_silence_at_least_and_its_cycle_at_most() {
        let silence = |millis: u64| property("b", &json!({"reportMaxSilence": millis}));
        assert_eq!(needs(&[device([property("a", &json!({}))])]), (0.0, 1.0), "one in 300 s");
        assert_eq!(needs(&[device([property("a", &json!({})), silence(10_000)])]), (0.1, 1.0));
        assert_eq!(needs(&[device([silence(0)])]), (0.0, 1.0));
        assert_eq!(
            needs(&[device([property("a", &json!({"reportStrategy": "always"})), silence(10_000)])]),
            (1.0, 1.0)
        );
        assert_eq!(needs(&[device([property("a", &json!({"reportMinInterval": 4000}))])]), (0.0, 0.25));
        assert_eq!(needs(&[device([property("a", &json!({"poll": false}))])]), (0.0, 0.0));
    }

    #[test]
    fn figures_are_rounded() {
        assert_eq!(rounded(1.2 + 1e-16 * 3.0).to_string(), "1.2");
        assert_eq!(rounded((0..12).map(|_| 0.1).sum()).to_string(), "1.2");
    }

    #[test]
    fn the_advice_names_the_strategy_that_fits() {
        let always: Vec<_> = (0..60).map(|_| device([property("a", &json!({"reportStrategy": "always"}))])).collect();
        let demand = Demand::of(&always, &on_change());
        assert_eq!(demand.advice(1.0), Advice::OnChange);
        assert_eq!(demand.advice(0.1), Advice::MaxSilence(Duration::from_secs(600)));
        let text = demand.advice(0.1).to_string();
        assert!(text.contains("reportMaxSilence: 600000") && text.contains("report.max_silence: 10m"), "{text}");
        let state = crate::model::StateReport { cycle: Duration::from_secs(1) };
        let with_state = Device { state_report: Some(state), ..always[0].clone() };
        let demand = Demand::of([&with_state, &with_state], &on_change());
        assert_eq!(demand.advice(1.0), Advice::StateCycle(Duration::from_secs(10)));
    }

    #[test]
    fn whoever_follows_the_advice_fits() {
        for count in [301, 1000, 4000] {
            let twins = |keys: &serde_json::Value| {
                let devices: Vec<_> = (0..count).map(|_| device([property("a", keys)])).collect();
                Demand::of(&devices, &on_change())
            };
            let before = twins(&json!({}));
            assert!(before.calls_per_second > 1.0);
            let Advice::MaxSilence(silence) = before.advice(1.0) else { panic!("{:?}", before.advice(1.0)) };
            assert!(twins(&json!({"reportMaxSilence": silence.as_millis() as u64})).calls_per_second <= 1.0);
        }
    }
}
