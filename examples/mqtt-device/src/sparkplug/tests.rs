use super::*;

fn pump() -> Node {
    Node::new("plant", "hall", "pump", Duration::from_secs(5))
}

fn metric(name: &str, value: f64) -> Metric {
    Metric {
        name: Some(name.to_owned()),
        content: Some(Content::Double(value)),
        datatype: Some(10),
        ..Metric::default()
    }
}

fn payload(seq: u64, metrics: Vec<Metric>) -> Bytes {
    Payload { timestamp: None, metrics, seq: Some(seq) }.encode_to_vec().into()
}

fn take(node: &mut Node, topic: &str, payload: &Bytes) -> Result<Vec<f64>, String> {
    let changed = node.take(&format!("spBv1.0/plant/{topic}"), payload, Instant::now())?;
    Ok(changed.into_iter().filter_map(|(_, datum)| datum.json().ok()?.as_f64()).collect())
}

/// One that was born, and misses nothing.
fn born() -> Node {
    let mut node = pump();
    take(&mut node, "NBIRTH/hall", &payload(0, Vec::new())).expect("it is a birth");
    take(&mut node, "DBIRTH/hall/pump", &payload(1, vec![metric("level", 1.5)])).expect("it is a birth");
    assert!(node.absence(Instant::now()).is_none() && !node.wants_birth);
    node
}

#[test]
fn a_message_that_comes_twice_is_passed_over_and_another_one_of_its_number_is_a_gap() {
    let mut node = born();
    let data = payload(2, vec![metric("level", 2.5)]);
    assert_eq!(take(&mut node, "DDATA/hall/pump", &data), Ok(vec![2.5]));
    assert_eq!(take(&mut node, "DDATA/hall/pump", &data), Ok(Vec::new()));
    assert!(!node.wants_birth);
    let other = payload(2, vec![metric("level", 3.5)]);
    assert_eq!(take(&mut node, "DDATA/hall/pump", &other), Ok(vec![3.5]));
    assert!(node.wants_birth);
}

#[test]
fn garbage_is_a_gap_and_a_failure_of_the_device_itself_only() {
    let (mut node, garbage) = (born(), Bytes::from("garbage"));
    assert_eq!(take(&mut node, "DDATA/hall/fan", &garbage), Ok(Vec::new()));
    assert!(node.wants_birth && node.absence(Instant::now()).is_none());
    let mut node = born();
    assert!(take(&mut node, "DDATA/hall/pump", &garbage).is_err());
    assert!(node.wants_birth && node.rebirth(Instant::now() + QUESTION_PAUSE).is_some());
    take(&mut node, "NDEATH/hall", &garbage).expect("the broker publishes it");
    assert!(node.absence(Instant::now()).is_some());
}

#[test]
fn an_edge_node_that_mends_nothing_is_asked_less_and_less() {
    let (mut node, begin) = (pump(), Instant::now() + Duration::from_secs(1));
    let asked = |node: &mut Node, seconds: std::ops::Range<u64>| {
        let is_asked = |it: &u64| node.rebirth(begin + Duration::from_secs(*it)).is_some();
        seconds.filter(is_asked).collect::<Vec<_>>()
    };
    assert_eq!(asked(&mut node, 0..200), [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    // Its births miss something at once.
    take(&mut node, "NBIRTH/hall", &payload(0, Vec::new())).expect("it is a birth");
    node.wants_birth = true;
    assert_eq!(asked(&mut node, 200..250), [243]);
    // They have mended it, and much later something is missed again.
    take(&mut node, "NBIRTH/hall", &payload(0, Vec::new())).expect("it is a birth");
    assert!(asked(&mut node, 250..400).is_empty());
    node.wants_birth = true;
    assert_eq!(asked(&mut node, 400..405), [400, 401, 403]);
}
