//! The built-in hook that detects anomalies.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use tokio::sync::mpsc;

use crate::{
    model::{AnomalyRule as Rule, AnomalyRules, Device, DeviceId, Property, Quality, Value},
    telemetry::{
        Occurrence, Telemetry,
        hooks::{AnomalyFound, FindingDropped},
    },
};

use super::{DeviceHook, Flow, Passing, SampleHook, detector::Detector};

/// Something found, on its way to the endpoint that the manifest names.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) endpoint: String,
    pub(crate) device: DeviceId,
    pub(crate) property: Arc<str>,
    pub(crate) value: Value,
    pub(crate) timestamp: SystemTime,
    pub(crate) quality: Quality,
    pub(crate) rule: Rule,
    pub(crate) detail: String,
}

/// Detects anomalies of the properties whose manifest asks for it, or of all if the mapper has rules of its own.
pub(crate) struct AnomalyDetection {
    /// For properties whose manifest has no rules.
    pub(crate) default_rules: Option<AnomalyRules>,
    /// Where findings go. Whoever posts them may be slow: what finds no room is counted and dropped.
    pub(crate) findings: mpsc::Sender<Finding>,
    pub(crate) telemetry: Telemetry,
}

/// The detectors of one device. Bounded by its properties.
struct Detectors {
    default_rules: Option<AnomalyRules>,
    detectors: HashMap<Arc<str>, Detector>,
    findings: mpsc::Sender<Finding>,
    /// Whether the last finding had no room there.
    full: bool,
    telemetry: Telemetry,
}

impl SampleHook for AnomalyDetection {
    fn name(&self) -> &str {
        "anomaly-detection"
    }

    fn attach(&self, device: &Device) -> Option<Box<dyn DeviceHook>> {
        let mut detectors = Detectors {
            default_rules: self.default_rules.clone(),
            detectors: HashMap::new(),
            findings: self.findings.clone(),
            full: false,
            telemetry: self.telemetry.clone(),
        };
        detectors.changed(device);
        (!detectors.detectors.is_empty()).then(|| Box::new(detectors) as _)
    }
}

impl Detectors {
    /// The rules of a property. Those that are wrong are a problem of the device, and none.
    fn rules(&self, property: &Property) -> Option<AnomalyRules> {
        match AnomalyRules::of(property) {
            Ok(None) => self.default_rules.clone(),
            Ok(rules) => rules,
            Err(_) => None,
        }
    }

    fn report(&mut self, passing: &Passing<'_>, endpoint: &str, rule: Rule, detail: String) {
        let sample = passing.sample();
        let finding = Finding {
            endpoint: endpoint.to_owned(),
            device: sample.device.clone(),
            property: sample.property.shared_name(),
            value: sample.value.clone(),
            timestamp: sample.timestamp,
            quality: sample.quality,
            rule,
            detail,
        };
        let was_full = std::mem::replace(&mut self.full, self.findings.try_send(finding).is_err());
        if self.full {
            self.telemetry.emit(FindingDropped { endpoint, occurrence: Occurrence::first_if(!was_full) });
        }
    }
}

impl DeviceHook for Detectors {
    fn sample(&mut self, passing: &mut Passing<'_>) -> Flow {
        let sample = passing.sample();
        let Some(detector) = self.detectors.get_mut(sample.property.name()) else { return Flow::Pass };
        let Some(verdict) = detector.judge(&sample.value, sample.timestamp) else { return Flow::Pass };
        let endpoint = detector.rules().endpoint.clone().filter(|_| verdict.is_first);
        let quality = worse(sample.quality, verdict.rule.quality());
        passing.set_quality(quality);
        let sample = passing.sample();
        self.telemetry.emit(AnomalyFound {
            device: &sample.device,
            property: sample.property.name(),
            rule: verdict.rule,
            value: &sample.value,
            detail: &verdict.detail,
            occurrence: Occurrence::first_if(verdict.is_first),
        });
        if let Some(endpoint) = endpoint {
            self.report(passing, &endpoint, verdict.rule, verdict.detail);
        }
        Flow::Pass
    }

    /// A property whose rules are as before keeps what its detector remembers.
    fn changed(&mut self, device: &Device) {
        let mut before = std::mem::take(&mut self.detectors);
        for property in device.properties() {
            let Some(rules) = self.rules(property) else { continue };
            let kept = before.remove(property.name()).filter(|detector| *detector.rules() == rules);
            self.detectors.insert(property.shared_name(), kept.unwrap_or_else(|| Detector::new(rules)));
        }
    }
}

/// What the device distrusts does not become better by our judgement.
fn worse(a: Quality, b: Quality) -> Quality {
    match (a, b) {
        (Quality::Bad, _) | (_, Quality::Bad) => Quality::Bad,
        (Quality::Uncertain, _) | (_, Quality::Uncertain) => Quality::Uncertain,
        (Quality::Good, Quality::Good) => Quality::Good,
    }
}
