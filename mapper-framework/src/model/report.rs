//! Which samples of a property its consumers get: the keys of its visitor that are the framework's (docs/reporting.md).

use std::{collections::BTreeSet, time::Duration};

use super::{
    ConfigData, Property, Value,
    keys::{Keys, Misfit},
};

/// When a consumer gets a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Each time.
    Always,
    /// When it says something new.
    OnChange,
    /// When the straight line between those that it got would lie too far from one that it did not get.
    SwingingDoor,
}

/// Which samples of a property a consumer gets: its twin, or one of its sinks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReportRules {
    pub(crate) strategy: Strategy,
    /// By how much a number may differ from the last one and be no change.
    pub(crate) deadband: f64,
    /// The same as a part of the last one, in percent. The greater of the two counts.
    pub(crate) deadband_percent: f64,
    /// The least time from one to the next.
    pub(crate) min_interval: Duration,
    /// After which time one goes in any case.
    pub(crate) max_silence: Option<Duration>,
    /// How far the swinging door may be off.
    pub(crate) error_bound: f64,
}

impl Default for ReportRules {
    /// Each sample.
    fn default() -> Self {
        Self {
            strategy: Strategy::Always,
            deadband: 0.0,
            deadband_percent: 0.0,
            min_interval: Duration::ZERO,
            max_silence: None,
            error_bound: 0.0,
        }
    }
}

/// The names of the keys for one kind of consumer.
struct Names {
    strategy: &'static str,
    strategies: &'static [(&'static str, Strategy)],
    deadband: &'static str,
    deadband_percent: &'static str,
    min_interval: &'static str,
    max_silence: &'static str,
    error_bound: Option<&'static str>,
}

const TWIN: Names = Names {
    strategy: "reportStrategy",
    strategies: &[("always", Strategy::Always), ("onChange", Strategy::OnChange)],
    deadband: "reportDeadband",
    deadband_percent: "reportDeadbandPercent",
    min_interval: "reportMinInterval",
    max_silence: "reportMaxSilence",
    error_bound: None,
};

const PUSH: Names = Names {
    strategy: "pushStrategy",
    strategies: &[
        ("always", Strategy::Always),
        ("onChange", Strategy::OnChange),
        ("swingingDoor", Strategy::SwingingDoor),
    ],
    deadband: "pushDeadband",
    deadband_percent: "pushDeadbandPercent",
    min_interval: "pushMinInterval",
    max_silence: "pushMaxSilence",
    error_bound: Some("pushErrorBound"),
};

impl Names {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        let five = [self.strategy, self.deadband, self.deadband_percent, self.min_interval, self.max_silence];
        five.into_iter().chain(self.error_bound)
    }
}

impl ReportRules {
    /// What the property's visitor says of its twin. Where it says nothing, and where what it says is wrong, the mapper's defaults hold.
    pub(crate) fn of_twin(property: &Property, defaults: &Self) -> Self {
        Self::read(property, &TWIN, None, defaults).unwrap_or_else(|_| defaults.clone())
    }

    /// What the property's visitor says of a kind of sink. Where it says nothing, and where what it says is wrong, the mapper's defaults
    /// hold.
    pub(crate) fn of_sink(property: &Property, kind: &str, defaults: &Self) -> Self {
        Self::read(property, &PUSH, Some(kind), defaults).unwrap_or_else(|_| defaults.clone())
    }

    /// Whether a key of a visitor is one of these, with the name of a sink or without.
    pub(crate) fn is_key(key: &str) -> bool {
        let (name, sink) = split(key);
        PUSH.all().any(|known| known == name) || (sink.is_none() && TWIN.all().any(|known| known == name))
    }

    /// All that is wrong with the keys of a property.
    pub(crate) fn misfits(property: &Property) -> Vec<Misfit> {
        let defaults = Self::default();
        let mut misfits = misspelt(property.visitor());
        misfits.extend(Self::read(property, &TWIN, None, &defaults).err().into_iter().flatten());
        let sinks: BTreeSet<_> = sinks(property.visitor()).collect();
        for sink in std::iter::once(None).chain(sinks.into_iter().map(Some)) {
            for misfit in Self::read(property, &PUSH, sink, &defaults).err().into_iter().flatten() {
                if !misfits.contains(&misfit) {
                    misfits.push(misfit);
                }
            }
        }
        misfits
    }

    /// What is wrong with keys of a property that name a sink, where these are the sinks that the mapper has.
    pub(crate) fn strangers(property: &Property, kinds: &[&str]) -> Vec<Misfit> {
        let keys = property.visitor().keys().filter(|key| Self::is_key(key));
        let strange = keys.filter(|key| split(key).1.is_some_and(|sink| !kinds.contains(&sink)));
        let misfit = |key: &String| Misfit {
            key: key.clone(),
            message: format!("names no sink of this mapper: it has {}", kinds.join(", ")),
            cure: "correct the name after the dot, or take the key out".to_owned(),
        };
        strange.map(misfit).collect()
    }

    /// Whether the consumer gets each sample.
    pub(crate) fn take_all(&self) -> bool {
        self.strategy == Strategy::Always && self.min_interval.is_zero()
    }

    /// Whether a value says something new to whoever has the one before.
    pub(crate) fn is_change(&self, before: &Value, value: &Value) -> bool {
        if self.deadband <= 0.0 && self.deadband_percent <= 0.0 {
            return value != before;
        }
        let (Some(from), Some(to)) = (before.decimal(), value.decimal()) else { return value != before };
        let (differ, rounding) = match (before, value) {
            (Value::Int(before), Value::Int(value)) => (before.abs_diff(*value) as f64, 0.0),
            // 20.1 is no more than 0.1 away from 20, though it is in binary.
            _ => ((to - from).abs(), 4.0 * f64::EPSILON * from.abs().max(to.abs())),
        };
        differ > self.deadband.max(self.deadband_percent / 100.0 * from.abs()) + rounding
    }

    /// What the keys say, those with the name of the sink first.
    fn read(property: &Property, names: &Names, sink: Option<&str>, defaults: &Self) -> Result<Self, Vec<Misfit>> {
        let mut keys = Keys::of(property.visitor());
        let own = sink.map(|_| Level::read(&mut keys, names, sink, property));
        let common = Level::read(&mut keys, names, None, property);
        let either = |of: fn(&Level) -> Option<f64>| own.as_ref().and_then(of).or_else(|| of(&common));
        let time = |of: fn(&Level) -> Option<Duration>| own.as_ref().and_then(of).or_else(|| of(&common));
        let strategy = own.as_ref().and_then(|own| own.strategy).or(common.strategy).unwrap_or(defaults.strategy);
        let rules = Self {
            strategy,
            deadband: either(|level| level.deadband).unwrap_or(defaults.deadband),
            deadband_percent: either(|level| level.deadband_percent).unwrap_or(defaults.deadband_percent),
            min_interval: time(|level| level.min_interval).unwrap_or(defaults.min_interval),
            max_silence: time(|level| level.max_silence).map_or(defaults.max_silence, Some),
            error_bound: either(|level| level.error_bound).unwrap_or(defaults.error_bound),
        };
        keys.finish(rules.for_type_of(property))
    }

    /// The same without what has no meaning: zero is no silence, and what is no number lies on no line.
    fn for_type_of(mut self, property: &Property) -> Self {
        if self.strategy == Strategy::SwingingDoor {
            self.min_interval = Duration::ZERO;
            if !property.data_type().is_numeric() {
                self.strategy = Strategy::OnChange;
            }
        }
        let has_meaning = |silence: &Duration| !silence.is_zero() && self.strategy != Strategy::Always;
        self.max_silence = self.max_silence.filter(has_meaning).map(|silence| silence.max(self.min_interval));
        self
    }
}

/// The name of a key, and that of the sink after its dot.
fn split(key: &str) -> (&str, Option<&str>) {
    key.split_once('.').map_or((key, None), |(name, sink)| (name, Some(sink)))
}

/// The sinks that keys are for.
fn sinks(data: &ConfigData) -> impl Iterator<Item = &str> {
    data.keys().filter(|key| ReportRules::is_key(key)).filter_map(|key| split(key).1)
}

fn misspelt(data: &ConfigData) -> Vec<Misfit> {
    let known = || TWIN.all().chain(PUSH.all());
    let misspelt = data.keys().filter_map(|key| {
        let (name, sink) = split(key);
        if let (Some(sink), true) = (sink, TWIN.all().any(|known| known == name)) {
            let push = name.replacen("report", "push", 1);
            let message = "is for the twin, which is no sink".to_owned();
            return Some(Misfit { key: key.clone(), message, cure: format!("write {name}, or {push}.{sink}") });
        }
        let known = known().find(|known| known.eq_ignore_ascii_case(name) && *known != name)?;
        let sink = sink.map(|sink| format!(".{sink}")).unwrap_or_default();
        let (message, cure) = ("has other upper and lower case letters".to_owned(), format!("write {known}{sink}"));
        Some(Misfit { key: key.clone(), message, cure })
    });
    misspelt.collect()
}

/// The keys for all sinks, or those for one of them.
#[derive(Default)]
struct Level {
    strategy: Option<Strategy>,
    deadband: Option<f64>,
    deadband_percent: Option<f64>,
    min_interval: Option<Duration>,
    max_silence: Option<Duration>,
    error_bound: Option<f64>,
}

impl Level {
    fn read(keys: &mut Keys<'_>, names: &Names, sink: Option<&str>, property: &Property) -> Self {
        let key = |name: &str| sink.map_or_else(|| name.to_owned(), |sink| format!("{name}.{sink}"));
        let error_bound = names.error_bound.map(key);
        let mut level = Self {
            strategy: keys.word(&key(names.strategy), names.strategies),
            deadband: bound(keys, &key(names.deadband), property),
            deadband_percent: bound(keys, &key(names.deadband_percent), property),
            min_interval: keys.time(&key(names.min_interval)),
            max_silence: keys.time(&key(names.max_silence)),
            error_bound: error_bound.as_ref().and_then(|key| bound(keys, key, property)),
        };
        // Whoever names a bound wants the strategy that has one.
        let is_banded = level.deadband.is_some() || level.deadband_percent.is_some();
        let implied = if level.error_bound.is_some() {
            Some(Strategy::SwingingDoor)
        } else {
            is_banded.then_some(Strategy::OnChange)
        };
        level.strategy = level.strategy.or(implied);
        let (on_change, door) = ("onChange", "swingingDoor");
        let fitting: [(Option<String>, bool, &[Strategy], &str); 5] = [
            (Some(key(names.deadband)), level.deadband.is_some(), &[Strategy::OnChange], on_change),
            (Some(key(names.deadband_percent)), level.deadband_percent.is_some(), &[Strategy::OnChange], on_change),
            (error_bound, level.error_bound.is_some(), &[Strategy::SwingingDoor], door),
            (
                Some(key(names.min_interval)),
                level.min_interval.is_some(),
                &[Strategy::Always, Strategy::OnChange],
                on_change,
            ),
            (
                Some(key(names.max_silence)),
                level.max_silence.is_some(),
                &[Strategy::OnChange, Strategy::SwingingDoor],
                on_change,
            ),
        ];
        for (key, _, strategies, cure) in fitting.into_iter().filter(|(_, is_written, ..)| *is_written) {
            if let (Some(key), Some(strategy)) = (key, level.strategy.filter(|it| !strategies.contains(it))) {
                let message = format!("has no meaning with {}: {}", names.strategy, word(strategy));
                keys.misfit(&key, message, format!("take it out, or write {}: {cure}", names.strategy));
            }
        }
        if let (Some(least), Some(most)) = (level.min_interval, level.max_silence)
            && !most.is_zero()
            && least > most
        {
            let message = format!("is longer than {}", names.max_silence);
            keys.misfit(&key(names.min_interval), message, "exchange them, or correct one");
        }
        level
    }
}

fn word(strategy: Strategy) -> &'static str {
    PUSH.strategies.iter().find(|(_, known)| *known == strategy).map_or("", |(word, _)| word)
}

/// By how much numbers may differ.
fn bound(keys: &mut Keys<'_>, key: &str, property: &Property) -> Option<f64> {
    let bound = keys.number(key, "a number from 0", |number| number >= 0.0)?;
    if !property.data_type().is_numeric() {
        let message = format!("is for numbers, and the property is {}", property.data_type());
        keys.misfit(key, message, "take it out");
    }
    Some(bound)
}

#[cfg(test)]
mod tests;
