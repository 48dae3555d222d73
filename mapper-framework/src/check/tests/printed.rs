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

#[test]
fn what_the_driver_will_read_is_printed_first_and_is_no_finding() {
    let device = |register: u16| {
        let rest = REST.replace("register: 1", &format!("register: {register}"));
        format!("{MODEL}{HEAD}{SPEC}  properties: [{{name: level, {rest}}}]\n")
    };
    let printed = |register: u16| {
        let (mut text, mut json) = (Vec::new(), Vec::new());
        let report = report_of(&builder(), &[("d.yaml", &device(register))]);
        print::text(&report, &mut text).unwrap();
        print::json(&report, &mut json).unwrap();
        (String::from_utf8(text).unwrap(), String::from_utf8(json).unwrap())
    };
    let (text, json) = printed(10);
    let expected = "d.yaml:18: note: Device default/d: property \"level\": reads register 10 of h\n\
                    1 device and 1 model in 1 file: nothing to complain about\n";
    assert_eq!((text.as_str(), json.as_str()), (expected, "[]\n"));
    let (text, _) = printed(11);
    let doubt = "d.yaml:18: warning: Device default/d: property \"level\": \
                 spec.properties[0].visitors.configData.register: 11 is worn out: write 10\n";
    assert!(text.starts_with(doubt), "{text}");
    let (text, _) = printed(12);
    assert!(text.contains("error") && text.contains("the driver panicked while reading it"), "{text}");
}
