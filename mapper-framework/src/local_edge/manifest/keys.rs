//! The keys of the custom resources, for whoever mistypes one.

/// All keys that a manifest may hold at some place.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "TDEngine", "TDEngineClientConfig", "accessMode", "addr", "address", "anomalyDetection", "apiVersion", "bucket",
    "collectCycle", "configData", "database", "db", "dbMethod", "dbName", "description", "desired", "deviceModelRef",
    "endpointURL", "fieldKey", "hostName", "http", "influxdb2", "influxdb2ClientConfig", "influxdb2DataConfig",
    "kind", "maximum", "measurement", "metadata", "methods", "minIdleConns", "minimum", "mqtt", "mysql",
    "mysqlClientConfig", "name", "namespace", "nodeName", "org", "otel", "poolsize", "port", "properties",
    "propertyNames", "protocol", "protocolConfigData", "protocolName", "pushMethod", "qos", "redis",
    "redisClientConfig", "reportCycle", "reportToCloud", "requestPath", "retained", "spec", "stateReport", "status",
    "tag", "timeout", "topic", "type", "unit", "url", "userName", "value", "visitors",
];

/// What to do about a key that nobody reads; nothing where Kubernetes or edgecore writes keys of its own.
pub(super) fn unknown(field: &str) -> Option<String> {
    if field.starts_with("metadata.") || field.starts_with("status.") {
        return None;
    }
    let key = field.rsplit('.').next().unwrap_or(field);
    Some(nearest(key, KNOWN).map_or_else(|| "take it out".to_owned(), |known| format!("did you mean {known}?")))
}

/// The choice that someone probably meant: equal but for case, or few slips away.
pub(crate) fn nearest<'a>(word: &str, choices: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    choices
        .iter()
        .map(|choice| (strsim::damerau_levenshtein(&lower, &choice.to_lowercase()), *choice))
        .filter(|(distance, choice)| *distance <= choice.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(nearest("collectcycle", KNOWN), Some("collectCycle"));
        assert_eq!(nearest("reportToCluod", KNOWN), Some("reportToCloud"));
        assert_eq!(nearest("colour", KNOWN), None);
    }

    #[test]
    fn the_keys_that_the_cluster_writes_are_no_news() {
        assert_eq!(unknown("metadata.resourceVersion"), None);
        assert_eq!(unknown("status.twins"), None);
        assert_eq!(unknown("spec.properties[0].visitor").as_deref(), Some("did you mean visitors?"));
        assert_eq!(unknown("spec.colour").as_deref(), Some("take it out"));
    }
}
