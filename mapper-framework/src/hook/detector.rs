//! Judges the samples of one property by its rules. Time is that of the samples.

use std::{collections::VecDeque, time::SystemTime};

use crate::model::{AnomalyRule as Rule, AnomalyRules, Value};

/// What is wrong with one value, of several things the worst.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) rule: Rule,
    pub(super) detail: String,
    /// Whether the value before was sound, or broke another rule.
    pub(super) is_first: bool,
}

/// The rules of one property, and what they have to remember. It begins empty: a first value cannot have jumped, and nothing is held
/// against a window that is not full.
#[derive(Debug)]
pub(super) struct Detector {
    rules: AnomalyRules,
    previous: Option<f64>,
    /// The last value, and since when it has been that.
    unchanged: Option<(Value, SystemTime)>,
    /// The last values, at most as many as the window of the z-score.
    window: VecDeque<f64>,
    /// The rule that the last value broke.
    broken: Option<Rule>,
}

impl Detector {
    pub(super) fn new(rules: AnomalyRules) -> Self {
        Self { rules, previous: None, unchanged: None, window: VecDeque::new(), broken: None }
    }

    pub(super) fn rules(&self) -> &AnomalyRules {
        &self.rules
    }

    /// Judges the next value; `None` if there is nothing wrong with it.
    pub(super) fn judge(&mut self, value: &Value, time: SystemTime) -> Option<Verdict> {
        // By its decimals: the FLOAT 0.1 does not exceed a max of 0.1.
        let number = value.decimal();
        let range = number.and_then(|number| self.out_of_range(number));
        // What is no number in the sense of arithmetic is no step, and would spoil every mean it is part of.
        let finite = number.filter(|number| number.is_finite());
        let jump = finite.and_then(|number| self.jump(number));
        let stuck = self.stuck(value, time);
        let z_score = finite.and_then(|number| self.z_score(number));
        let found = [(Rule::Range, range), (Rule::Jump, jump), (Rule::Stuck, stuck), (Rule::ZScore, z_score)];
        let worst = found.into_iter().find_map(|(rule, detail)| Some((rule, detail?)));
        let before = std::mem::replace(&mut self.broken, worst.as_ref().map(|(rule, _)| *rule));
        worst.map(|(rule, detail)| Verdict { rule, detail, is_first: before != Some(rule) })
    }

    fn out_of_range(&self, number: f64) -> Option<String> {
        let (min, max) = (self.rules.min, self.rules.max);
        // What compares with nothing, which is no number, lies in no range.
        if let Some(min) = min.filter(|min| number.is_nan() || number < *min) {
            return Some(format!("{number} is less than min, {min}"));
        }
        max.filter(|max| number.is_nan() || number > *max).map(|max| format!("{number} is greater than max, {max}"))
    }

    fn jump(&mut self, number: f64) -> Option<String> {
        let previous = self.previous.replace(number)?;
        let (limit, step) = (self.rules.max_step?, (number - previous).abs());
        (step > limit).then(|| format!("{number} differs by {step} from {previous}, more than maxStep, {limit}"))
    }

    fn stuck(&mut self, value: &Value, time: SystemTime) -> Option<String> {
        let limit = self.rules.stuck_after?;
        let since = match &self.unchanged {
            Some((last, since)) if last == value => *since,
            _ => time,
        };
        // A clock that was set back begins the wait anew.
        let unchanged = time.duration_since(since);
        self.unchanged = Some((value.clone(), if unchanged.is_ok() { since } else { time }));
        let unchanged = unchanged.unwrap_or_default();
        let (shown, limit_shown) = (unchanged.as_millis(), limit.as_millis());
        (unchanged >= limit).then(|| format!("unchanged for {shown} ms, stuckAfter is {limit_shown}"))
    }

    fn z_score(&mut self, number: f64) -> Option<String> {
        let (limit, size) = self.rules.z_score?;
        let deviation = (self.window.len() >= size).then(|| deviation(&self.window, number)).flatten();
        if self.window.len() >= size {
            self.window.pop_front();
        }
        self.window.push_back(number);
        let deviation = deviation.filter(|deviation| *deviation > limit)?;
        Some(format!(
            "{number} lies {deviation:.1} standard deviations from the mean of the last {size}, zScore is {limit}"
        ))
    }
}

/// How many standard deviations a number lies from the mean; `None` where all are the same, since every other number would lie
/// infinitely many from them.
fn deviation(window: &VecDeque<f64>, number: f64) -> Option<f64> {
    let count = window.len() as f64;
    let mean = window.iter().sum::<f64>() / count;
    let variance = window.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    // Rounding alone gives a constant window a variance that is not quite zero.
    let spread = variance.sqrt();
    (spread > mean.abs() * 1e-12).then(|| (number - mean).abs() / spread)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(millis: u64) -> SystemTime {
        START + Duration::from_millis(millis)
    }

    /// The rules that values a second apart break, and whether each begins.
    fn broken(rules: AnomalyRules, values: impl IntoIterator<Item = f64>) -> Vec<Option<(Rule, bool)>> {
        let mut detector = Detector::new(rules);
        let judge = |(index, value): (usize, f64)| {
            let verdict = detector.judge(&Value::Double(value), at(index as u64 * 1_000));
            verdict.map(|verdict| (verdict.rule, verdict.is_first))
        };
        values.into_iter().enumerate().map(judge).collect()
    }

    fn rules(rules: AnomalyRules, values: impl IntoIterator<Item = f64>) -> Vec<Option<Rule>> {
        broken(rules, values).into_iter().map(|broken| broken.map(|(rule, _)| rule)).collect()
    }

    #[test]
    fn a_float_is_held_against_the_bounds_by_its_own_decimals() {
        let mut detector = Detector::new(AnomalyRules::new().min(-0.7).max(0.1));
        for float in [0.1, -0.7] {
            assert!(detector.judge(&Value::Float(float), SystemTime::UNIX_EPOCH).is_none(), "{float}");
        }
        let verdict = detector.judge(&Value::Float(0.3), SystemTime::UNIX_EPOCH).expect("it is greater");
        assert_eq!(verdict.detail, "0.3 is greater than max, 0.1");
    }

    #[test]
    fn bounds_belong_to_the_range_and_what_is_no_number_lies_outside() {
        let range = AnomalyRules::new().min(0.0).max(10.0);
        let found = rules(range, [0.0, 10.0, -0.1, 10.1, f64::NAN, f64::INFINITY]);
        let out = Some(Rule::Range);
        assert_eq!(found, [None, None, out, out, out, out]);
        assert_eq!(rules(AnomalyRules::new().max(0.0), [-1e300, 1.0]), [None, out], "one bound is enough");
    }

    #[test]
    fn a_first_value_has_not_jumped_and_a_step_of_the_limit_is_none() {
        let step = AnomalyRules::new().max_step(5.0);
        assert_eq!(rules(step.clone(), [1e9, 1e9 + 5.0, 1e9, 1e9 - 5.5]), [None, None, None, Some(Rule::Jump)]);
        assert_eq!(rules(step, [0.0, f64::NAN, 5.0, 11.0]), [None, None, None, Some(Rule::Jump)]);
    }

    #[test]
    fn a_value_is_stuck_after_the_time_and_until_it_changes() {
        let stuck = AnomalyRules::new().stuck_after(Duration::from_secs(2));
        let yes = Some(Rule::Stuck);
        assert_eq!(rules(stuck.clone(), [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]), [None, None, yes, yes, None, None, yes]);
        assert_eq!(rules(stuck, [1.0, 2.0, 1.0, 2.0, 1.0]), [None; 5]);
    }

    #[test]
    fn texts_can_be_stuck_and_a_clock_that_is_set_back_begins_anew() {
        let mut detector = Detector::new(AnomalyRules::new().stuck_after(Duration::from_secs(2)));
        let text = Value::from("idle");
        let mut stuck = |millis| detector.judge(&text, at(millis)).is_some();
        assert!(!stuck(100_000) && stuck(102_000));
        assert!(!stuck(50_000) && !stuck(51_999) && stuck(52_000));
    }

    #[test]
    fn a_window_that_is_not_full_and_one_that_is_constant_judge_nothing() {
        let score = AnomalyRules::new().z_score(3.0, 5);
        assert_eq!(rules(score.clone(), [1.0, 2.0, 1.0, 2.0, 1e6]), [None; 5], "the window has four");
        assert_eq!(rules(score, [0.1, 0.1, 0.1, 0.1, 0.1, 0.2]), [None; 6], "every change would stand out");
    }

    #[test]
    fn what_lies_far_from_the_mean_stands_out_and_is_part_of_the_window_then() {
        let score = AnomalyRules::new().z_score(3.0, 4);
        let found = rules(score, [1.0, 2.0, 1.0, 2.0, 3.0, 3.1, 100.0, 100.0]);
        assert_eq!(found[..4], [None; 4]);
        // The mean of the first four is 1.5, the deviation 0.5: three of them are not more than three.
        assert_eq!(found[4..6], [None, None]);
        assert_eq!(found[6..], [Some(Rule::ZScore), None], "a new level is soon the usual one");
    }

    #[test]
    fn of_several_broken_rules_the_worst_counts_and_only_a_new_one_is_first() {
        let both = AnomalyRules::new().max(10.0).max_step(5.0);
        let (range, jump) = (Rule::Range, Rule::Jump);
        let found = broken(both, [0.0, 20.0, 40.0, 0.0, 1.0, 7.0]);
        assert_eq!(
            found,
            [None, Some((range, true)), Some((range, false)), Some((jump, true)), None, Some((jump, true))]
        );
    }

    #[test]
    fn large_integers_are_compared_as_integers_where_they_have_not_changed() {
        let mut detector = Detector::new(AnomalyRules::new().stuck_after(Duration::from_secs(1)));
        let odd = |detector: &mut Detector, int, millis| detector.judge(&Value::Int(int), at(millis)).is_some();
        assert!(!odd(&mut detector, i64::MAX - 1, 0));
        assert!(!odd(&mut detector, i64::MAX, 1_000), "it has changed, although both are the same as a float");
    }
}
