//! How a property is written: the keys of its visitor that are the framework's (docs/writing-to-machines.md).

use std::time::Duration;

use super::{
    AccessMode, Property, Value,
    interlock::{INTERLOCK, Interlock},
    keys::{Keys, Misfit},
};

const POLICY: &str = "writePolicy";
const TOLERANCE: &str = "writeTolerance";
const MAX_ATTEMPTS: &str = "writeMaxAttempts";
const MIN_INTERVAL: &str = "writeMinInterval";
const CONFIRM: &str = "writeConfirm";
const READ_BACK_DELAY: &str = "writeReadBackDelay";
const EXPIRES_AFTER: &str = "writeExpiresAfter";
const RAMP: &str = "writeRampPerSecond";
const DRY_RUN: &str = "writeDryRun";

/// How often a wish is attempted unless the manifest says otherwise, and at most.
const ATTEMPTS: (u32, u32) = (10, 1_000);

/// When a desired value is written (`writePolicy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WritePolicy {
    /// When it changes, and never again by itself once the device has taken it.
    #[default]
    OnChange,
    /// When it changes, and whenever the device is read to have another value.
    Enforce,
    /// When it changes, and once whatever comes of it.
    Once,
    /// Never, and nothing else writes the property either.
    Never,
}

/// What shows that a write has taken effect (`writeConfirm`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirm {
    /// The device is read, and has the value.
    ReadBack,
    /// The driver's answer is enough.
    None,
}

/// How a property is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WriteRules {
    pub(crate) policy: WritePolicy,
    /// By how much a value may differ from the desired one and still be it; numbers only.
    pub(crate) tolerance: f64,
    pub(crate) max_attempts: u32,
    /// The least time from one write to the next.
    pub(crate) min_interval: Duration,
    pub(crate) confirm: Confirm,
    /// The time that a device needs to show what was written.
    pub(crate) read_back_delay: Duration,
    /// After which time a wish that no device has taken is given up.
    pub(crate) expires_after: Option<Duration>,
    /// By how much a value may move in a second; numbers only.
    pub(crate) ramp: Option<f64>,
    pub(crate) interlock: Option<Interlock>,
    /// Whether writes are logged in place of being made.
    pub(crate) dry_run: bool,
}

impl Default for WriteRules {
    fn default() -> Self {
        Self {
            policy: WritePolicy::default(),
            tolerance: 0.0,
            max_attempts: ATTEMPTS.0,
            min_interval: Duration::ZERO,
            confirm: Confirm::ReadBack,
            read_back_delay: Duration::ZERO,
            expires_after: None,
            ramp: None,
            interlock: None,
            dry_run: false,
        }
    }
}

impl WriteRules {
    /// The keys, in the order of the documentation.
    pub(crate) const KEYS: [&str; 10] = [
        POLICY,
        TOLERANCE,
        MAX_ATTEMPTS,
        MIN_INTERVAL,
        CONFIRM,
        READ_BACK_DELAY,
        EXPIRES_AFTER,
        RAMP,
        INTERLOCK,
        DRY_RUN,
    ];

    /// What the property's visitor says.
    ///
    /// # Errors
    ///
    /// Every key that is wrong, with what is wrong. The property must not be written then: the others are not what was meant.
    pub(crate) fn of(property: &Property) -> Result<Self, Vec<Misfit>> {
        let mut keys = Keys::of(property.visitor());
        let policies = [
            ("onChange", WritePolicy::OnChange),
            ("enforce", WritePolicy::Enforce),
            ("once", WritePolicy::Once),
            ("never", WritePolicy::Never),
        ];
        let policy = keys.word(POLICY, &policies).unwrap_or_default();
        let confirm = keys.word(CONFIRM, &[("readBack", Confirm::ReadBack), ("none", Confirm::None)]);
        // What a pulse did cannot be read: the button has fallen back.
        let default = if policy == WritePolicy::Once { Confirm::None } else { Confirm::ReadBack };
        let rules = Self {
            policy,
            tolerance: keys.number(TOLERANCE, "a number from 0", |number| number >= 0.0).unwrap_or_default(),
            max_attempts: attempts(&mut keys),
            min_interval: keys.time(MIN_INTERVAL).unwrap_or_default(),
            confirm: confirm.unwrap_or(default),
            read_back_delay: keys.time(READ_BACK_DELAY).unwrap_or_default(),
            expires_after: keys.time(EXPIRES_AFTER).filter(|time| !time.is_zero()),
            ramp: keys.number(RAMP, "a number above 0", |number| number > 0.0),
            interlock: Interlock::read(&mut keys, property.name()),
            dry_run: keys.word(DRY_RUN, &[("true", true), ("false", false)]).unwrap_or_default(),
        };
        cross_check(&mut keys, property, &rules);
        keys.finish(rules)
    }

    /// The keys of a visitor that nothing is wrong with, and that have no effect beside the others.
    pub(super) fn idle_keys(property: &Property) -> Vec<Misfit> {
        let Ok(rules) = Self::of(property) else { return Vec::new() };
        let is_written = |key: &&str| property.visitor().contains_key(*key);
        if rules.policy == WritePolicy::Never {
            let others = Self::KEYS.into_iter().filter(|key| *key != POLICY).filter(is_written);
            let idle = |key| Misfit::new(key, "has no effect beside writePolicy: never", "take one of them out");
            return others.map(idle).collect();
        }
        if rules.confirm == Confirm::ReadBack {
            return Vec::new();
        }
        let policy = if rules.policy == WritePolicy::Once { ", the default of writePolicy: once" } else { "" };
        let idle = |key| {
            let message = format!("has no effect beside writeConfirm: none{policy}, since nothing is read back");
            Misfit::new(key, message, "take it out, or write writeConfirm: readBack")
        };
        [TOLERANCE, READ_BACK_DELAY].into_iter().filter(is_written).map(idle).collect()
    }

    /// Whether a value that was read is the desired one.
    pub(crate) fn is_met(&self, read: &Value, desired: &Value) -> bool {
        let differ = || match (read, desired) {
            (Value::Int(read), Value::Int(desired)) => Some((read.abs_diff(*desired) as f64, 0.0)),
            _ => {
                let (read, desired) = (read.as_f64()?, desired.as_f64()?);
                // 20.1 is no more than 0.1 away from 20, though it is in binary.
                Some(((read - desired).abs(), 4.0 * f64::EPSILON * read.abs().max(desired.abs())))
            }
        };
        let is_near = || differ().is_some_and(|(by, rounding)| by <= self.tolerance + rounding);
        read.is_close_to(desired) || (self.tolerance > 0.0 && is_near())
    }
}

fn attempts(keys: &mut Keys<'_>) -> u32 {
    let most = ATTEMPTS.1;
    let fits = |number: f64| number.fract() == 0.0 && (1.0..=f64::from(most)).contains(&number);
    let attempts = keys.number(MAX_ATTEMPTS, &format!("a whole number from 1 to {most}"), fits);
    attempts.map_or(ATTEMPTS.0, |number| number as u32)
}

/// What makes no sense together, or on this property.
fn cross_check(keys: &mut Keys<'_>, property: &Property, rules: &WriteRules) {
    for key in keys.written() {
        let known = WriteRules::KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key) && *known != key);
        if let Some(known) = known {
            keys.misfit(key, "has other upper and lower case letters", format!("write {known}"));
        }
    }
    if property.access_mode() == AccessMode::ReadOnly {
        for key in WriteRules::KEYS.into_iter().filter(|key| property.visitor().contains_key(*key)) {
            let cure = "take it out, or make the property ReadWrite in its model";
            keys.misfit(key, "has no meaning for a ReadOnly property", cure);
        }
        return;
    }
    for key in [TOLERANCE, RAMP] {
        if keys.has(key) && !property.data_type().is_numeric() {
            keys.misfit(key, format!("is for numbers, and the property is {}", property.data_type()), "take it out");
        }
    }
    if rules.policy == WritePolicy::Enforce && rules.confirm == Confirm::None {
        keys.misfit(CONFIRM, "none leaves nothing to enforce by", "take it out, or write writePolicy: onChange");
    }
    if rules.policy == WritePolicy::Once && keys.has(MAX_ATTEMPTS) && rules.max_attempts > 1 {
        keys.misfit(MAX_ATTEMPTS, "is more than the one that writePolicy: once allows", "take one of them out");
    }
    if rules.policy == WritePolicy::Once && rules.ramp.is_some() {
        keys.misfit(RAMP, "takes many writes, and writePolicy: once allows one", "take one of them out");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::DataType;

    fn property(data_type: DataType, visitor: &Json) -> Property {
        let visitor = visitor.as_object().expect("a mapping").clone();
        Property::builder("valve", data_type).access_mode(AccessMode::ReadWrite).visitor(visitor)
    }

    fn rules(visitor: &Json) -> WriteRules {
        WriteRules::of(&property(DataType::Int, visitor)).expect("nothing is wrong")
    }

    fn wrong(data_type: DataType, visitor: &Json) -> Vec<String> {
        let misfits = WriteRules::of(&property(data_type, visitor)).unwrap_err();
        misfits.into_iter().map(|misfit| misfit.key).collect()
    }

    #[test]
    fn every_key_is_read() {
        let all = rules(&json!({
            "register": 7, "writePolicy": "enforce", "writeTolerance": "0.5", "writeMaxAttempts": 3, "writeMinInterval": 2000,
            "writeConfirm": "readBack", "writeReadBackDelay": 500, "writeExpiresAfter": 60000, "writeRampPerSecond": 2.5,
            "writeInterlock": "pump == false", "writeDryRun": true,
        }));
        let expected = WriteRules {
            policy: WritePolicy::Enforce,
            tolerance: 0.5,
            max_attempts: 3,
            min_interval: Duration::from_secs(2),
            confirm: Confirm::ReadBack,
            read_back_delay: Duration::from_millis(500),
            expires_after: Some(Duration::from_secs(60)),
            ramp: Some(2.5),
            interlock: Interlock::parse("pump == false"),
            dry_run: true,
        };
        assert_eq!(all, expected);
        assert_eq!(rules(&json!({"register": 7})), WriteRules::default());
        assert_eq!(rules(&json!({"writePolicy": "once"})).confirm, Confirm::None);
    }

    #[test]
    fn all_wrong_keys_name_themselves_at_once() {
        let all = json!({
            "writePolicy": "onchange", "writeTolerance": -1, "writeMaxAttempts": 0, "writeMinInterval": "soon",
            "writeConfirm": "yes", "writeReadBackDelay": -1, "writeExpiresAfter": {}, "writeRampPerSecond": 0,
            "writeInterlock": "pump=off", "writeDryRun": "maybe",
        });
        let mut found = wrong(DataType::Int, &all);
        found.sort_unstable();
        let mut keys = WriteRules::KEYS;
        keys.sort_unstable();
        assert_eq!(found, keys);
        let misfits = WriteRules::of(&property(DataType::Int, &json!({"writePolicy": "onchange"}))).unwrap_err();
        assert_eq!(misfits[0].message, "\"onchange\" is none of onChange, enforce, once, never");
    }

    #[test]
    fn what_makes_no_sense_together_is_wrong() {
        assert_eq!(wrong(DataType::Boolean, &json!({"writeTolerance": 1, "writeRampPerSecond": 1})), [TOLERANCE, RAMP]);
        assert_eq!(wrong(DataType::Int, &json!({"writePolicy": "enforce", "writeConfirm": "none"})), [CONFIRM]);
        assert_eq!(wrong(DataType::Int, &json!({"writePolicy": "once", "writeRampPerSecond": 1})), [RAMP]);
        assert_eq!(wrong(DataType::Int, &json!({"writePolicy": "once", "writeMaxAttempts": 2})), [MAX_ATTEMPTS]);
        assert!(
            WriteRules::of(&property(DataType::Int, &json!({"writePolicy": "once", "writeMaxAttempts": 1}))).is_ok()
        );
        assert_eq!(wrong(DataType::Int, &json!({"writeInterlock": "valve == 1"})), [INTERLOCK]);
        assert_eq!(wrong(DataType::Int, &json!({"writeinterlock": "pump == 1"})), ["writeinterlock"]);
        assert_eq!(wrong(DataType::Int, &json!({"writeMinInterval": 1e300})), [MIN_INTERVAL]);
        let data = json!({"writePolicy": "never"}).as_object().cloned().unwrap_or_default();
        let read_only = Property::builder("p", DataType::Int).visitor(data);
        assert_eq!(WriteRules::of(&read_only).unwrap_err()[0].key, POLICY);
    }

    #[test]
    fn keys_that_have_no_effect_beside_others_are_known() {
        let idle = |keys: &Json| {
            let idle = WriteRules::idle_keys(&property(DataType::Int, keys));
            idle.into_iter().map(|misfit| misfit.key).collect::<Vec<_>>()
        };
        assert_eq!(idle(&json!({"writePolicy": "never", "writeInterlock": "pump == 1"})), [INTERLOCK]);
        let unread = json!({"writeConfirm": "none", "writeTolerance": 1, "writeReadBackDelay": 5});
        assert_eq!(idle(&unread), [TOLERANCE, READ_BACK_DELAY]);
        assert_eq!(idle(&json!({"writePolicy": "once", "writeReadBackDelay": 5})), [READ_BACK_DELAY]);
        let once = json!({"writePolicy": "once", "writeConfirm": "readBack", "writeReadBackDelay": 5});
        assert_eq!(idle(&once), [""; 0]);
        assert_eq!(idle(&json!({"writeTolerance": 1})), [""; 0]);
    }

    #[test]
    fn a_value_within_the_tolerance_is_the_desired_one() {
        let exact = WriteRules::default();
        let about = WriteRules { tolerance: 0.5, ..WriteRules::default() };
        assert!(!exact.is_met(&Value::Double(20.5), &Value::Double(20.0)));
        assert!(about.is_met(&Value::Double(20.5), &Value::Double(20.0)));
        assert!(!about.is_met(&Value::Double(20.6), &Value::Double(20.0)));
        assert!(!about.is_met(&Value::Boolean(true), &Value::Boolean(false)));
        let tenth = WriteRules { tolerance: 0.1, ..WriteRules::default() };
        assert!(tenth.is_met(&Value::Double(20.1), &Value::Double(20.0)));
        assert!(!tenth.is_met(&Value::Double(20.11), &Value::Double(20.0)));
        assert!(!about.is_met(&Value::Int(9_007_199_254_740_992), &Value::Int(9_007_199_254_740_993)));
    }
}
