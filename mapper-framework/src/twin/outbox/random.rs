//! Random fleets and budgets, against what the order promises.

use std::collections::{HashMap, HashSet};

use proptest::{prelude::*, test_runner::TestCaseResult};

use super::*;
use crate::model::DataType;

#[derive(Clone, Debug)]
enum Step {
    Values(usize),
    Settled(usize),
    State(usize),
    Changed(usize),
    /// edgecore accepts a call.
    Accept,
    /// Its limiter does not.
    Limit,
    /// It refuses the report for what it is.
    Refuse,
    /// So many milliseconds pass.
    Wait(u64),
}

const MOST: usize = 8;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..MOST).prop_map(Step::Values),
        1 => (0..MOST).prop_map(Step::Settled),
        2 => (0..MOST).prop_map(Step::State),
        2 => (0..MOST).prop_map(Step::Changed),
        5 => Just(Step::Accept),
        1 => Just(Step::Limit),
        1 => Just(Step::Refuse),
        2 => (0..3_000_u64).prop_map(Step::Wait),
    ]
}

/// How often others were served while a device waited.
#[derive(Default)]
struct Wait {
    served: HashMap<DeviceId, (usize, usize)>,
}

/// An outbox, and the model that it is held against.
#[derive(Default)]
struct Fleet {
    outbox: Outbox,
    /// The devices that wait and do not rest.
    waits: HashMap<DeviceId, Wait>,
    resting: HashMap<DeviceId, Instant>,
    /// Those of which an urgent state, or urgent twins, have been posted since the last call for these.
    urgent: HashSet<(DeviceId, bool)>,
}

fn device(number: usize) -> DeviceId {
    DeviceId::new("", &format!("d{number}"))
}

fn twin() -> TwinUpdate {
    let property = Arc::new(Property::builder("x", DataType::Int).build());
    TwinUpdate { property, value: 1.into(), timestamp: SystemTime::UNIX_EPOCH, desired: Echo::default() }
}

impl Fleet {
    fn post(&mut self, number: usize, is_state: bool, urgency: Urgency) {
        let device = device(number);
        if is_state {
            self.outbox.post_state(&device, DeviceState::Online, urgency);
        } else {
            self.outbox.post_twins(&device, [twin()], urgency);
        }
        if urgency == Urgency::Urgent {
            self.urgent.insert((device.clone(), is_state));
        }
        if !self.resting.contains_key(&device) {
            self.waits.entry(device).or_default();
        }
    }

    /// A call is made, and edgecore answers so.
    fn call(&mut self, answer: &Step) -> TestCaseResult {
        self.resting.retain(|device, until| {
            let rests = *until > Instant::now();
            if !rests {
                self.waits.insert(device.clone(), Wait::default());
            }
            rests
        });
        let Some(report) = self.outbox.take() else {
            prop_assert!(self.waits.is_empty(), "{:?} wait, and nothing is taken", self.waits.keys());
            return Ok(());
        };
        let device = report.device.clone();
        let is_state = matches!(report.content, Content::State(_));
        prop_assert!(!self.resting.contains_key(&device), "{device} rests");
        match answer {
            Step::Limit => self.outbox.put_back(report),
            Step::Refuse => {
                let pause = self.outbox.refused(report);
                self.served(&device, is_state)?;
                self.waits.remove(&device);
                self.resting.insert(device, Instant::now() + pause);
            }
            _ => {
                self.outbox.accepted(report);
                self.served(&device, is_state)?;
                if self.outbox.order().entry(&device).is_none_or(entry::Entry::is_empty) {
                    self.waits.remove(&device);
                }
            }
        }
        Ok(())
    }

    /// While a device waits, each other one has one turn, and one more ahead of the order if something urgent came of it.
    fn served(&mut self, device: &DeviceId, is_state: bool) -> TestCaseResult {
        self.waits.insert(device.clone(), Wait::default());
        let was_urgent = self.urgent.remove(&(device.clone(), is_state));
        for (waits, wait) in self.waits.iter_mut().filter(|(waits, _)| *waits != device) {
            let (turns, exceptions) = wait.served.entry(device.clone()).or_default();
            // A state and a desired value may go ahead by the same exception, each in a call of its own.
            if was_urgent && *exceptions < 2 {
                *exceptions += 1;
            } else {
                *turns += 1;
            }
            prop_assert!(*turns <= 1, "{device} was served {turns} times while {waits} waited");
        }
        Ok(())
    }
}

async fn play(steps: &[Step], calls_per_second: f64) -> TestCaseResult {
    let mut fleet = Fleet::default();
    fleet.outbox.set_pace(calls_per_second);
    for step in steps {
        match *step {
            Step::Values(number) => fleet.post(number, false, Urgency::Ordinary),
            Step::Settled(number) => fleet.post(number, false, Urgency::Urgent),
            Step::State(number) => fleet.post(number, true, Urgency::Ordinary),
            Step::Changed(number) => fleet.post(number, true, Urgency::Urgent),
            Step::Wait(millis) => tokio::time::advance(Duration::from_millis(millis)).await,
            Step::Accept | Step::Limit | Step::Refuse => fleet.call(step)?,
        }
    }
    // Whatever there was, it all gets through.
    for _ in 0..100 {
        tokio::time::advance(Duration::from_secs(300)).await;
        fleet.call(&Step::Accept)?;
    }
    prop_assert_eq!(fleet.outbox.len(), 0);
    Ok(())
}

/// A fleet that starts cold, with values that come anew each second and, of some devices, states that change as often. After how many
/// calls each device has had its first values, and its first state.
async fn cold_start(devices: usize, flappers: usize, calls_per_second: u64) -> Vec<(usize, usize)> {
    let outbox = Outbox::default();
    outbox.set_pace(calls_per_second as f64);
    let mut first = vec![(0, 0); devices];
    let (mut calls, mut states) = (0, 0);
    for second in 0.. {
        for number in 0..devices {
            let device = device(number);
            let flaps = number < flappers;
            if second == 0 || flaps {
                let state = if second % 2 == 0 { DeviceState::Online } else { DeviceState::Disconnected };
                outbox.post_state(&device, state, Urgency::Urgent);
            }
            outbox.post_twins(&device, [twin()], Urgency::Ordinary);
        }
        for _ in 0..calls_per_second {
            let Some(report) = outbox.take() else { break };
            calls += 1;
            let number: usize = report.device.name()[1..].parse().expect("a number");
            match report.content {
                Content::State(_) => {
                    states += 1;
                    if first[number].1 == 0 {
                        first[number].1 = calls;
                    }
                }
                // Calls that were spent on states do not count.
                Content::Twins(_) if first[number].0 == 0 => first[number].0 = calls - states,
                Content::Twins(_) => {}
            }
            outbox.accepted(report);
        }
        if first.iter().all(|(values, state)| *values > 0 && *state > 0) {
            return first;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    unreachable!("the seconds do not end")
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}

proptest! {
    #[test]
    fn whoever_waits_is_served_before_another_has_a_second_turn(
        steps in prop::collection::vec(step(), 1..200),
        calls_per_second in prop::sample::select(&[0.03, 1.0, 40.0][..]),
    ) {
        run(play(&steps, calls_per_second))?;
    }

    #[test]
    fn a_cold_start_gives_each_device_its_first_values_and_then_its_first_state(
        devices in 1..40_usize,
        flappers in 0..4_usize,
        calls_per_second in 1..5_u64,
    ) {
        let flappers = flappers.min(devices);
        let first = run(cold_start(devices, flappers, calls_per_second));
        for (values, state) in first {
            prop_assert!(values <= devices, "the first values after {values} calls, besides those for states");
            let most = 2 * devices + flappers;
            prop_assert!(state <= most, "the first state after {state} calls");
        }
    }
}
