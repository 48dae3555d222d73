//! What is printed of findings, and in which order.

use super::*;

#[test]
fn findings_stand_in_the_order_of_files_and_lines() {
    let wrong = format!("{HEAD}  nodeName: edge\n");
    let report = report_of(
        &builder(),
        &[("a.yaml", &format!("{wrong}---\n{}", wrong.replace("name: d", "name: e"))), ("b.yaml", "a: [")],
    );
    let at: Vec<_> = report.findings.iter().map(|finding| (finding.file.as_str(), finding.line)).collect();
    assert!(at.is_sorted() && at.len() == 5, "{at:?}");
}

#[test]
fn a_summary_counts_what_was_found_in_how_much() {
    let summary = |texts: &[(&str, &str)]| {
        let mut out = Vec::new();
        print::text(&report_of(&builder(), texts), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().last().unwrap().to_owned()
    };
    let device = format!("{HEAD}{SPEC}");
    assert_eq!(summary(&[("a", MODEL), ("b", &device)]), "1 device and 1 model in 2 files: nothing to complain about");
    assert_eq!(summary(&[("a", &device)]), "1 warning in 1 file");
    let wrong = device.replace("protocolName: p", "protocolName: q");
    assert_eq!(summary(&[("a", MODEL), ("b", &wrong)]), "1 error, 1 warning in 2 files");
}

#[test]
fn json_is_an_array_of_findings_with_all_their_keys() {
    let json = |text: &str| {
        let mut out = Vec::new();
        print::json(&report_of(&builder(), &[("d.yaml", text)]), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let wrong = format!("{MODEL}{HEAD}{SPEC}  properties: [{{name: levle, {REST}}}]\n");
    assert_eq!(json(&wrong), include_str!("../golden.json"));
    assert_eq!(json(MODEL), "[]\n");
}
