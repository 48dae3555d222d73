//! The metrics, the alerts and the dashboard, by Prometheus' own tool and by what a run exports.

use std::{collections::BTreeSet, path::Path};

use integration_tests::{Tool, server};
use serde_json::Value as Json;

use super::{bed, get, run};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../mapper-template/deploy/chart");

/// The names of the metrics of a scrape, without their labels.
fn names(metrics: &str) -> BTreeSet<String> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())).collect()
}

/// The same in the older format, which is all that promtool reads: without the mark at the end, and a counter is described by its whole name.
fn in_text_format(metrics: &str) -> String {
    let described = |line: &str, kind: &str| line.strip_prefix(kind)?.split(' ').next().map(str::to_owned);
    let is_counter = |name: &str| metrics.contains(&format!("# TYPE {name} counter\n"));
    let lines = metrics.lines().filter(|line| *line != "# EOF").map(|line| {
        let name = described(line, "# HELP ").or_else(|| described(line, "# TYPE ")).filter(|name| is_counter(name));
        name.map_or_else(|| line.to_owned(), |name| line.replacen(&name, &format!("{name}_total"), 1)) + "\n"
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_finds_nothing_to_complain_of() {
    let Tool::At(promtool) = server("promtool") else { return };
    let (bed, address, folder) = bed().await;
    let metrics = get(address, "/metrics").await;
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    for line in [
        "mapper_devices{state=\"online\"} 1",
        "mapper_device_up{device_namespace=\"default\",device=\"room-1\"} 1",
        "mapper_property_value{device_namespace=\"default\",device=\"room-1\",property=\"temperature\"} 21.5",
        "mapper_edgecore_connected 1",
        "mapper_device_failing_properties{device_namespace=\"default\",device=\"room-1\"} 1",
    ] {
        assert!(metrics.lines().any(|it| it.starts_with(line)), "{line}: {metrics}");
    }
    let file = folder.path().join("metrics");
    std::fs::write(&file, in_text_format(&metrics)).unwrap();
    let command = format!("{} check metrics < {}", promtool.display(), file.display());
    run("/bin/sh".into(), &["-c", &command]).await;
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_fire_when_they_should_and_not_before() {
    let Tool::At(promtool) = server("promtool") else { return };
    let rules = Path::new(CHART).join("monitoring/rules.yaml");
    run(promtool.clone(), &["check", "rules", &rules.display().to_string()]).await;
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/window/alerts.yaml");
    let folder = tempfile::tempdir().unwrap();
    // The file of tests names the rules beside it.
    std::fs::copy(&rules, folder.path().join("rules.yaml")).unwrap();
    let copied = folder.path().join("alerts.yaml");
    std::fs::copy(tests, &copied).unwrap();
    run(promtool, &["test", "rules", &copied.display().to_string()]).await;
}

/// Each metric that a query of the dashboard or an alert names is one that a run exports.
#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_alerts_ask_for_what_there_is() {
    let (bed, address, _folder) = bed().await;
    let mut exported = names(&get(address, "/metrics").await);
    // A target has metrics once there is one.
    let of_targets =
        ["sink_up", "sink_records_total", "sink_records_in_flight", "sink_spool_records", "sink_spool_bytes"];
    exported.extend(of_targets.map(|name| format!("mapper_{name}")));
    let dashboard = std::fs::read_to_string(Path::new(CHART).join("monitoring/dashboard.json")).unwrap();
    let rules = std::fs::read_to_string(Path::new(CHART).join("monitoring/rules.yaml")).unwrap();
    let parsed: Json = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() >= 8);
    let words = |text: &str| {
        let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
        words.filter(|word| word.starts_with("mapper_")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    for (file, asked) in [("dashboard.json", words(&dashboard)), ("rules.yaml", words(&rules))] {
        assert!(!asked.is_empty(), "{file} asks for nothing");
        let missing: Vec<_> = asked.difference(&exported).collect();
        assert!(missing.is_empty(), "{file} asks for what no run exports: {missing:?}; there is {exported:?}");
    }
    bed.stop().await.unwrap();
}
