//! Hooks on samples, and what the anomaly detection finds.

use std::{fmt::Display, time::Duration};

use crate::{
    model::{AnomalyRule as Rule, DeviceId, Value},
    watch::What,
};

use super::{Occurrence, event::event, milliseconds};

event! {
    /// A hook panicked, and is switched off for the device.
    HookPanicked<'a> { device: &'a DeviceId, hook: &'a str, panic: &'a str }
    log ERROR "a hook panicked, and is switched off for the device until its task starts anew" [%device, hook, panic];
    count hooks.panics;
}

event! {
    /// A hook held its device up.
    HookSlow<'a> { device: &'a DeviceId, hook: &'a str, took: Duration, occurrence: Occurrence }
    first WARN "a hook is slow, and holds up the device" [%device, hook, took_ms = milliseconds(took)];
    count hooks.slow;
}

event! {
    /// A value broke a rule of the anomaly detection.
    AnomalyFound<'a> {
        device: &'a DeviceId,
        property: &'a str,
        rule: Rule,
        value: &'a Value,
        detail: &'a str,
        occurrence: Occurrence,
    }
    first WARN "anomaly" [%device, property, %rule, %value, detail];
    count reads.anomalies of device, property;
    watch Anomaly => What::Anomaly {
        device: device.clone(),
        property: property.into(),
        rule,
        value: value.clone(),
        detail: detail.to_owned(),
        occurrence,
    };
}

event! {
    /// A finding could not be posted to its endpoint, and is lost there.
    FindingFailed<'a> { endpoint: &'a str, error: &'a dyn Display, occurrence: Occurrence }
    first WARN "an anomaly cannot be reported to its endpoint" [endpoint, %error];
    count hooks.findings_lost;
}

event! {
    /// Too many findings wait to be posted.
    FindingDropped<'a> { endpoint: &'a str, occurrence: Occurrence }
    first WARN "anomalies come faster than their endpoint takes them, and some are not reported" [endpoint];
    count hooks.findings_lost;
}
