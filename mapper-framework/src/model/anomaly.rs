//! The rules of an anomaly detection, as a manifest writes them (`pushMethod.anomalyDetection`).

use std::{fmt, time::Duration};

use serde_json::Value as Json;

use super::{
    ConfigData, Property, PushMethod, Quality,
    keys::{Keys, Misfit},
};

/// The keys of `anomalyDetection`.
const KEYS: [&str; 7] = ["min", "max", "maxStep", "stuckAfter", "zScore", "window", "endpoint"];

/// How many samples a z-score is taken over, unless the manifest says otherwise.
const DEFAULT_WINDOW: usize = 60;

/// The fewest and the most samples that a z-score can be taken over.
const WINDOWS: (usize, usize) = (3, 1_000);

/// What is an anomaly of a property. Nothing is, unless a rule says so.
///
/// In a manifest these are the keys of `pushMethod.anomalyDetection`. All of them but `stuckAfter` and `endpoint` are for numbers only.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct AnomalyRules {
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) max_step: Option<f64>,
    pub(crate) stuck_after: Option<Duration>,
    pub(crate) z_score: Option<(f64, usize)>,
    pub(crate) endpoint: Option<String>,
}

/// The rules, by what breaks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnomalyRule {
    /// The value lies outside `min` and `max`. Its quality is bad.
    Range,
    /// The value differs by more than `maxStep` from the one before. Its quality is uncertain.
    Jump,
    /// The value has not changed for `stuckAfter`. Its quality is uncertain.
    Stuck,
    /// The value lies more than `zScore` standard deviations from the mean of the last `window` values. Its quality is uncertain.
    ZScore,
}

impl AnomalyRule {
    /// The word for it: `range`, `jump`, `stuck` or `zScore`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Jump => "jump",
            Self::Stuck => "stuck",
            Self::ZScore => "zScore",
        }
    }

    /// How far a value is to be trusted that breaks the rule.
    pub(crate) fn quality(self) -> Quality {
        match self {
            Self::Range => Quality::Bad,
            Self::Jump | Self::Stuck | Self::ZScore => Quality::Uncertain,
        }
    }
}

impl fmt::Display for AnomalyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AnomalyRules {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// `min`: a value below is out of range.
    pub fn min(mut self, min: f64) -> Self {
        self.min = Some(min);
        self
    }

    /// `max`: a value above is out of range.
    pub fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// `maxStep`: a value that differs by more from the one before has jumped.
    pub fn max_step(mut self, step: f64) -> Self {
        self.max_step = Some(step);
        self
    }

    /// `stuckAfter`, in milliseconds in a manifest: a value that has not changed for this long is stuck.
    pub fn stuck_after(mut self, time: Duration) -> Self {
        self.stuck_after = Some(time);
        self
    }

    /// `zScore` and `window`: a value that lies more than so many standard deviations from the mean of the last `window` values, 3 to
    /// 1,000, stands out.
    pub fn z_score(mut self, limit: f64, window: usize) -> Self {
        self.z_score = Some((limit, window.clamp(WINDOWS.0, WINDOWS.1)));
        self
    }

    /// `endpoint`: where findings are posted, `http://` or `https://`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// What the manifest of a property asks for; `None` if it asks for none.
    ///
    /// # Errors
    ///
    /// Every key that is wrong. The rules of the others would not be what was meant.
    pub(crate) fn of(property: &Property) -> Result<Option<Self>, Vec<Misfit>> {
        let asked = property.push_methods().iter().find_map(|method| match method {
            PushMethod::AnomalyDetection(data) => Some(data),
            _ => None,
        });
        asked.map(|data| Self::read(data, property.data_type().is_numeric())).transpose()
    }

    fn read(data: &ConfigData, is_numeric: bool) -> Result<Self, Vec<Misfit>> {
        let mut keys = Keys::of(data);
        let positive = |number: f64| number > 0.0;
        let any = |_: f64| true;
        let rules = Self {
            min: keys.number("min", "a number", any),
            max: keys.number("max", "a number", any),
            max_step: keys.number("maxStep", "a number above 0", positive),
            stuck_after: keys.number("stuckAfter", "milliseconds, more than 0", positive).map(milliseconds),
            z_score: z_score(&mut keys),
            endpoint: endpoint(&mut keys),
        };
        if let (Some(min), Some(max)) = (rules.min, rules.max)
            && min > max
        {
            keys.misfit("min", format!("{min} is greater than max, {max}"), "exchange them, or correct one");
        }
        let needs_numbers = ["min", "max", "maxStep", "zScore"].into_iter().filter(|_| !is_numeric);
        for key in needs_numbers.filter(|key| data.contains_key(*key)) {
            keys.misfit(key, "is for numbers, and the property is none", "take it out, or use stuckAfter");
        }
        for key in data.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            keys.misfit(key, "unknown key", format!("use one of {}", KEYS.join(", ")));
        }
        keys.finish(rules)
    }
}

fn milliseconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number / 1_000.0).unwrap_or(Duration::MAX)
}

fn z_score(keys: &mut Keys<'_>) -> Option<(f64, usize)> {
    let (least, most) = WINDOWS;
    let expected = format!("a whole number from {least} to {most}");
    let fits = |number: f64| number.fract() == 0.0 && (least as f64..=most as f64).contains(&number);
    let window = keys.number("window", &expected, fits).map_or(DEFAULT_WINDOW, |number| number as usize);
    let limit = keys.number("zScore", "a number above 0", |number| number > 0.0);
    if keys.has("window") && !keys.has("zScore") {
        keys.misfit("window", "has no meaning without zScore", "add that, such as zScore: 3");
    }
    limit.map(|limit| (limit, window))
}

fn endpoint(keys: &mut Keys<'_>) -> Option<String> {
    match keys.get("endpoint")? {
        Json::String(_) if cfg!(not(feature = "sink-http")) => {
            let message = "needs the Cargo feature sink-http of mapper-framework";
            keys.misfit("endpoint", message, "build the mapper with it, or take the key out");
            None
        }
        Json::String(url) if ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) => Some(url.clone()),
        other => {
            let cure = "write one, such as http://collector:8080/anomalies";
            keys.misfit("endpoint", format!("{other} is not an address"), cure);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::DataType;

    fn read(data: Json, data_type: DataType) -> Result<Option<AnomalyRules>, Vec<Misfit>> {
        let Json::Object(data) = data else { panic!("a map") };
        let push = vec![PushMethod::AnomalyDetection(data)];
        AnomalyRules::of(&Property::builder("p", data_type).push_methods(push).build())
    }

    fn wrong_keys(data: Json, data_type: DataType) -> Vec<String> {
        read(data, data_type).unwrap_err().into_iter().map(|misfit| misfit.key).collect()
    }

    #[cfg(feature = "sink-http")]
    #[test]
    fn every_key_is_read_as_a_number_or_as_its_text() {
        let data = json!({
            "min": -10, "max": "35.5", "maxStep": 2.5, "stuckAfter": 60_000, "zScore": 3, "window": 20,
            "endpoint": "http://collector/anomalies",
        });
        let expected = AnomalyRules::new().min(-10.0).max(35.5).max_step(2.5).stuck_after(Duration::from_secs(60));
        let expected = expected.z_score(3.0, 20).endpoint("http://collector/anomalies");
        assert_eq!(read(data, DataType::Float), Ok(Some(expected)));
    }

    #[test]
    fn without_the_push_method_nothing_is_asked_for_and_an_empty_one_has_no_rules() {
        assert_eq!(AnomalyRules::of(&Property::builder("p", DataType::Int).build()), Ok(None));
        assert_eq!(read(json!({}), DataType::Int), Ok(Some(AnomalyRules::new())));
    }

    #[test]
    fn all_wrong_keys_name_themselves_at_once() {
        let data = json!({
            "maxSteps": 1, "max": "high", "maxStep": 0, "stuckAfter": -1, "zScore": 0, "window": 2.5, "endpoint": "collector",
        });
        let mut keys = wrong_keys(data, DataType::Int);
        keys.sort();
        assert_eq!(keys, ["endpoint", "max", "maxStep", "maxSteps", "stuckAfter", "window", "zScore"]);
        let problems = read(json!({"maxSteps": 1}), DataType::Int).unwrap_err();
        assert!(problems[0].cure.contains("maxStep,"), "the cure names the keys that exist: {problems:?}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(wrong_keys(json!({"min": 5, "max": 1}), DataType::Int), ["min"]);
        assert_eq!(wrong_keys(json!({"window": 5}), DataType::Int), ["window"]);
        assert_eq!(wrong_keys(json!({"min": 1, "stuckAfter": 1000}), DataType::String), ["min"]);
        assert_eq!(wrong_keys(json!({"max": null}), DataType::Int), ["max"]);
        assert_eq!(wrong_keys(json!({"window": 1001, "zScore": 2}), DataType::Int), ["window"]);
    }
}
