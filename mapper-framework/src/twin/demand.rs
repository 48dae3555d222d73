//! Whether the cycles that are configured fit into what edgecore takes.

use std::time::Duration;

use crate::model::{Device, Property};

/// What the reports of a set of devices cost, and how old they make the twins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Demand {
    /// Calls per second that would keep every twin as fresh as its cycle.
    pub(crate) calls_per_second: f64,
    /// Calls that report everything once.
    pub(crate) calls_per_round: u32,
}

impl Demand {
    /// Sums up what devices need: one call per device for its twins, and one for its state.
    pub(crate) fn of<'a>(devices: impl IntoIterator<Item = &'a Device>) -> Self {
        let mut demand = Self::default();
        for device in devices {
            let twins = device.properties().filter(|property| property.report_to_cloud());
            let cycles = twins.map(Property::collect_cycle).min();
            for cycle in cycles.into_iter().chain(device.state_report().map(|report| report.cycle)) {
                demand.calls_per_second += 1.0 / cycle.as_secs_f64();
                demand.calls_per_round += 1;
            }
        }
        demand
    }

    /// How old the twins become when edgecore takes `budget` calls a second.
    pub(crate) fn staleness(&self, budget: f64) -> Duration {
        Duration::try_from_secs_f64(f64::from(self.calls_per_round) / budget).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataType;

    #[test]
    fn the_demand_counts_one_call_per_device_and_cycle() {
        let property = |name, millis, report| {
            let cycle = Duration::from_millis(millis);
            Property::builder(name, DataType::Int).collect_cycle(cycle).report_to_cloud(report).build()
        };
        let device = Device::builder("a");
        let device = device.property(property("a", 2000, true)).property(property("b", 500, true));
        let device = device.property(property("c", 10, false)).build();
        assert_eq!(Demand::of([&device, &device]), Demand { calls_per_second: 4.0, calls_per_round: 2 });
    }
}
