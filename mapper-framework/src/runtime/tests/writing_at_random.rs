//! Random wishes, withdrawals, reconnects, failing reads, restarts and local changes, against what must hold whatever happens.

use std::time::Duration;

use proptest::{prelude::*, test_runner::TestCaseResult};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    puppet::{Does, Puppet},
    rig::{Rig, device, property, ruled, writes},
};
use crate::{Value, model::DataType, twin::Phase, writes::Writes};

#[derive(Clone, Debug)]
enum Step {
    Wish(u8),
    Withdraw,
    /// The device ends the session.
    Close,
    Reads(Health),
    Writes(Health),
    /// The device takes writes, and does not heed them.
    Deaf(bool),
    Restart,
    /// Somebody turns the knob.
    Local(u8),
}

#[derive(Clone, Copy, Debug)]
enum Health {
    Works,
    Fails,
    Refuses,
    Hangs,
}

fn step() -> impl Strategy<Value = Step> {
    let health = prop_oneof![
        4 => Just(Health::Works), 2 => Just(Health::Fails), 1 => Just(Health::Refuses), 1 => Just(Health::Hangs)
    ];
    prop_oneof![
        4 => (1..4_u8).prop_map(Step::Wish),
        1 => Just(Step::Withdraw),
        3 => Just(Step::Close),
        2 => health.clone().prop_map(Step::Reads),
        2 => health.prop_map(Step::Writes),
        1 => any::<bool>().prop_map(Step::Deaf),
        2 => Just(Step::Restart),
        2 => (1..4_u8).prop_map(Step::Local),
    ]
}

const POLICIES: [&str; 4] = ["onChange", "enforce", "once", "never"];

/// A run, and what there was to see of it.
struct Run {
    rig: Rig,
    writes: Writes,
    policy: &'static str,
    wish: Option<u8>,
    /// The wishes and when each was set; the end of one is the beginning of the next.
    wishes: Vec<(Instant, Option<u8>)>,
    /// Whether reads were refused at any time.
    was_unreadable: bool,
}

impl Run {
    async fn new(policy: &'static str) -> Self {
        let (writes, puppet) = (writes(), Puppet::new());
        puppet.set("a/level", 0);
        let rig = Rig::after(puppet, writes.clone()).await;
        Self { rig, writes, policy, wish: None, wishes: vec![(Instant::now(), None)], was_unreadable: false }
    }

    async fn apply(&self) {
        let wish = self.wish.map(|wish| wish.to_string()).unwrap_or_default();
        let level = ruled("level", &wish, &json!({"writePolicy": self.policy}));
        self.rig.add(device("a", [level, property("fixed", 1000)])).await;
    }

    fn pull(&self, operation: &str, health: Health) {
        match health {
            Health::Works => self.rig.puppet.mend(operation),
            Health::Fails => self.rig.puppet.on(operation, Does::Fail),
            Health::Refuses => self.rig.puppet.on(operation, Does::Refuse),
            Health::Hangs => self.rig.puppet.on(operation, Does::Hang),
        }
    }

    async fn take(mut self, step: &Step) -> Self {
        match *step {
            Step::Wish(wish) if self.wish == Some(wish) => {}
            Step::Wish(wish) => self.wants(Some(wish)).await,
            Step::Withdraw => self.wants(None).await,
            Step::Close => {
                self.rig.puppet.on("read a/fixed", Does::Disconnect);
                sleep(Duration::from_millis(1500)).await;
                self.rig.puppet.mend("read a/fixed");
            }
            Step::Reads(health) => {
                self.was_unreadable |= matches!(health, Health::Refuses);
                self.pull("read a/level", health);
            }
            Step::Writes(health) => self.pull("write a/level", health),
            Step::Deaf(true) => self.rig.puppet.on("heed a/level", Does::Refuse),
            Step::Deaf(false) => self.rig.puppet.mend("heed a/level"),
            Step::Restart => {
                let (puppet, _) = self.rig.stop().await;
                self.rig = Rig::after(puppet, self.writes.clone()).await;
                self.apply().await;
            }
            Step::Local(value) => {
                self.rig.puppet.set("a/level", i64::from(value));
            }
        }
        self
    }

    async fn wants(&mut self, wish: Option<u8>) {
        self.wish = wish;
        self.wishes.push((Instant::now(), wish));
        self.apply().await;
    }

    /// What must hold at each moment.
    fn check(&self) -> TestCaseResult {
        let written = self.rig.puppet.written("a/level");
        for (number, (from, wish)) in self.wishes.iter().enumerate() {
            let until = self.wishes.get(number + 1).map(|(until, _)| *until);
            let before = number.checked_sub(1).and_then(|before| self.wishes[before].1);
            let [wanted, before] = [*wish, before].map(|wish| wish.map(|wish| Value::Int(wish.into())));
            // What was written in the very moment of a change may have gone out before it.
            let is_during = |(time, value): &&(Instant, Value)| {
                time >= from
                    && until.is_none_or(|until| *time < until)
                    && (time > from || before.as_ref() != Some(value))
            };
            let during: Vec<_> = written.iter().filter(is_during).map(|(_, value)| value.clone()).collect();
            prop_assert!(during.iter().all(|value| Some(value) == wanted.as_ref()), "{during:?} for {wanted:?}");
            let most = match self.policy {
                "never" => 0,
                "once" => 1,
                _ => 10,
            };
            // An enforced value that was kept for long enough begins to count anew; a run is shorter than that.
            prop_assert!(during.len() <= most, "{} writes of {wanted:?}", during.len());
            let taken = self.rig.puppet.taken("a/level").iter().filter(is_during).count();
            prop_assert!(self.policy != "onChange" || taken <= 1, "the device has taken {wanted:?} {taken} times");
        }
        let reported = self.rig.reported("a", "level");
        if let Some((_, Some(Phase::Converged), echo)) = &reported
            && self.policy != "once"
        {
            let place = "a/level";
            let value = Value::parse(echo, DataType::Int).expect("a wish");
            // Where reads are refused, that the device has taken it is all that can be known.
            let is_taken = || self.rig.puppet.taken(place).iter().any(|(_, taken)| *taken == value);
            let was_there = self.rig.puppet.has_shown(place, &value) || (self.was_unreadable && is_taken());
            prop_assert!(was_there, "{reported:?} was never read");
        }
        Ok(())
    }
}

fn run(steps: &[(Step, u64)], policy: &'static str) -> TestCaseResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        let mut run = Run::new(policy).await;
        run.apply().await;
        for (step, pause) in steps {
            run = run.take(step).await;
            run.check()?;
            sleep(Duration::from_millis(*pause)).await;
            run.check()?;
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_only_what_is_wished_is_written_and_not_more_often_than_the_policy_allows(
        steps in prop::collection::vec((step(), 1..20_000_u64), 1..14),
        policy in prop::sample::select(&POLICIES[..]),
    ) {
        run(&steps, policy)?;
    }
}
